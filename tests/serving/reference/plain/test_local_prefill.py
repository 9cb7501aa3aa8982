"""Conditional disaggregation: which prompts stay, and what that costs the others' decoding."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.config.settings import load_scenario
from anarchy.serving.log.request_log import RequestLog
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.plain.local_prefill import LOCAL, PrefillingDecodeWorker
from anarchy.serving.service_times.lookup import Latency, load_latency
from anarchy.serving.simulate import simulate
from tests.serving.conftest import changed

TABLE = "llama31-70b-fp8-tp4-b200-trtllm"
PUBLISHED = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")


def logged(scenario: Scenario, requests: int = 300) -> RequestLog:
    latency = load_latency(paths.ROOT / paths.LATENCY, TABLE)
    return simulate(scenario, latency, seed=1, requests=requests).log


def mixed(below: int) -> Scenario:
    lengths = {"kind": "quantiles", "levels": [0.0, 1.0], "values": [1.0, 2000.0]}
    return changed(
        PUBLISHED,
        engine__local_prefill_below=below,
        workload__input_lengths=lengths,
        workload__clients=16,
    )


def test_prompts_below_the_threshold_stay_and_others_travel() -> None:
    log = logged(mixed(500))
    local = log.prefill_worker == LOCAL
    assert np.array_equal(local, log.input_tokens < 500)
    assert set(local) == {True, False}
    assert (log.routed == log.prefill_end)[local].all(), "no hand-off"
    assert (log.routed - log.prefill_end)[~local].min() >= 0.005
    assert np.array_equal(np.isnan(log.prefill_cost[:, 0]), local)


def test_zero_keeps_no_prompt_and_a_huge_threshold_all() -> None:
    assert (logged(mixed(0)).prefill_worker == 0).all()
    assert (logged(mixed(10**6)).prefill_worker == LOCAL).all()


def test_single_client_by_hand(latency: Latency) -> None:
    scenario = changed(PUBLISHED, workload__clients=1, engine__local_prefill_below=129)
    log = logged(scenario, 40)
    alone = latency.prefill(128)
    assert log.ttft == pytest.approx(alone)
    assert log.done - log.decode_start == pytest.approx(144 * latency.itl(1, 128))
    assert np.array_equal(log.decode_start, log.prefill_end)


def test_cached_tokens_of_decode_workers_count() -> None:
    """With caches there, a prompt is local from the second time on, and is not computed again."""
    scenario = changed(
        PUBLISHED,
        workload__clients=1,
        workload__templates=1,
        topology__decode=1,
        engine__local_prefill_below=10,
        router__decode_overlap=True,
    )
    log = logged(scenario, 40)
    assert log.prefill_worker.tolist()[0] == 0
    assert (log.prefill_worker[1:] == LOCAL).all()
    assert (log.cached_tokens[1:] == 127).all()


def test_a_prefill_stops_the_decoding_of_others(latency: Latency) -> None:
    events = EventQueue()
    done: list[Request] = []
    worker = PrefillingDecodeWorker(events, 8, latency, done.append, first_token_is_step=True)
    first, second = Request(0, 128, 20, (), 2), Request(1, 4000, 20, (), 2)
    first.prefill_worker, second.prefill_worker = 0, LOCAL
    step = latency.itl(1, 128)
    for request, time in ((first, 0.0), (second, 4.5 * step)):
        request.callbacks = (worker.submit,)
        events.at(time, request)
    events.run()
    begin = 5 * step  # the boundary after it came
    end = begin + latency.prefill(4000)
    assert second.prefill_start == pytest.approx(begin)
    assert second.decode_start == second.prefill_end == pytest.approx(end)
    # 15 steps are left of the first and 20 of the second: 15 together, then 5 alone.
    together = sum(latency.itl(2, (133 + 4000) / 2 + i) for i in range(15))
    assert first.done == pytest.approx(end + together)
    assert second.done == pytest.approx(
        end + together + sum(latency.itl(1, 4015 + i) for i in range(5))
    )
    assert second.first_token == pytest.approx(end + latency.itl(2, (133 + 4000) / 2))
    assert worker.busy_until(events.now) == pytest.approx(events.now)


@settings(max_examples=40, deadline=None)
@given(
    below=st.sampled_from([0, 64, 700, 5000]),
    clients=st.integers(1, 40),
    decode=st.integers(1, 3),
    slots=st.integers(1, 12),
    overlap=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_conservation(
    below: int, clients: int, decode: int, slots: int, overlap: bool, seed: int
) -> None:
    scenario = changed(
        mixed(below),
        workload__clients=clients,
        topology__decode=decode,
        engine__decode__slots=slots,
        router__decode_overlap=overlap,
    )
    latency = load_latency(paths.ROOT / paths.LATENCY, TABLE)
    run = simulate(scenario, latency, seed=seed, requests=120)
    log = run.log
    assert run.measured.sum() == 120
    order = ["arrival", "prefill_start", "prefill_end", "routed", "decode_start", "done"]
    for earlier, later in pairwise(order):
        assert (getattr(log, earlier) <= getattr(log, later)).all(), (earlier, later)
    assert (log.cached_tokens < log.input_tokens).all()
    window = run.end - run.start
    assert (run.decode_busy <= window * (1 + 1e-9)).all()
    for worker in range(decode):
        mine = log.decode_worker == worker
        running = (log.decode_start[mine, None] <= log.decode_start[mine]) & (
            log.decode_start[mine] < log.done[mine, None]
        )
        assert mine.sum() == 0 or running.sum(axis=0).max() <= slots


def test_paged_memory_refuses_it() -> None:
    with pytest.raises(InputError, match="'local_prefill_below' above 0 needs"):
        changed(PUBLISHED, engine__local_prefill_below=5, engine__memory__paged=True)
