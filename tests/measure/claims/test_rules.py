"""Every rule gives the number that it names, with an interval that covers the truth."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from anarchy.config.claims.evidence import Comparison
from anarchy.measure.claims.rules import RULES, Found, between
from anarchy.measure.claims.samples import Sample
from anarchy.measure.intervals import mean_interval

ERROR = 0.01


def exact(*values: float) -> list[Sample]:
    return [Sample({}, v, v, v, 1) for v in values]


def sample(runs: Sequence[float]) -> Sample:
    found = mean_interval(runs)
    assert found.lo is not None
    assert found.hi is not None
    return Sample({}, found.value, found.lo, found.hi, found.n)


@pytest.mark.parametrize(
    ("name", "group", "of", "value"),
    [
        ("value", [3], [], 3),
        ("value", [2, 4], [], 3),
        ("least", [2, 4], [], 2),
        ("ratio", [6], [4], 1.5),
        ("half-range", [2, 5, 4], [], 1.5),
        ("variation", [1, 3], [], 0.5),
        ("variance-ratio", [1, 5], [1, 3], 4),
        ("variance-ratio", [1, 5], [2, 2], math.inf),
        ("effect-ratio", [1, -6, 2], [3, 2], 2),
        ("proved", [1, 1, 0, 1], [], 0.75),
        ("refuted", [1, 1], [], 1),
    ],
)
def test_exact_numbers(name: str, group: list[float], of: list[float], value: float) -> None:
    found = RULES[name].statistic(exact(*group), exact(*of), ERROR)
    assert found.value == pytest.approx(value)
    if name != "value" or len(group) == 1:
        assert (found.lo, found.hi) == pytest.approx((value, value))


@pytest.mark.parametrize(
    "name", ["value", "least", "ratio", "half-range", "variation", "variance-ratio", "effect-ratio"]
)
def test_intervals_cover_the_truth(name: str) -> None:
    """Of true means; the samples' own intervals miss with a probability of 1 %."""
    rng = np.random.default_rng(1)
    means, others = np.array([10.0, 11.0, 12.5]), np.array([9.0, 10.0, 12.0])
    if name in ("value", "ratio"):
        means, others = means[:1], others[:1]
    truth = RULES[name].statistic(exact(*means), exact(*others), ERROR).value
    covered = 0
    for _ in range(100):
        group, of = ([sample(rng.normal(m, 0.5, 10)) for m in ms] for ms in (means, others))
        found = RULES[name].statistic(group, of, ERROR)
        assert found.lo <= found.value <= found.hi
        covered += found.lo <= truth <= found.hi
    assert covered >= 96


def test_the_variation_between_runs_covers_the_truth() -> None:
    rng = np.random.default_rng(2)
    ends = [
        RULES["between-runs"].statistic([sample(rng.normal(10, 2, 10))], (), ERROR)
        for _ in range(200)
    ]
    assert sum(f.lo <= 0.2 <= f.hi for f in ends) >= 194
    assert all(f.lo < f.value < f.hi for f in ends)


def test_a_ratio_of_what_may_be_nothing_has_no_ends() -> None:
    nothing = Sample({}, 0.1, -0.1, 0.3, 10)
    found = RULES["ratio"].statistic(exact(1), [nothing], ERROR)
    assert (found.lo, found.hi) == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("lo", "hi", "holds"),
    [
        (1, 2, True),
        (1.1, 1.9, True),
        (0.9, 2, None),
        (1, 2.1, None),
        (0, 0.9, False),
        (3, 4, False),
    ],
)
def test_only_whole_intervals_decide(lo: float, hi: float, holds: bool | None) -> None:
    tested = Comparison.model_validate(
        {"text": "x", "rule": "value", "rows": {"file": "x.json"}, "at_least": 1, "at_most": 2}
    )
    assert between(tested, Found((lo + hi) / 2, lo, hi)) is holds
