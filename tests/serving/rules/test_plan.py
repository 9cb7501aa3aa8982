"""Plans: both simulators follow one, for all requests or some, and what is no plan is refused."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.serving.rules.plan import POLICY, Ints
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.service_times.table import LatencyTable
from anarchy.serving.simulate import simulate
from anarchy.workload.traces import TraceData
from tests.serving.compiled.scenarios import assert_equal, both_runs, scenarios, tables

LATENCY = load_latency(paths.ROOT / paths.LATENCY, "llama31-70b-fp8-tp4-b200-trtllm")
REQUESTS = 60


@pytest.fixture(scope="module")
def deployment() -> Scenario:
    """Two workers of each kind."""
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
    return with_fields(scenario, {"topology.prefill": 2, "workload.clients": 8}, "test")


def drawn(rng: np.random.Generator, rows: int, scenario: Scenario) -> Ints:
    """A plan of which the policy decides a part."""
    topology = scenario.topology
    return rng.integers(POLICY, [topology.prefill, topology.decode], (rows, 2))


@given(scenario=scenarios(), table=tables(), rows=st.integers(0, 80), seed=st.integers(0, 9))
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
def test_both_simulators_follow_a_plan(
    scenario: Scenario, table: LatencyTable, rows: int, seed: int
) -> None:
    plan = drawn(np.random.default_rng(seed), rows, scenario)
    options = {"seed": seed, "requests": REQUESTS, "plan": plan}
    try:
        runs = both_runs(scenario, table, None, **options)
    except InputError:  # the phases are too short for a request
        reject()
    assert_equal(*runs)


@pytest.mark.parametrize("simulator", ["reference", "compiled"])
@pytest.mark.parametrize("policy", ["round-robin", "kv", "join-shortest-queue"])
def test_requests_go_where_the_plan_says(deployment: Scenario, simulator, policy: str) -> None:
    scenario = with_fields(deployment, {"router.policy": policy}, "test")
    plan = np.random.default_rng(1).integers(0, 2, (500, 2))
    options = {"seed": 1, "requests": REQUESTS, "warmup_cycles": 0, "simulator": simulator}
    log = simulate(scenario, LATENCY, plan=plan, **options).log
    sure = len(log) - 8  # before them no request is missing that was not done
    np.testing.assert_array_equal(log.prefill_worker[:sure], plan[:sure, 0])
    np.testing.assert_array_equal(log.decode_worker[:sure], plan[:sure, 1])


def test_a_run_that_is_planned_as_it_was_is_the_same(deployment: Scenario) -> None:
    """Of a trace, whose requests are all done."""
    scenario = with_fields(deployment, {"workload": {"kind": "trace", "trace": "none"}}, "test")
    sizes = np.random.default_rng(2).integers(1, 300, (2, REQUESTS))
    trace = TraceData(np.arange(REQUESTS) * 0.01, *sizes, [()] * REQUESTS, None)
    free = simulate(scenario, LATENCY, seed=3, trace=trace).log
    plan = np.stack([free.prefill_worker, free.decode_worker], axis=1)
    other = with_fields(scenario, {"router.policy": "round-robin"}, "test")
    assert (simulate(other, LATENCY, seed=3, trace=trace).log.done != free.done).any()
    again = simulate(other, LATENCY, seed=3, trace=trace, plan=plan).log
    np.testing.assert_array_equal(again.done, free.done)


@pytest.mark.parametrize(
    ("plan", "fault"),
    [
        (np.array([[0, 2]]), "0 to 1 and 0 to 1"),
        (np.array([[-2, 0]]), "0 to 1 and 0 to 1"),
        (np.array([0, 1]), "rows of two"),
        (np.array([[0.0, 1.0]]), "rows of two"),
    ],
)
def test_what_is_no_plan_is_refused(deployment: Scenario, plan: Ints, fault: str) -> None:
    with pytest.raises(InputError, match=rf"^plan: .*{fault}"):
        simulate(deployment, LATENCY, seed=1, plan=plan)


def test_workers_that_come_and_go_have_no_plan(deployment: Scenario) -> None:
    scenario = with_fields(deployment, {"planner.rule": "load"}, "test")
    with pytest.raises(InputError, match="come and go"):
        simulate(scenario, LATENCY, seed=1, plan=np.zeros((1, 2), np.int64))
