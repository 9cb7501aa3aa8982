"""The planner: its rules by hand, and what the system makes of its decisions."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Planner, Scenario
from anarchy.config.settings import load_scenario
from anarchy.serving.log.request_log import RequestLog, Run
from anarchy.serving.reference.elastic import autoscaled
from anarchy.serving.reference.elastic.planner import (
    LoadRule,
    Means,
    Observed,
    Sizes,
    SlaRule,
    within_step,
)
from anarchy.serving.reference.plain.engine import PlainEngine
from anarchy.serving.reference.system import System
from anarchy.serving.service_times.lookup import Latency, load_latency
from anarchy.serving.simulate import prepare, simulate
from tests.sandbox import inputs
from tests.serving.conftest import changed
from tests.serving.reference.elastic.test_failures import assert_conserved, outage

TABLE = "llama31-70b-fp8-tp4-b200-trtllm"
PUBLISHED = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
CALM = Observed(30.0, 0, None, kv_load=0.7, batch=1.0, queue=1.0)
FAST = {"interval": 1.0, "sampling": 0.1, "startup": 0.5}


def run(scenario: Scenario, **options: object) -> Run:
    options = {"seed": 1, "requests": 400} | options
    return simulate(scenario, load_latency(paths.ROOT / paths.LATENCY, TABLE), **options)  # type: ignore[arg-type]


# Rules.


@pytest.mark.parametrize(
    ("queue", "kv_load", "expected"),
    [
        (1.0, 0.7, (2, 3)),
        (5.0, 0.9, (2, 3)),  # at a threshold nothing happens
        (5.1, 0.7, (3, 3)),
        (0.1, 0.7, (1, 3)),
        (1.0, 0.91, (2, 4)),
        (1.0, 0.49, (2, 2)),
        (6.0, 0.1, (3, 2)),
    ],
)
def test_load_rule_by_hand(queue: float, kv_load: float, expected: tuple[int, int]) -> None:
    observed = replace(CALM, queue=queue, kv_load=kv_load)
    assert LoadRule(Planner(rule="load")).target(observed, Sizes(2, 3), 9) == Sizes(*expected)


def sla(latency: Latency, **values: object) -> tuple[SlaRule, Scenario]:
    scenario = changed(PUBLISHED, planner={"rule": "sla", **values})
    return SlaRule(scenario, latency), scenario


def as_expected(latency: Latency, inputs: int, outputs: int, batch: int) -> Means:
    """Latencies that are just what the table says, so that nothing is corrected."""
    handoff = 0.005 + inputs * PUBLISHED.model.kv_bytes_per_token / 5e10
    return Means(
        inputs, outputs, latency.prefill(inputs) + handoff, latency.itl(batch, inputs + outputs / 2)
    )


def test_sla_rule_by_hand(latency: Latency) -> None:
    rule, scenario = sla(latency, itl=0.01)
    done = as_expected(latency, 4000, 200, 10)
    observed = replace(CALM, arrived=3000, done=done, batch=10.0)
    # 100 requests a second: the prompts' seconds a second, and the tokens a second over what one
    # worker makes in the largest batch that keeps 10 ms.
    prefill = math.ceil(100 * latency.prefill(4000))
    batch = max(
        b for b in range(1, scenario.engine.decode.slots + 1) if latency.itl(b, 4100) <= 0.01
    )
    decode = math.ceil(100 * 200 / (batch / latency.itl(batch, 4100)))
    assert rule.target(observed, Sizes(1, 1), 1000) == Sizes(prefill, decode)
    assert prefill > 5
    assert decode > 2


def test_sla_correction_of_prefill_works_downwards_only(latency: Latency) -> None:
    done = as_expected(latency, 4000, 200, 10)
    observed = replace(CALM, arrived=3000, batch=10.0)
    targets = {}
    for factor in (0.25, 1.0, 4.0):
        rule, _ = sla(latency)
        met = replace(observed, done=replace(done, ttft=factor * done.ttft))
        targets[factor] = rule.target(met, Sizes(1, 1), 1000).prefill
    assert targets[0.25] == math.ceil(100 * latency.prefill(4000) * 0.25)
    assert targets[4.0] == targets[1.0]


def test_sla_correction_of_decode_tightens_the_target(latency: Latency) -> None:
    done = as_expected(latency, 4000, 200, 10)
    observed = replace(CALM, arrived=3000, batch=10.0)
    rule, _ = sla(latency, itl=0.016)
    slow = rule.target(replace(observed, done=replace(done, itl=2 * done.itl)), Sizes(1, 1), 1000)
    tight, _ = sla(latency, itl=0.008)
    assert slow.decode == tight.target(replace(observed, done=done), Sizes(1, 1), 1000).decode


def test_sla_beyond_the_budget_is_shared_in_proportion(latency: Latency) -> None:
    rule, _ = sla(latency)
    done = as_expected(latency, 4000, 200, 10)
    observed = replace(CALM, arrived=30_000, done=done, batch=10.0)
    wanted = rule.target(observed, Sizes(1, 1), 10_000)
    rule, _ = sla(latency)
    granted = rule.target(observed, Sizes(1, 1), 10)
    assert granted.prefill + granted.decode == 10
    share = wanted.prefill / (wanted.prefill + wanted.decode)
    assert abs(granted.prefill - 10 * share) <= 0.5


def test_sla_stays_before_anything_is_done(latency: Latency) -> None:
    rule, _ = sla(latency)
    assert rule.target(replace(CALM, arrived=50), Sizes(2, 3), 9) == Sizes(2, 3)


@given(
    target=st.builds(Sizes, st.integers(-5, 30), st.integers(-5, 30)),
    now=st.builds(Sizes, st.integers(1, 20), st.integers(1, 20)),
    step=st.integers(1, 5),
)
def test_steps_are_small_and_towards_the_target(target: Sizes, now: Sizes, step: int) -> None:
    found = within_step(target, now, step)
    for pool in ("prefill", "decode"):
        new, old, goal = (getattr(sizes, pool) for sizes in (found, now, target))
        assert new >= 1
        assert abs(new - old) <= step
        assert abs(new - max(1, goal)) <= abs(old - max(1, goal))


# The system.


def test_a_planner_that_never_decides_changes_nothing() -> None:
    scenario = changed(PUBLISHED, topology__prefill=2)
    plain = run(scenario).log
    planned = run(changed(scenario, planner={"rule": "load", "interval": 1e6})).log
    for column in ("arrival", "prefill_end", "routed", "done", "decode_worker", "cached_tokens"):
        assert np.array_equal(getattr(plain, column), getattr(planned, column)), column


def test_idle_pools_shrink_step_by_step_to_one_worker() -> None:
    scenario = changed(
        PUBLISHED,
        topology={"prefill": 2, "decode": 4},
        workload__clients=1,
        planner=FAST | {"rule": "load"},
    )
    pools = run(scenario).pools
    assert pools is not None
    assert pools.prefill.tolist()[:2] == [2, 1]
    assert pools.decode.tolist()[:4] == [4, 3, 2, 1]
    assert pools.time[1] == pytest.approx(1.0)
    assert (np.diff(pools.decided_at) > 0).all()
    assert pools.prefill.min() == pools.decode.min() == 1


def test_a_new_worker_serves_after_its_start_up() -> None:
    scenario = changed(
        PUBLISHED,
        workload__clients=200,
        engine__cache__enabled=False,
        planner=FAST | {"rule": "load", "kv_down": 0.0, "startup": 0.75},
    )
    found = run(scenario, requests=2000)
    assert found.pools is not None
    assert found.pools.wanted_prefill[0] == 2, "nearly all 200 wait for the only prefill worker"
    assert found.pools.time[1] == pytest.approx(1.0 + 0.75)
    assert found.pools.prefill[1] == 2
    second = found.log.prefill_start[found.log.prefill_worker == 1]
    assert second.min() >= 1.75
    assert second.min() < 2.0


def leaving(log: RequestLog, time: float) -> int:
    """The only decode worker to which no request is sent any more."""
    gone = set(log.decode_worker[log.routed < time]) - set(log.decode_worker[log.routed > time])
    assert len(gone) == 1
    return int(gone.pop())


def test_a_decode_worker_becomes_a_prefill_worker_after_drain_and_start_up() -> None:
    """All GPUs are in use, prefill is short of workers and decode has too many."""
    scenario = changed(
        PUBLISHED,
        hardware__gpus=12,
        workload__clients=200,
        engine__cache__enabled=False,
        planner=FAST | {"rule": "load", "startup": 0.5, "drain": 0.25},
    )
    found = run(scenario, requests=1500)
    pools, log = found.pools, found.log
    assert pools is not None
    assert (pools.prefill + pools.decode).max() == 3
    assert (pools.prefill[-1], pools.decode[-1]) == (2, 1)
    left = pools.time[1]
    assert left == pytest.approx(1.0)
    last = log.done[log.decode_worker == leaving(log, 1.0)].max()
    assert last > left, "it finishes what it has"
    assert pools.time[2] == pytest.approx(last + 0.25 + 0.5)
    assert pools.wanted_prefill.max() == 3, "one more than there are, and none is counted twice"


def test_a_worker_that_fails_as_it_leaves_frees_its_gpus_once() -> None:
    scenario = changed(
        PUBLISHED,
        hardware__gpus=12,
        workload__clients=200,
        engine__cache__enabled=False,
        planner=FAST | {"rule": "load", "startup": 0.1, "drain": 1.5},
    )
    log = run(scenario, requests=2000).log
    left = leaving(log, 1.0)
    last = log.done[log.decode_worker == left].max()
    failing = changed(scenario, outages=[outage("decode", left, last + 0.2, last + 9.0)])
    found = run(failing, requests=2000)
    pools = found.pools
    assert pools is not None
    assert found.restarts == 0, "it had finished all that it had"
    assert pools.time[2] == pytest.approx(last + 0.2 + 0.1), "before its drain time is over"
    assert (pools.prefill + pools.decode).max() == 3
    assert pools.wanted_prefill.max() == 3


def test_a_worker_that_has_left_holds_nothing() -> None:
    scenario = changed(
        PUBLISHED,
        topology={"prefill": 3, "decode": 2},
        workload__clients=12,
        router__temperature=2.0,  # so that all workers get some prompts
        router__decode_overlap=True,
        planner=FAST | {"rule": "load"},
    )
    latency = load_latency(paths.ROOT / paths.LATENCY, TABLE)
    system = prepare(scenario, latency, seed=1, requests=600)
    pools = system.run().pools
    assert pools is not None
    assert (pools.prefill[-1], pools.decode[-1]) == (1, 1)
    assert isinstance(system, System)
    assert isinstance(system.engine, PlainEngine)
    for caches in system.engine.caches.values():
        assert caches is not None
        assert sorted(caches.held.sizes())[-2:] == [0, 10], (
            "5 prompts of 2 blocks on the one that stays"
        )


@pytest.mark.parametrize("paged", [False, True])
def test_a_planner_that_waits_for_ever_ends_the_run(
    paged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All decode workers are down for years, so that no client gets an answer."""
    monkeypatch.setattr(autoscaled, "MOST_IDLE_SAMPLES", 1000)
    scenario = changed(
        PUBLISHED,
        hardware__gpus=12,  # none to spare for others
        planner=FAST | {"rule": "load"},
        engine__memory__paged=paged,
        outages=[outage("decode", worker, 0.5, 1e8) for worker in (0, 1)],
    )
    with pytest.raises(InputError, match="nothing has arrived or been done for 100 s"):
        run(scenario)
    back = [outage("decode", worker, 0.5, 50.0) for worker in (0, 1)]
    assert run(changed(scenario, outages=back)).restarts > 0


