"""The whole system: conservation, laws of closed networks, determinism, the mechanisms."""

from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.config.settings import load_scenario
from anarchy.serving.log.request_log import RequestLog, Run, read_log, write_log
from anarchy.serving.reference.router.policy import plugins
from anarchy.serving.rules import feasibility
from anarchy.serving.service_times.lookup import Latency, load_latency
from anarchy.serving.simulate import simulate
from anarchy.workload.traces import TraceData
from tests.serving.conftest import changed

LATENCY = paths.ROOT / paths.LATENCY
SCENARIOS = paths.ROOT / paths.SCENARIOS
PUBLISHED = load_scenario(SCENARIOS, "70b-1p2d")
TABLE = "llama31-70b-fp8-tp4-b200-trtllm"


def run(scenario: Scenario, **options: object) -> Run:
    options = {"seed": 1, "requests": 400} | options
    return simulate(scenario, load_latency(LATENCY, TABLE), **options)  # type: ignore[arg-type]


def assert_conserved(log: RequestLog, scenario: Scenario) -> None:
    order = ["arrival", "prefill_start", "prefill_end", "routed", "decode_start", "done"]
    for earlier, later in pairwise(order):
        assert (getattr(log, earlier) <= getattr(log, later)).all(), (earlier, later)
    assert (np.diff(log.arrival) >= 0).all()
    assert (log.cached_tokens < log.input_tokens).all()
    assert (log.cached_tokens >= 0).all()
    assert (log.first_token > log.arrival).all()
    assert set(log.decode_worker) <= set(range(scenario.topology.decode))
    assert set(log.prefill_worker) <= set(range(scenario.topology.prefill))


scenarios = st.builds(
    lambda prefill, decode, clients, output, batch, slots, overhead, temperature, policy, cache: (
        changed(
            PUBLISHED,
            topology__prefill=prefill,
            topology__decode=decode,
            workload__clients=clients,
            workload__output_tokens=output,
            engine__prefill__batch_requests=batch,
            engine__decode__slots=slots,
            engine__handoff__overhead=overhead,
            router__temperature=temperature,
            router__policy=policy,
            engine__cache__enabled=cache,
        )
    ),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 40),
    st.integers(1, 60),
    st.integers(1, 8),
    st.integers(1, 20),
    st.sampled_from([0.0, 0.01]),
    st.sampled_from([0.0, 0.5]),
    st.sampled_from(["kv", "round-robin"]),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(scenario=scenarios, seed=st.integers(0, 2**32))
def test_conservation_over_random_scenarios(scenario: Scenario, seed: int) -> None:
    result = run(scenario, seed=seed, requests=150)
    assert result.measured.sum() == 150
    assert_conserved(result.log, scenario)
    window = result.end - result.start
    for seconds in (result.prefill_busy, result.prefill_work, result.decode_busy):
        assert (seconds >= -1e-9).all()
        assert (seconds <= window * (1 + 1e-9)).all()
    # Every client has at most one request in flight.
    in_flight = np.searchsorted(np.sort(result.log.done), result.log.arrival, side="right")
    assert (np.arange(len(result.log)) - in_flight < scenario.workload.clients).all()  # type: ignore[union-attr]


def test_littles_law_of_the_closed_loop() -> None:
    """Clients = throughput x (end-to-end time + think time), up to the window's edges."""
    scenario = changed(PUBLISHED, workload__clients=80)
    result = run(scenario, requests=20_000)
    throughput = result.measured.sum() / (result.end - result.start)
    cycle = result.log.e2e[result.measured].mean() + 0.002
    assert throughput * cycle == pytest.approx(80, rel=3e-3)


def test_saturated_prefill_gives_its_capacity(latency: Latency) -> None:
    result = run(changed(PUBLISHED, workload__clients=256), requests=8000)
    capacity = 1 / latency.prefill(1)  # the prompts are cached; one token is computed
    throughput = result.measured.sum() / (result.end - result.start)
    assert throughput == pytest.approx(capacity, rel=3e-3)
    assert result.prefill_busy[0] == pytest.approx(result.end - result.start)


