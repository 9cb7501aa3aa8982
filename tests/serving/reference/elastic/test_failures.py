"""Failures: what is lost begins anew, nothing is lost for good, and the worker returns empty."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.config.settings import load_scenario
from anarchy.serving.log.request_log import RequestLog, Run
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate
from tests.sandbox import inputs
from tests.serving.conftest import changed

TABLE = "llama31-70b-fp8-tp4-b200-trtllm"
PUBLISHED = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
COLUMNS = ["arrival", "prefill_start", "prefill_end", "routed", "decode_start", "done"]


def run(scenario: Scenario, **options: object) -> Run:
    options = {"seed": 1, "requests": 400} | options
    return simulate(scenario, load_latency(paths.ROOT / paths.LATENCY, TABLE), **options)  # type: ignore[arg-type]


def outage(pool: str, worker: int, at: float, until: float) -> dict[str, object]:
    return {"pool": pool, "worker": worker, "at": at, "until": until}


def assert_conserved(log: RequestLog, clients: int) -> None:
    for earlier, later in pairwise(COLUMNS):
        assert (getattr(log, earlier) <= getattr(log, later)).all(), (earlier, later)
    assert (np.diff(log.arrival) >= 0).all()
    # A client sends its next request only when the last is done: none is lost or served twice.
    in_flight = np.searchsorted(np.sort(log.done), log.arrival, side="right")
    assert (np.arange(len(log)) - in_flight < clients).all()


two_by_two = changed(PUBLISHED, topology__prefill=2, topology__decode=2, workload__clients=40)


def test_an_outage_after_the_end_changes_nothing() -> None:
    plain = run(two_by_two)
    late = run(changed(two_by_two, outages=[outage("decode", 0, 1e6, 2e6)]))
    for column in [*COLUMNS, "prefill_worker", "decode_worker", "cached_tokens", "decode_cost"]:
        assert np.array_equal(getattr(plain.log, column), getattr(late.log, column)), column
    assert late.restarts == 0
    assert late.pools is not None
    assert late.pools.decode.tolist() == [2]


@pytest.mark.parametrize("pool", ["prefill", "decode"])
def test_a_failed_worker_serves_nobody_until_it_returns(pool: str) -> None:
    # Without caches, because prompts would stay where theirs are.
    scenario = changed(two_by_two, engine__cache__enabled=False, workload__clients=200)
    found = run(changed(scenario, outages=[outage(pool, 1, 2.0, 4.0)]), requests=2000)
    log = found.log
    start, end = (
        (log.prefill_start, log.prefill_end) if pool == "prefill" else (log.routed, log.done)
    )
    mine = (log.prefill_worker if pool == "prefill" else log.decode_worker) == 1
    assert not ((start < 4.0) & (end > 2.0))[mine].any()
    assert (start[mine] < 2.0).any()
    assert (start[mine] >= 4.0).any()
    assert found.restarts > 0
    assert found.pools is not None
    sizes = found.pools.prefill if pool == "prefill" else found.pools.decode
    assert found.pools.time.tolist() == [0.0, 2.0, 4.0]
    assert sizes.tolist() == [2, 1, 2]
    costs = log.prefill_cost if pool == "prefill" else log.decode_cost
    decided = log.arrival if pool == "prefill" else log.routed
    away = (decided >= 2.0) & (decided < 4.0)
    if pool == "decode":  # a prompt lost in prefill was priced again after its arrival
        assert np.isinf(costs[away, 1]).all()
    assert np.isfinite(costs[:, 0]).all()


def test_requests_of_a_failed_decode_worker_are_prefilled_again() -> None:
    found = run(changed(two_by_two, outages=[outage("decode", 1, 2.0, 4.0)]), requests=1000)
    log = found.log
    again = (log.arrival < 2.0) & (log.prefill_start >= 2.0) & (log.prefill_end < 2.5)
    assert again.sum() >= found.restarts > 10


@pytest.mark.parametrize("pool", ["prefill", "decode"])
def test_requests_wait_while_the_only_worker_is_down(pool: str) -> None:
    scenario = changed(
        PUBLISHED,
        topology__decode=1,
        workload__clients=8,
        outages=[outage(pool, 0, 1.0, 3.0)],
    )
    found = run(scenario, requests=200)
    assert_conserved(found.log, 8)
    start = found.log.prefill_start if pool == "prefill" else found.log.decode_start
    assert not ((start >= 1.0) & (start < 3.0)).any()
    assert (start >= 3.0).any()


def test_a_worker_returns_with_an_empty_cache() -> None:
    scenario = changed(PUBLISHED, workload__templates=1, outages=[outage("prefill", 0, 2.0, 2.5)])
    log = run(scenario).log
    cold = np.flatnonzero(log.cached_tokens == 0)
    assert len(cold) == 2, "the first prompt, and the first one after the return"
    assert log.prefill_start[cold[1]] >= 2.5


def test_a_transfer_from_a_failed_worker_is_lost() -> None:
    """One client, a hand-off of a second: prefill fails in it, and the prompt starts again."""
    scenario = changed(
        PUBLISHED,
        workload__clients=1,
        engine__handoff__overhead=1.0,
        outages=[outage("prefill", 0, 2.0, 2.1)],
    )
    found = run(scenario, requests=10)
    log = found.log
    assert found.restarts == 1
    hit = np.flatnonzero((log.arrival < 2.0) & (log.routed > 2.0))
    assert len(hit) == 1
    assert log.prefill_start[hit[0]] == pytest.approx(2.1)


@pytest.mark.parametrize(
    ("failing", "handoff"),
    [(["decode"], 0.005), (["prefill"], 0.005), (["prefill"], 1.0), (["prefill", "decode"], 1.0)],
)
def test_routers_forget_what_was_lost(failing: list[str], handoff: float) -> None:
    """A single client meets empty accounts, whatever its last request went through."""
    times = [2.0, 5.0, 8.0, 11.0, 14.0]
    scenario = changed(
        PUBLISHED,
        topology__prefill=2,
        workload__clients=1,
        workload__input_tokens=6400,  # 100 blocks, and long enough to be hit in prefill
        engine__cache__enabled=False,
        engine__handoff={"overhead": handoff, "bandwidth": None},
        outages=[
            outage(pool, worker, at, at + 0.5)
            for pool in failing
            for worker in (0, 1)
            for at in times
        ],
    )
    found = run(scenario, requests=30)
    assert found.restarts >= 4
    assert (found.log.decode_active == 0).all()
    for costs in (found.log.prefill_cost, found.log.decode_cost):
        assert set(costs[np.isfinite(costs)]) == {100.0}


@pytest.mark.parametrize("pool", ["prefill", "decode"])
def test_work_done_before_a_failure_still_counts(pool: str) -> None:
    scenario = changed(PUBLISHED, topology__decode=1, outages=[outage(pool, 0, 5.0, 5.1)])
    found = run(scenario, requests=1000, warmup_cycles=0.0)
    log = found.log
    if pool == "prefill":
        assert found.prefill_busy[0] >= (log.prefill_end - log.prefill_start).sum() - 1e-9
        assert found.prefill_work[0] == pytest.approx(found.prefill_busy[0])
    else:
        assert found.decode_busy[0] > 0.9 * (log.done.max() - log.decode_start.min())


@pytest.mark.random
@inputs(0.3)
@given(
    prefill=st.integers(1, 3),
    decode=st.integers(1, 3),
    clients=st.integers(1, 40),
    times=st.lists(
        st.tuples(
            st.sampled_from(["prefill", "decode"]),
            st.integers(0, 2),
            st.floats(0, 4),
            st.floats(0.01, 2),
        ),
        max_size=6,
    ),
    link=st.sampled_from(["none", "fifo", "fair"]),
    scope=st.sampled_from(["worker", "cluster"]),
    policy=st.sampled_from(["kv", "kv-1.6", "batch-assignment", "random"]),
    local=st.sampled_from([0, 1000]),
    overlap=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_conservation(
    prefill: int,
    decode: int,
    clients: int,
    times: list[tuple[str, int, float, float]],
    link: str,
    scope: str,
    policy: str,
    local: int,
    overlap: bool,
    seed: int,
) -> None:
    sizes, free, outages = {"prefill": prefill, "decode": decode}, {}, []
    for pool, number, at, duration in sorted(times, key=lambda item: item[2]):
        worker = (pool, number % sizes[pool])
        if at >= free.get(worker, 0.0):
            free[worker] = at + duration
            outages.append(outage(*worker, at, at + duration))
    lengths = {"kind": "quantiles", "levels": [0.0, 1.0], "values": [1.0, 4000.0]}
    scenario = changed(
        PUBLISHED,
        topology={"prefill": prefill, "decode": decode},
        workload__clients=clients,
        workload__input_lengths=lengths,
        engine__handoff={"overhead": 0.01, "bandwidth": 1e9, "link": link, "scope": scope},
        engine__local_prefill_below=local,
        router__policy=policy,
        router__decode_overlap=overlap,
        outages=outages,
    )
    found = run(scenario, seed=seed, requests=150)
    assert found.measured.sum() == 150
    assert_conserved(found.log, clients)
    window = found.end - found.start
    for seconds in (found.prefill_busy, found.prefill_work, found.decode_busy):
        assert (seconds >= -1e-9).all()
        assert (seconds <= window * (1 + 1e-9)).all()


def test_equal_seeds_equal_runs() -> None:
    scenario = changed(two_by_two, outages=[outage("decode", 1, 1.0, 2.0)])
    first, again = run(scenario), run(scenario)
    assert np.array_equal(first.log.done, again.log.done)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"outages": [outage("decode", 2, 0.0, 1.0)]},
            "decode worker 2 is unknown; allowed: 0 to 1",
        ),
        ({"outages": [outage("decode", 0, 2.0, 1.0)]}, r"'until' \(1.0\) must be later than 'at'"),
        (
            {"outages": [outage("decode", 0, 0.0, 5.0), outage("decode", 0, 4.0, 6.0)]},
            "decode worker 0 fails at 4.0 while it is down",
        ),
    ],
)
def test_bad_outages_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(PUBLISHED, **values)