def test_sla_planner_follows_a_load_step() -> None:
    """Few requests, then many: the pools grow to what the table says the load needs."""
    scenario = changed(
        PUBLISHED,
        assumptions={},
        hardware__gpus=64,
        topology={"prefill": 1, "decode": 1},
        engine__cache__enabled=False,
        workload={
            "kind": "phases",
            "input_tokens": 2000,
            "output_tokens": 100,
            "phases": [{"duration": 20, "rate": 2}, {"duration": 60, "rate": 50}],
        },
        planner=FAST | {"rule": "sla", "itl": 0.01, "interval": 2.0},
    )
    found = run(scenario, requests=2200)
    pools = found.pools
    assert pools is not None
    latency = load_latency(paths.ROOT / paths.LATENCY, TABLE)
    needed = math.ceil(50 * latency.prefill(2000))
    before = pools.prefill[pools.time < 20].max()
    assert before == 1
    assert abs(pools.prefill[-1] - needed) <= 1
    assert needed >= 3
    assert pools.time[np.argmax(pools.prefill > 1)] > 20


@pytest.mark.random
@inputs(0.3)
@given(
    prefill=st.integers(1, 3),
    decode=st.integers(1, 3),
    spare=st.integers(0, 2),
    clients=st.integers(1, 60),
    rule=st.sampled_from(["load", "sla"]),
    step=st.integers(1, 3),
    interval=st.sampled_from([0.05, 0.3, 1.0]),
    startup=st.sampled_from([0.0, 0.2]),
    drain=st.sampled_from([0.0, 0.1]),
    queue_up=st.sampled_from([0.5, 5.0]),
    kv_down=st.sampled_from([0.0, 0.002]),
    policy=st.sampled_from(
        ["kv", "kv-1.6", "round-robin", "batch-assignment", "two-choice-hashing"]
    ),
    fails=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_conservation(
    prefill: int,
    decode: int,
    spare: int,
    clients: int,
    rule: str,
    step: int,
    interval: float,
    startup: float,
    drain: float,
    queue_up: float,
    kv_down: float,
    policy: str,
    fails: bool,
    seed: int,
) -> None:
    workers = prefill + decode + spare
    scenario = changed(
        PUBLISHED,
        hardware={"gpus": 4 * workers, "gpus_per_worker": 4},
        topology={"prefill": prefill, "decode": decode},
        workload__clients=clients,
        router__policy=policy,
        planner={
            "rule": rule,
            "interval": interval,
            "sampling": 0.04,
            "step": step,
            "startup": startup,
            "drain": drain,
            "queue_up": queue_up,
            "kv_down": kv_down,
            "kv_up": 0.01,
            "itl": 0.0075,
        },
        outages=[
            outage("decode", 0, 0.5, 1.0),
            outage("prefill", 0, 0.6, 0.8),
            outage("prefill", 0, 1.3, 1.4),
        ]
        if fails
        else [],
    )
    found = run(scenario, seed=seed, requests=200)
    assert found.measured.sum() == 200
    assert_conserved(found.log, clients)
    pools = found.pools
    assert pools is not None
    assert (pools.prefill + pools.decode <= workers).all(), "the budget holds"
    assert (pools.wanted_prefill >= 1).all()
    assert (pools.wanted_decode >= 1).all()
    if not fails:
        assert found.restarts == 0, "leaving workers finish what they have"
        assert pools.prefill.min() >= 1
        assert pools.decode.min() >= 1
        assert_only_workers_in_service_are_taken(found, policy != "batch-assignment")


def assert_only_workers_in_service_are_taken(found: Run, at_once: bool) -> None:
    """A router prices the workers in service, no others, and takes one of them."""
    log, pools = found.log, found.pools
    assert pools is not None
    for costs, worker, time, sizes in (
        (log.prefill_cost, log.prefill_worker, log.arrival, pools.prefill),
        (log.decode_cost, log.decode_worker, log.routed, pools.decode),
    ):
        seen = np.isfinite(costs)
        assert np.take_along_axis(seen, worker[:, None], axis=1).all()
        if at_once:
            between = ~np.isin(time, pools.time)
            size = sizes[np.searchsorted(pools.time, time, side="right") - 1]
            assert np.array_equal(seen.sum(axis=1)[between], size[between])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"planner": {"rule": "load", "kv_down": 0.95}}, "kv_down .0.95. must not be above kv_up"),
        ({"planner": {"rule": "magic"}}, "planner.rule: input should be 'none', 'load' or 'sla'"),
    ],
)
def test_bad_planners_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(PUBLISHED, **values)