def test_work_is_busy_time_without_batching() -> None:
    result = run(changed(PUBLISHED, workload__clients=32))
    assert result.prefill_work == pytest.approx(result.prefill_busy)


def test_work_is_less_than_busy_time_in_partly_filled_steps() -> None:
    result = run(changed(PUBLISHED, workload__clients=32, engine__prefill__batch_requests=8))
    assert result.prefill_work[0] < 0.6 * result.prefill_busy[0]


def test_single_client_meets_an_empty_system(latency: Latency) -> None:
    scenario = changed(PUBLISHED, workload__clients=1, workload__templates=1)
    log = run(scenario, requests=50).log
    size = 128 * scenario.model.kv_bytes_per_token
    handoff = 0.005 + size / 5e10
    expected = latency.prefill(1) + handoff + 144 * latency.itl(1, 128)
    assert log.e2e[1:] == pytest.approx(expected)
    assert log.ttft[1:] == pytest.approx(latency.prefill(1) + handoff)
    assert log.cached_tokens[0] == 0
    assert (log.cached_tokens[1:] == 127).all()


@pytest.mark.parametrize("definition", ["prefill", "handoff", "decode-step"])
def test_definitions_of_the_first_token(definition: str, latency: Latency) -> None:
    scenario = changed(PUBLISHED, workload__clients=1, engine__first_token=definition)
    log = run(scenario, requests=20).log
    expected = {
        "prefill": log.prefill_end,
        "handoff": log.routed,
        "decode-step": log.routed + latency.itl(1, 128),
    }
    assert log.first_token == pytest.approx(expected[definition])


def test_disabled_cache_skips_nothing() -> None:
    log = run(changed(PUBLISHED, engine__cache__enabled=False)).log
    assert (log.cached_tokens == 0).all()


def test_slots_limit_the_batch() -> None:
    scenario = changed(PUBLISHED, engine__decode__slots=3, workload__clients=24)
    log = run(scenario).log
    for worker in (0, 1):
        mine = log.decode_worker == worker
        running = (log.decode_start[mine, None] <= log.decode_start[mine]) & (
            log.decode_start[mine] < log.done[mine, None]
        )
        assert running.sum(axis=0).max() == 3


def test_equal_seeds_equal_runs_and_other_seeds_differ() -> None:
    first, again, other = run(PUBLISHED), run(PUBLISHED), run(PUBLISHED, replication=1)
    for field in fields(RequestLog):
        assert np.array_equal(getattr(first.log, field.name), getattr(again.log, field.name))
    assert not np.array_equal(first.log.arrival[:50], other.log.arrival[:50])


def test_policies_see_the_same_prompts() -> None:
    greedy = run(PUBLISHED).log
    turns = run(changed(PUBLISHED, router__policy="round-robin")).log
    assert np.array_equal(greedy.prompt[:64], turns.prompt[:64])
    assert np.array_equal(greedy.arrival[:64], turns.arrival[:64])


def test_greedy_router_balances_two_workers() -> None:
    log = run(changed(PUBLISHED, workload__clients=128), requests=2000).log
    assert abs(log.decode_active[:, 0] - log.decode_active[:, 1]).max() <= 2


def test_decode_overlap_fills_decode_caches() -> None:
    scenario = changed(PUBLISHED, router__decode_overlap=True)
    log = run(scenario).log
    # A cached worker is cheaper by its two blocks, so costs differ from load alone.
    alone = 2 * log.decode_active + 2
    assert not np.array_equal(log.decode_cost, alone)
    assert np.array_equal(run(PUBLISHED).log.decode_cost, 2 * run(PUBLISHED).log.decode_active + 2)


PLUGIN = """
from anarchy.serving.reference.router.policy import Policy, register


@register("live-state")
class LiveState(Policy):
    def costs(self, view):
        return view.active


@register("too-short")
class TooShort(Policy):
    def costs(self, view):
        return [0.0]
"""


