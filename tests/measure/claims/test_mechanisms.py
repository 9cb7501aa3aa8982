"""Mechanisms by claims: which ratio is taken of what, and how large a mechanism must be."""

from typing import Any

import pytest

from anarchy.common import paths
from anarchy.config.claims.ledger import Ledger
from anarchy.config.experiment import Experiment
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml
from anarchy.measure.claims.closed_loop import Load, Sweep
from anarchy.measure.claims.mechanisms import size_rows, variant_rows

EXPERIMENT = validate(
    Experiment, read_yaml(paths.ROOT / paths.EXPERIMENTS / "mechanisms-five.yaml"), "x.yaml"
)
SCENARIO = "70b-1p5d-v09"
CLAIM = {"text": "t", "published": "p", "mark": "A", "where": "sec:x", "open": "o"}
# 0.01 s a prompt and 1 s of everything else: saturated from 100 clients on.
LOADS = [Load(c, 100.0, c / 100 - 0.9, c / 100 - 0.9, c / 100) for c in (100, 120, 200, 400)]
SWEEP = Sweep(SCENARIO, [Load(1, 1.0, 0.1, 0.1, 1.0), *LOADS], lambda clients: 9.0, 0.0)


def ledger(quantity: str, ratio: float, at: int = 192) -> Ledger:
    change = {"quantity": quantity, "ratio": ratio, "scenario": SCENARIO, "at": at}
    return validate(Ledger, {"claims": [{"id": "C13", **CLAIM, "change": change}]}, "claims.yaml")


def measured(variant: str, value: float, temperature: float = 0.0) -> dict[str, Any]:
    row = {"scenario": SCENARIO, "variant": variant, "workload.clients": 192, "id": "ttft-mean"}
    row |= {"router.temperature": temperature, "value": value}
    return row | {"lo": 0.9 * value, "hi": 1.1 * value}


def compared(variant: str, ratio: float) -> dict[str, Any]:
    row = {"scenario": SCENARIO, "variant": variant, "workload.clients": 192, "id": "ttft-mean"}
    return row | {"ratio": ratio, "ratio_lo": ratio - 0.01, "ratio_hi": ratio + 0.01}


def test_faults_are_judged_by_the_switch_and_other_causes_by_themselves() -> None:
    rows = [measured("published", 1.0), measured("slow-decode", 0.5), measured("drift", 7.0, 0.7)]
    found = variant_rows(
        ledger("ttft-mean", 0.5), EXPERIMENT, rows, [compared("late-1s", 0.45), compared("x", 9)]
    )
    assert [(r["id"], r["kind"], r["value"], r["met"]) for r in found] == [
        ("late-1s", "switch", 0.45, True),
        ("slow-decode", "cause", 0.5, True),
    ]
    assert (found[1]["lo"], found[1]["hi"]) == pytest.approx((0.45 / 1.1, 0.55 / 0.9))


def test_only_a_whole_interval_meets_a_claim() -> None:
    for ratio, met in ((0.345, True), (0.34, False), (0.735, True), (0.745, False)):
        (row,) = variant_rows(
            ledger("ttft-mean", 0.5), EXPERIMENT, [], [compared("published", ratio)]
        )
        assert row["met"] is met, ratio


def test_a_throughput_is_met_within_half_of_its_change() -> None:
    rows = [compared("published", ratio) | {"id": "throughput"} for ratio in (0.9, 1.0)]
    for row, met in zip(rows, (True, False), strict=True):
        (found,) = variant_rows(ledger("throughput", 0.87), EXPERIMENT, [], [row])
        assert found["met"] is met


def sizes(quantity: str, ratio: float, at: int = 200) -> dict[str, float | None]:
    found = size_rows(ledger(quantity, ratio, at), {SCENARIO: SWEEP})
    return {row["id"]: row["value"] for row in found}


def test_sizes_give_the_published_ratio() -> None:
    """At 200 clients TTFT is 1.1 s and decode 0.9 s; at 120 clients TTFT is 0.3 s."""
    found = sizes("ttft-mean", 0.3 / 1.1)
    assert found["fewer-clients"] == pytest.approx(120)
    assert found["slower-decode"] == pytest.approx(1.7 / 0.9)
    first, then = 0.1 / (0.1 + 0.495), 0.3 / (0.1 + 0.595)  # at 100 and at 120 clients
    share = (0.3 / 1.1 - first) / (then - first)
    assert found["first-cycle"] == pytest.approx(100 + 20 * share)


def test_a_first_cycle_lowers_no_throughput() -> None:
    found = sizes("throughput", 0.8)
    assert found["first-cycle"] is None
    assert found["slower-decode"] == pytest.approx((2.5 - 0.1) / 0.9)
    assert 79 < (found["fewer-clients"] or 0) < 81


def test_a_load_beyond_the_sweep_is_judged_at_its_end() -> None:
    rows = size_rows(ledger("ttft-mean", 0.5, at=4000), {SCENARIO: SWEEP})
    assert {row["clients"] for row in rows} == {400}
    assert size_rows(ledger("ttft-mean", 0.5, at=150), {SCENARIO: SWEEP}) == []
