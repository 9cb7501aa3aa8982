"""The router's options in whole simulations: each does what it says, or nothing when it is off."""

from dataclasses import fields

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.config.scenario import Scenario
from anarchy.config.settings import load_scenario
from anarchy.serving.log.request_log import RequestLog
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.plain.decode import DecodeWorker
from anarchy.serving.reference.router.policy import POLICIES
from anarchy.serving.service_times.lookup import Latency, load_latency
from anarchy.serving.simulate import simulate
from anarchy.workload.traces import TraceData
from tests.serving.conftest import changed

TABLE = "llama31-70b-fp8-tp4-b200-trtllm"
POOLS = changed(
    load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d"),
    hardware__gpus=32,
    topology__prefill=3,
    topology__decode=5,
)
CLOSED = changed(POOLS, workload__clients=40)
TRACED = load_scenario(paths.ROOT / paths.SCENARIOS, "mooncake-8p8d")
TWO = changed(TRACED, topology__prefill=2, topology__decode=2, router__ties="first")


def latency() -> Latency:
    return load_latency(paths.ROOT / paths.LATENCY, TABLE)


def closed(scenario: Scenario, requests: int = 300) -> RequestLog:
    return simulate(scenario, latency(), seed=1, requests=requests).log


def traced(scenario: Scenario, *rows: tuple[float, int, int, tuple[int, ...]]) -> RequestLog:
    arrival, inputs, outputs, blocks = zip(*rows, strict=True)
    trace = TraceData(
        np.array(arrival), np.array(inputs), np.array(outputs), list(blocks), block_tokens=512
    )
    return simulate(changed(scenario, workload__rows=len(rows)), latency(), seed=1, trace=trace).log


def equal(first: RequestLog, second: RequestLog) -> bool:
    return all(
        np.array_equal(getattr(first, field.name), getattr(second, field.name))
        for field in fields(RequestLog)
    )


@pytest.mark.parametrize("paged", [False, True])
@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_policy_serves_everybody(name: str, paged: bool) -> None:
    log = closed(changed(CLOSED, router__policy=name, engine__memory__paged=paged))
    assert len(log) >= 300
    assert (log.done > log.arrival).all()
    assert len(set(log.decode_worker)) >= 4, "five templates may hash to less than five workers"
    assert np.isfinite(log.decode_cost).all()


@pytest.mark.parametrize("paged", [False, True])
def test_replicas_that_are_told_at_once_are_one_router(paged: bool) -> None:
    scenario = changed(CLOSED, engine__memory__paged=paged)
    assert equal(closed(scenario), closed(changed(scenario, router__tracking__replicas=4)))


