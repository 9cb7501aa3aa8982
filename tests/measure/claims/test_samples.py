"""Rows as samples: which are chosen, and how far their intervals are widened."""

import math

import numpy as np
import pytest
from scipy.stats import t

from anarchy.config.claims.evidence import Selection
from anarchy.measure.claims.samples import grouped, samples, select
from anarchy.measure.intervals import mean_interval

RUNS = [1.0, 1.2, 0.9, 1.1, 1.3]


def row(**columns: object) -> dict[str, object]:
    found = mean_interval(RUNS)
    return {"id": "x", "value": found.value, "lo": found.lo, "hi": found.hi, "n": 5, **columns}


def chosen(**columns: object) -> Selection:
    return Selection.model_validate({"file": "x.json", "id": "x", **columns})


@pytest.mark.parametrize("error", [0.05, 0.01, 0.05 / 32, 1e-5])
def test_a_widened_interval_is_the_student_interval_of_its_confidence(error: float) -> None:
    (sample,) = samples(chosen(), [row()])
    half = t.ppf(1 - error / 2, 4) * np.std(RUNS, ddof=1) / math.sqrt(5)
    assert sample.ends(error) == pytest.approx((1.1 - half, 1.1 + half))


def test_the_deviation_between_runs_is_recovered() -> None:
    (sample,) = samples(chosen(), [row()])
    assert sample.deviation == pytest.approx(np.std(RUNS, ddof=1))


def test_a_number_without_limits_is_exact() -> None:
    (sample,) = samples(chosen(), [{"id": "x", "value": 3}])
    assert sample.ends(1e-9) == (3, 3)
    assert sample.exact


def test_a_number_whose_limits_are_unknown_is_not() -> None:
    (sample,) = samples(chosen(), [{"id": "x", "value": 3, "lo": None, "hi": None, "n": 1}])
    assert sample.ends(0.01) == (-math.inf, math.inf)


def test_a_truth_value_is_a_number_and_a_missing_one_is_left_out() -> None:
    rows = [{"id": "x", "holds": True}, {"id": "x", "holds": None}, {"id": "x"}]
    assert [s.value for s in samples(chosen(field="holds"), rows)] == [1.0]


def test_limits_of_another_column_are_its_own() -> None:
    (sample,) = samples(chosen(field="ratio"), [row(ratio=2.0, ratio_lo=1.5, ratio_hi=3.0)])
    assert (sample.lo, sample.hi) == (1.5, 3.0)


def test_rows_are_chosen_by_all_columns() -> None:
    rows = [row(a=1, b="u"), row(a=2, b="u"), row(a=1.0, b="v"), row(id="y", a=1, b="u"), row(a=1)]
    assert select(chosen(where={"a": 1, "b": ["u", "w"]}), rows) == rows[:1]
    assert len(select(chosen(id=["x", "y"], where={"a": 1, "b": "u"}), rows)) == 2


def test_groups_keep_the_order_of_rows() -> None:
    rows = [row(a=2), row(a=1), row(a=2)]
    assert {k: len(v) for k, v in grouped(samples(chosen(), rows), ["a"]).items()} == {
        "2": 2,
        "1": 1,
    }