def test_a_policy_may_return_live_state_but_not_too_little(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    with plugins([tmp_path / "mine.py"]):
        log = run(changed(PUBLISHED, router__policy="live-state")).log
        assert np.array_equal(log.decode_cost, log.decode_active), "as it was at the decision"
        with pytest.raises(InputError, match="'too-short' gives 1 costs for 2 decode workers"):
            run(changed(PUBLISHED, router__policy="too-short"))


def trace_of(*rows: tuple[float, int, int, tuple[int, ...]]) -> TraceData:
    arrival, inputs, outputs, blocks = zip(*rows, strict=True)
    return TraceData(
        np.array(arrival), np.array(inputs), np.array(outputs), list(blocks), block_tokens=512
    )


def test_trace_is_replayed_at_its_times_and_speed() -> None:
    trace = trace_of((0.0, 600, 4, (1, 2)), (1.0, 600, 4, (1, 3)), (5.0, 512, 4, (1,)))
    scenario = load_scenario(SCENARIOS, "mooncake-8p8d")
    result = run(changed(scenario, workload__speed=2.0), trace=trace)
    assert result.log.arrival.tolist() == [0.0, 0.5, 2.5]
    assert result.measured.all()
    assert result.log.cached_tokens.tolist() == [0, 512, 511]  # at least one token is computed


def test_simultaneous_arrivals_stay_in_the_order_of_the_trace() -> None:
    """Two runs of a trace must list the same requests, or they cannot be paired."""
    trace = trace_of(*[(0.0, 512 * (9 - i), 1 + i, tuple(range(9 - i))) for i in range(8)])
    scenario = load_scenario(SCENARIOS, "mooncake-8p8d")
    for policy in ("kv", "round-robin"):
        log = run(changed(scenario, router__policy=policy), trace=trace).log
        assert log.prompt.tolist() == list(range(8))


def test_poisson_arrivals_have_their_rate() -> None:
    scenario = changed(
        PUBLISHED,
        assumptions={},
        workload={"kind": "poisson", "rate": 20.0, "input_tokens": 128, "output_tokens": 8},
    )
    log = run(scenario, requests=5000).log
    gaps = np.diff(log.arrival)
    assert gaps.mean() == pytest.approx(1 / 20, abs=4 / 20 / np.sqrt(len(gaps)))


def test_an_open_workload_whose_backlog_only_grows_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feasibility, "MOST_REQUESTS", 2000)
    poisson = {"kind": "poisson", "input_tokens": 128, "output_tokens": 8, "rate": 1e5}
    scenario = changed(PUBLISHED, assumptions={}, workload=poisson)
    for simulator in ("reference", "compiled"):
        with pytest.raises(InputError, match="workload: more than 2,000 requests wait") as fault:
            run(scenario, simulator=simulator)
        assert "\n" not in str(fault.value)
    assert len(run(changed(scenario, workload__rate=20.0), simulator="reference").log) >= 400
    out = [{"pool": "decode", "worker": worker, "at": 1.0, "until": 1e8} for worker in (0, 1)]
    for memory in (False, True):
        stuck = changed(scenario, workload__rate=20.0, outages=out, engine__memory__paged=memory)
        with pytest.raises(InputError, match="more than 2,000 requests wait or run after"):
            run(stuck)


def test_log_survives_parquet(tmp_path: object) -> None:
    log = run(PUBLISHED, requests=50).log
    path = f"{tmp_path}/log.parquet"
    write_log(path, log)
    again = read_log(path)
    for field in fields(RequestLog):
        assert np.array_equal(getattr(log, field.name), getattr(again, field.name)), field.name


def test_an_unknown_simulator_is_refused(published: Scenario, latency: Latency) -> None:
    with pytest.raises(InputError, match=r"^unknown simulator 'simpy'; .*reference"):
        simulate(published, latency, seed=1, requests=10, simulator="simpy")  # type: ignore[arg-type]
