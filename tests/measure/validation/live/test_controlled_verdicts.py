"""The rule for controlled runs: three per cent of throughput, one bucket of P99."""

from functools import partial
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.common.files import Row
from anarchy.config.live import ControlledRun, controlled_runs, load_campaign
from anarchy.config.settings import load_scenario
from anarchy.measure.validation.live.controlled_verdicts import judge_controlled_runs

PHASE: Row = {
    **{"group": "phase", "throughput": 100.0, "e2e": 2.0, "ttft": 0.9, "ttft_p99": 0.9},
    **{"page_p99": 1.0, "tied": 0.5, "busiest": 0.2},
}
"""A phase on both sides. The edges around its P99, a quarter of the page's, are .55 and 1.175."""


@pytest.fixture
def runs() -> list[ControlledRun]:
    load = partial(load_scenario, paths.ROOT / paths.SCENARIOS)
    return controlled_runs(load_campaign(paths.ROOT / paths.LIVE), load, "live.yaml")


def both_sides(runs: list[ControlledRun], **changes: Any) -> tuple[list[Row], list[Row]]:
    """Live rows, changed in every phase, and simulated ones of two runs each."""
    live: list[Row] = []
    ours: list[Row] = []
    for run in runs:
        switched = [{"time": 3.0, "switched": True, "p99": 1.0}]
        live.append({"id": run.name, "group": "run", "switches": 1, "lateness": 0.004})
        live += [{"id": "x", "group": "poll", "run": run.name, **poll} for poll in switched]
        ours += [
            {"group": "run", "run": run.name, "switches": 1, "first": t, "last": t, "host": 0.02}
            for t in (2.0, 4.0)
        ]
        ours += [
            {"group": "poll", "run": run.name, "poll": 0, "time": 3.0, "p99": 1.1, "host": 0.02}
        ] * 2
        for stretch in run.stretches:
            place = {"run": run.name, "phase": stretch.phase}
            live.append({"id": "x", **PHASE, **place, **changes})
            ours += [{**PHASE, **place, "host": 0.02}] * 2
    return live, ours


def judged(runs: list[ControlledRun], **changes: Any) -> dict[str, Row]:
    rows = judge_controlled_runs(*both_sides(runs, **changes), runs)
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows), "ids are distinct"
    return found


def test_equal_sides_hold(runs: list[ControlledRun]) -> None:
    rows = judged(runs)
    checks = rows["summary-checks"]
    assert checks["value"] == checks["n"] == 2 * sum(len(run.stretches) for run in runs)
    assert rows["summary-host"]["value"] == 0.02
    assert rows["summary-lateness"]["value"] == 0.004
    assert rows["70b-1p5d-v09-adaptive-first-switch"]["expected"] == 3.0
    assert rows["70b-1p5d-v09-saturated-ttft-p99-gain"]["value"] == 1.0


@pytest.mark.parametrize(("throughput", "holds"), [(97.1, True), (102.9, True), (103.1, False)])
def test_three_per_cent_of_throughput(
    runs: list[ControlledRun], throughput: float, holds: bool
) -> None:
    row = judged(runs, throughput=throughput)["70b-1p2d-v09-static-below-throughput"]
    assert row["holds"] is holds


@pytest.mark.parametrize(
    ("p99", "buckets", "holds"),
    [(0.6, 0, True), (0.5, -1, True), (0.26, -1, True), (0.2, -2, False), (3.0, 2, False)],
)
def test_one_bucket_of_the_tail(
    runs: list[ControlledRun], p99: float, buckets: int, holds: bool
) -> None:
    row = judged(runs, ttft_p99=p99)["70b-1p2d-v09-adaptive-saturated-ttft-p99"]
    assert (row["buckets"], row["holds"]) == (buckets, holds)


def test_a_gain_is_above_one_where_the_adaptive_run_is_better(runs: list[ControlledRun]) -> None:
    live, ours = both_sides(runs)
    for row in live:
        if row["group"] == "phase" and row["run"].endswith("-adaptive"):
            row |= {"throughput": 110.0, "ttft_p99": 0.45}
    rows = {row["id"]: row for row in judge_controlled_runs(live, ours, runs)}
    assert rows["70b-1p2d-v09-saturated-throughput-gain"]["value"] == pytest.approx(1.1)
    assert rows["70b-1p2d-v09-saturated-ttft-p99-gain"]["value"] == pytest.approx(2.0)


def test_what_was_not_measured_is_one_line(runs: list[ControlledRun]) -> None:
    _, ours = both_sides(runs)
    with pytest.raises(InputError, match=r"run '70b-1p5d-v09-static' .* --only control"):
        judge_controlled_runs([], ours, runs)
