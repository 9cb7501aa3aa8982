"""The kernel returns the reference's log: same choices, same times, whatever the scenario."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.serving.compiled.core.coverage import COMPILED_POLICIES
from anarchy.serving.compiled.run import CHUNK
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.service_times.table import LatencyTable
from anarchy.serving.simulate import Simulator, simulate
from anarchy.workload.traces import TraceData
from tests.serving.compiled.scenarios import (
    assert_equal,
    assert_histories_equal,
    both_runs,
    random_runs,
    scenarios,
    tables,
    traces,
)

ROOT = paths.ROOT


@given(scenario=scenarios(), table=tables(), seed=st.integers(0, 3), requests=st.integers(1, 120))
@random_runs
def test_synthetic_workloads(
    scenario: Scenario, table: LatencyTable, seed: int, requests: int
) -> None:
    try:
        runs = both_runs(scenario, table, None, seed=seed, requests=requests)
    except InputError:  # the phases are too short for a request
        reject()
    assert_equal(*runs)


PHASES = [{"duration": 10.0, "clients": 8}, {"duration": 20.0}, {"duration": 20.0, "clients": 1}]

EAGER = {"interval": 2.5, "window": 5.0, "cooldown": 5.0, "thresholds": {"transition": 0.3}}


@pytest.mark.parametrize("paged", [False, True], ids=["plain", "paged"])
@pytest.mark.parametrize("source", ["exact", "buckets"])
def test_a_controller_over_phases_of_load(source: str, paged: bool) -> None:
    """It switches up and down, and the logs are equal to the bit."""
    changes = {
        "workload.clients": 60,
        "workload.output_tokens": 40,
        "workload.phases": PHASES,
        "controller": {"source": source, **EAGER},
        "engine.memory.paged": paged,
    }
    scenario = with_fields(load_scenario(ROOT / paths.SCENARIOS, "340b-1p2d"), changes, "test")
    table = load_latency(ROOT / paths.LATENCY, scenario.model.latency).table
    reference, compiled = both_runs(scenario, table, None, seed=5)
    for column, values in reference.log.columns().items():
        np.testing.assert_array_equal(values, getattr(compiled.log, column), err_msg=column)
    assert reference.control is not None
    assert compiled.control is not None
    assert_histories_equal(reference.control, compiled.control)
    assert reference.control.regime[reference.control.switches].tolist() == [1, 0]


@pytest.mark.parametrize("simulator", ["reference", "compiled"])
def test_phases_in_which_nothing_is_done_are_refused(simulator: Simulator) -> None:
    scenario = load_scenario(ROOT / paths.SCENARIOS, "70b-1p5d")
    scenario = with_fields(scenario, {"workload.phases": [{"duration": 0.1}]}, "test")
    latency = load_latency(ROOT / paths.LATENCY, scenario.model.latency)
    with pytest.raises(InputError, match=r"no request is done when the last one ends, at 0\.1 s"):
        simulate(scenario, latency, seed=1, simulator=simulator)


@given(scenario=scenarios({"kind": "trace", "trace": "drawn"}), table=tables(), trace=traces())
@random_runs
def test_traces(scenario: Scenario, table: LatencyTable, trace: TraceData) -> None:
    assert_equal(*both_runs(scenario, table, trace, seed=1))


@pytest.mark.parametrize("clients", [1, 64, 512])
@pytest.mark.parametrize("name", ["70b-1p2d", "70b-1p5d", "340b-1p2d"])
def test_published_closed_loops_are_equal_to_the_bit(name: str, clients: int) -> None:
    root = paths.ROOT
    scenario = load_scenario(root / paths.SCENARIOS, name)
    scenario = with_fields(scenario, {"workload.clients": clients}, "test")
    table = load_latency(root / paths.LATENCY, scenario.model.latency).table
    reference, compiled = both_runs(scenario, table, None, seed=3, requests=1500)
    for column, values in reference.log.columns().items():
        np.testing.assert_array_equal(values, getattr(compiled.log, column), err_msg=column)
    for field in dataclasses.fields(reference):
        if field.name != "log":
            ours = getattr(compiled, field.name)
            np.testing.assert_array_equal(getattr(reference, field.name), ours, field.name)


@pytest.mark.parametrize("policy", COMPILED_POLICIES)
def test_every_policy_with_more_prompts_than_the_caches_hold(policy: str) -> None:
    root = paths.ROOT
    scenario = load_scenario(root / paths.SCENARIOS, "mooncake-8p8d")
    changes = {
        "router.policy": policy,
        "workload": {
            "kind": "poisson",
            "rate": 60.0,
            "templates": 40,
            "input_tokens": 2000,
            "output_tokens": 30,
            "input_lengths": {"kind": "exponential", "mean_tokens": 1500},
        },
        "engine.cache.capacity_tokens": 40_000,
        "assumptions": {},
    }
    scenario = with_fields(scenario, changes, "test")
    table = load_latency(root / paths.LATENCY, scenario.model.latency).table
    assert_equal(*both_runs(scenario, table, None, seed=1, requests=3000))


def test_a_run_longer_than_any_buffer() -> None:
    """All that the driver supplies runs short several times, and tenants share the streams."""
    root = paths.ROOT
    scenario = load_scenario(root / paths.SCENARIOS, "70b-1p2d-tenants")
    table = load_latency(root / paths.LATENCY, scenario.model.latency).table
    changes = {"router.temperature": 0.5, "workload.clients": 30}
    scenario = with_fields(scenario, changes, "test")
    assert_equal(*both_runs(scenario, table, None, seed=2, requests=3 * CHUNK))


@pytest.mark.parametrize("changes", [{}, {"engine.memory.paged": True}], ids=["plain", "paged"])
def test_more_clients_than_requests_are_supplied_at_a_time(changes: dict[str, Any]) -> None:
    """All of them ask before the first refill."""
    root, clients = paths.ROOT, 40_000
    scenario = load_scenario(root / paths.SCENARIOS, "70b-1p2d-tenants")
    table = load_latency(root / paths.LATENCY, scenario.model.latency).table
    scenario = with_fields(scenario, {"workload.clients": clients, **changes}, "test")
    options = {"seed": 1, "requests": 200, "warmup_cycles": 0.0}
    reference, compiled = both_runs(scenario, table, None, **options)
    assert compiled.log.output_tokens.min() > 0
    assert_equal(reference, compiled)
