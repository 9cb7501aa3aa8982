"""Schedules of a log's requests: the run's own routing, replayed, gives the run."""

from typing import Any

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.measure.bracket.run_bracket import bracket
from anarchy.measure.bracket.schedules.log_requests import recorded, schedules_of
from anarchy.serving.service_times.lookup import load_service_times
from anarchy.serving.simulate import simulate
from anarchy.workload.traces import TraceData

LATENCY = load_service_times(
    paths.ROOT / paths.LATENCY, load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d").model
)
POISSON = {
    "kind": "poisson",
    "rate": 150.0,
    "templates": 6,
    "input_tokens": 100,
    "output_tokens": 20,
    "input_lengths": {"kind": "exponential", "mean_tokens": 120},
}
TENANTS = [
    {"name": "few", "share": 1, "templates": 2, "input_tokens": 64, "output_tokens": 9},
    {"name": "many", "share": 2, "templates": 3, "input_tokens": 200, "output_tokens": 30},
]


def deployment(workload: dict[str, Any], **fields: Any) -> Scenario:
    base = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
    changed = {name.replace("__", "."): value for name, value in fields.items()}
    rest = {"topology.prefill": 3, "engine.cache.capacity_tokens": 800, "router.policy": "toll"}
    return with_fields(with_fields(base, {"workload": workload}, "test"), rest | changed, "test")


@pytest.mark.parametrize("parts", [{}, {"tenants": TENANTS}], ids=["one", "tenants"])
def test_replaying_a_log_of_synthetic_prompts_gives_the_log(parts: dict[str, Any]) -> None:
    """Of arrivals that heed no completion, caches and all."""
    scenario = deployment(POISSON | parts)
    log = simulate(scenario, LATENCY, seed=2, requests=300).log
    rows = recorded(log, scenario, None)
    replayed = with_fields(scenario, {"workload": {"kind": "trace", "trace": "x"}}, "test")
    again = simulate(replayed, LATENCY, seed=2, trace=rows).log
    done_long_before = log.arrival < log.arrival[-1] - 1  # nobody missing came before them
    assert done_long_before.sum() > 50
    assert log.cached_tokens.max() > 0
    for column in ("prefill_worker", "decode_worker", "cached_tokens", "first_token"):
        ours, theirs = getattr(again, column), getattr(log, column)
        np.testing.assert_array_equal(ours[done_long_before], theirs[done_long_before], column)


def test_a_trace_tells_which_prompts_begin_alike() -> None:
    scenario = deployment({"kind": "trace", "trace": "x", "speed": 2.0})
    blocks: list[tuple[int, ...]] = [(1, 2), (1, 3), (4,), (1, 2)] * 20
    sizes = np.tile([32, 30, 12, 32], 20)
    trace = TraceData(np.arange(80) * 0.02, sizes, np.full(80, 5), blocks, 16)
    log = simulate(scenario, LATENCY, seed=1, trace=trace).log
    rows = recorded(log, scenario, trace)
    assert rows.arrival[1] == 0.01
    assert list(rows.blocks) == blocks
    logs = list(schedules_of(log, scenario, LATENCY, seed=1, replays=6, trace=trace))
    assert min(other.e2e.mean() for other in logs) <= log.e2e.mean()
    assert (logs[0].arrival == log.arrival).all()
    with pytest.raises(InputError, match="begin alike"):
        schedules_of(log, scenario, LATENCY, seed=1, replays=6)
    without = with_fields(scenario, {"engine.cache.enabled": False}, "test")
    assert len(list(schedules_of(log, without, LATENCY, seed=1, replays=0))) > 3


def test_a_closed_loop_is_run_again_whole() -> None:
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
    scenario = with_fields(scenario, {"router.policy": "random", "workload.clients": 8}, "test")
    log = simulate(scenario, LATENCY, seed=5, requests=100).log
    logs = list(schedules_of(log, scenario, LATENCY, seed=5, replays=20))
    assert {len(other) for other in logs} == {len(log)}
    row, *_ = bracket(log, scenario, LATENCY, seed=5, schedules=logs)
    assert row["lo"] > 1.001, "a random router loses"


def test_one_worker_a_pool_leaves_nothing_to_search() -> None:
    scenario = with_fields(deployment(POISSON, topology__prefill=1), {"topology.decode": 1}, "test")
    log = simulate(scenario, LATENCY, seed=1, requests=20).log
    with pytest.raises(InputError, match="one worker a pool"):
        schedules_of(log, scenario, LATENCY, seed=1, replays=0)
