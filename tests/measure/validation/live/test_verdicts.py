"""A simulator in Dynamo's place passes; one that counts, chooses or serves otherwise does not."""

from typing import Any

import pytest

from anarchy.common.errors import InputError
from anarchy.config.live import LivePoint
from anarchy.config.scenario import with_fields
from anarchy.measure.validation.live.simulated import Runs, simulate_point
from anarchy.measure.validation.live.verdicts import MEANS, histogram_quantile, judge_live
from anarchy.serving.service_times.lookup import Latency
from tests.measure.validation.live.conftest import pretend

SEED, RUNS = 11, 30

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def simulated(point: LivePoint, latency: Latency) -> Rows:
    return [dict(row) for row in simulate_point(point, latency, 0.0, Runs(SEED, RUNS))]


def judged(point: LivePoint, measured: Rows, simulated: Rows) -> dict[str, dict[str, Any]]:
    return {row["group"]: row for row in judge_live(measured, simulated, [point])}


def failed(point: LivePoint, measured: Rows, simulated: Rows) -> set[str]:
    rows = judge_live(measured, simulated, [point])
    return {row["group"] for row in rows if row.get("holds") is False}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_simulator_itself_passes(
    point: LivePoint, latency: Latency, simulated: Rows, seed: int
) -> None:
    rows = judge_live(pretend(point, latency, seed), simulated, [point])
    assert [row["id"] for row in rows if row.get("holds") is False] == []
    assert (
        sum(row.get("holds") is True for row in rows) == 8
    )  # three means, four laws, cheapest, accounting


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        # Blocks counted for every request make costs another law.
        ({"router__tracking__active_blocks": "per-request"}, "cost-distance"),
        ({"router__ties": "first"}, "choices"),
        ({"router__temperature": 0.7}, "cheapest"),
        ({"topology__decode_speed": [0.97, 0.97]}, "e2e"),
        ({"engine__handoff__overhead": 0.02}, "ttft"),
        ({"workload__think_time": 0.05}, "throughput"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_system_fails(
    point: LivePoint, latency: Latency, simulated: Rows, changes: dict[str, Any], found: str
) -> None:
    assert found in failed(point, pretend(point, latency, 1, **changes), simulated)


def test_a_warm_router_is_held_to_its_own_law(point: LivePoint, latency: Latency) -> None:
    warm = point.model_copy(
        update={"scenario": with_fields(point.scenario, {"router.temperature": 0.7}, "test")}
    )
    ours = [dict(row) for row in simulate_point(warm, latency, 0.0, Runs(SEED, RUNS))]
    rows = judged(warm, pretend(warm, latency, 1), ours)
    assert rows["choices"]["holds"] is True
    assert rows["cheapest"]["holds"] is None
    assert 0.5 < rows["cheapest"]["value"] < 1


def test_intervals_hold_their_value(point: LivePoint, latency: Latency, simulated: Rows) -> None:
    rows = judged(point, pretend(point, latency, 1), simulated)
    for name in MEANS:
        row = rows[name]
        assert row["lo"] < row["value"] < row["hi"]
        assert row["expected_lo"] < row["expected"] < row["expected_hi"]


def test_a_single_client_tells_the_hosts_time(point: LivePoint, latency: Latency) -> None:
    alone = point.model_copy(
        update={
            "scenario": with_fields(point.scenario, {"workload.clients": 1}, "test"),
            "requests": 8,
        }
    )
    ours = [dict(row) for row in simulate_point(alone, latency, 0.0, Runs(SEED, 4))]
    host = 0.005
    rows = judged(alone, pretend(alone, latency, 1, frontend__overhead=host), ours)
    assert rows["ttft"]["holds"] is None
    assert rows["ttft"]["seconds"] == pytest.approx(host * alone.dilation, rel=0.05)


def test_a_point_that_was_not_measured_is_named(
    point: LivePoint, latency: Latency, simulated: Rows
) -> None:
    measured = pretend(point, latency, 1)
    longer = point.model_copy(update={"requests": 2 * point.requests})
    for points, rows in (([point], []), ([longer], measured)):
        with pytest.raises(InputError, match=r"point '70b-16' .* was not measured"):
            judge_live(rows, simulated, points)


def test_the_quantile_is_that_of_prometheus() -> None:
    counts = {1.0: 0.0, 2.2: 50.0, 4.7: 100.0, float("inf"): 100.0}
    assert histogram_quantile(0.5, counts) == pytest.approx(2.2)
    assert histogram_quantile(0.75, counts) == pytest.approx(2.2 + 2.5 / 2)
    assert histogram_quantile(0.99, {1.0: 0.0, float("inf"): 9.0}) == 1.0