def test_replicas_take_turns_of_their_own() -> None:
    """Two round-robin replicas send requests 0 and 1 to the same first worker."""
    rows = [(float(i), 512, 1, (i,)) for i in range(6)]
    scenario = changed(TWO, router__policy="round-robin")
    assert traced(scenario, *rows).decode_worker.tolist() == [0, 1, 0, 1, 0, 1]
    two = traced(changed(scenario, router__tracking__replicas=2), *rows)
    assert two.decode_worker.tolist() == [0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize("paged", [False, True])
def test_late_replicas_unbalance_the_decode_pool(paged: bool) -> None:
    scenario = changed(CLOSED, router__tracking__replicas=4, engine__memory__paged=paged)
    spreads = []
    for lag in (0.0, 0.3):
        log = closed(changed(scenario, router__tracking__replica_lag=lag), requests=1000)
        spreads.append((log.decode_active.max(axis=1) - log.decode_active.min(axis=1)).mean())
    assert spreads[1] > 2 * spreads[0]


def test_event_lag_keeps_a_finished_request_counted() -> None:
    rows = [(0.0, 512, 1, (1,)), (5.0, 512, 1, (2,))]
    for lag, blocks in ((0.0, [1, 1]), (10.0, [2, 1])):
        log = traced(changed(TWO, router__tracking__event_lag=lag), *rows)
        assert log.decode_cost[1].tolist() == blocks
        assert log.decode_active[1].tolist() == [0, 0], "the log has the truth"


@pytest.mark.parametrize("paged", [False, True])
def test_cache_lag_hides_a_prefix_for_a_while(paged: bool) -> None:
    prompt = tuple(range(4))
    rows = [(at, 2048, 1, prompt) for at in (0.0, 2.0, 6.0)]
    scenario = changed(TWO, engine__memory__paged=paged)
    for lag, seen in ((0.0, [0, 4, 4]), (3.0, [0, 0, 4])):
        log = traced(changed(scenario, router__tracking__cache_lag=lag), *rows)
        blocks = 2048 // scenario.engine.cache.block_tokens if paged else 4
        found = [(blocks - cost[0]) * 4 / blocks for cost in log.prefill_cost]
        assert found == seen
        # What is cached is used all the same if the request happens to come.
        assert (log.cached_tokens > 0).tolist() == [False, True, True]


def test_distinct_blocks_hide_equal_prompts() -> None:
    rows = [(0.1 * i, 2048, 500, tuple(range(4))) for i in range(4)]
    plain = traced(changed(TWO, router__ties="first"), *rows)
    assert sorted(plain.decode_worker) == [0, 0, 1, 1]
    shared = traced(changed(TWO, router__tracking__active_blocks="distinct"), *rows)
    assert shared.decode_worker.tolist() == [0, 0, 0, 0]
    assert shared.decode_cost.tolist() == [[4.0, 4.0]] * 4


@pytest.mark.parametrize("paged", [False, True])
def test_generated_blocks_show_in_the_cost(paged: bool) -> None:
    rows = [(0.0, 2048, 3000, (1, 2, 3, 4)), (9.0, 2048, 1, (5, 6, 7, 8))]
    scenario = changed(TWO, engine__memory__paged=paged)
    size = scenario.engine.cache.block_tokens if paged else 512
    log = traced(changed(scenario, router__tracking__generated_blocks=True), *rows)
    now, made, table = log.decode_start[0], 0, latency()
    while now + (step := table.itl(1, 2048 + made)) <= log.routed[1]:
        now += step
        made += 1
    assert 500 < made < 3000
    whole = 2 * (2048 // size)
    assert log.decode_cost[1].tolist() == [whole + -(-made // size), whole / 2]
    assert traced(scenario, *rows).decode_cost[1].tolist() == [whole, whole / 2]


def test_unknown_decode_worker_is_dear() -> None:
    rows = [(5.0 * i, 512, 1, (i,)) for i in range(4)]
    scenario = changed(TWO, router__tracking__unregistered_penalty=True)
    log = traced(scenario, *rows)
    assert log.decode_worker.tolist() == [0, 0, 0, 0]
    assert log.decode_cost[1].tolist() == [1.0, 2.0]


def test_prefill_blocks_count_if_told_to() -> None:
    rows = [(0.0, 20480, 1, tuple(range(40))), (0.001, 512, 1, (99,))]
    plain = traced(TWO, *rows).prefill_cost[1].tolist()
    counted = traced(changed(TWO, router__prefill_blocks=True), *rows).prefill_cost[1].tolist()
    assert plain == [41.0, 1.0]
    assert counted == [41.0 + 41.0, 1.0 + 1.0]


# Requests held back.


BATCH = changed(TWO, router__policy="batch-assignment", router__window=0.02)


def test_window_holds_requests_until_it_ends() -> None:
    rows = [(0.0, 512, 1, (1,)), (0.01, 512, 1, (2,)), (1.0, 512, 1, (3,))]
    log = traced(BATCH, *rows)
    assert log.prefill_start.tolist() == pytest.approx([0.02, 0.02, 1.02], abs=1e-9)
    assert set(log.prefill_worker[:2].tolist()) == {0, 1}


def test_enough_requests_end_the_wait() -> None:
    rows = [(0.0, 512, 1, (1,)), (0.01, 512, 1, (2,)), (0.015, 512, 1, (3,)), (0.5, 512, 1, (4,))]
    log = traced(changed(BATCH, router__window_requests=2), *rows)
    # The third waits a window of its own, whatever is left of the one that ended early.
    assert log.prefill_start[:2].tolist() == [0.01, 0.01]
    assert log.prefill_start[2] == pytest.approx(0.035)


def test_long_prompts_of_a_batch_go_last() -> None:
    rows = [(0.0, 512 * size, 1, tuple(range(100 * size, 101 * size))) for size in (20, 2, 2, 1)]
    log = traced(changed(BATCH, topology__prefill=2), *rows)
    for worker in (0, 1):
        mine = log.prefill_worker == worker
        order = np.argsort(log.prefill_start[mine])
        assert (np.diff(log.input_tokens[mine][order]) >= 0).all()


def test_each_request_of_a_batch_is_judged_by_its_own_prefix() -> None:
    first, second = tuple(range(20)), tuple(range(50, 70))
    rows = [(0.0, 10240, 1, first), (0.0, 10240, 1, second)]
    rows += [(10.0, 10240, 1, second), (10.0, 10240, 1, first)]
    log = traced(BATCH, *rows)
    assert log.prefill_worker[0] != log.prefill_worker[1]
    assert log.prefill_worker[2:].tolist() == log.prefill_worker[1::-1].tolist()


# What a decode worker says of itself.


def test_outputs_are_those_of_step_by_step_decoding() -> None:
    events, table = EventQueue(), latency()
    worker = DecodeWorker(events, 3, table, lambda request: None, False)
    lengths = (40, 7, 25, 9)
    requests = [Request(i, 3000, length, (), 1) for i, length in enumerate(lengths)]
    for asked in requests:
        worker.submit(asked)
    probes = np.linspace(0.001, 0.35, 60).tolist()
    found: list[dict[int, int]] = []

    def look(_: object) -> None:
        found.append({r.prompt: made for r, made in worker.outputs(events.now)})

    for probe in probes:
        events.timeout(probe).callbacks.append(look)  # type: ignore[union-attr]
    events.run()
    expected: list[dict[int, int]] = []
    running, waiting, now = {0: 0, 1: 0, 2: 0}, [3], 0.0
    left = list(probes)
    while running:
        context = sum(3000 + made for made in running.values()) / len(running)
        now += table.itl(len(running), context)
        while left and left[0] < now:
            expected.append(running | dict.fromkeys(waiting, 0))
            left.pop(0)
        running = {i: made + 1 for i, made in running.items() if made + 1 < lengths[i]}
        if waiting and len(running) < 3:
            running[waiting.pop()] = 0
    expected += [{} for _ in left]
    assert found == expected


def test_clairvoyant_predicts_what_happens_if_nothing_else_comes() -> None:
    rows = [(0.01 * i, 1024, 50 + 37 * i % 90, (2 * i, 2 * i + 1)) for i in range(12)]
    log = traced(changed(TWO, router__policy="clairvoyant"), *rows)
    last = int(np.argmax(log.routed))
    predicted = log.decode_cost[last, log.decode_worker[last]]
    step = latency().itl(12, 1100)
    assert 0 <= log.done[last] - log.routed[last] - predicted < step, "it waits for a boundary"
