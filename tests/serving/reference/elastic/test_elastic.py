"""Workers that come and go, with every kind of cache: what they lose, and that all accounts agree.

Little's law is checked on what the system itself counts against what its log says.
"""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.config.engine import PrefixCache
from anarchy.config.scenario import Scenario
from anarchy.config.settings import load_scenario
from anarchy.serving.log.request_log import Run
from anarchy.serving.reference.core.event_queue import EventQueue, Timer
from anarchy.serving.reference.kv_cache.prefix_index import PrefixIndex
from anarchy.serving.reference.kv_cache.stale_view import CacheView, PoolCaches, StaleView
from anarchy.serving.reference.kv_cache.tiers import (
    DEVICE,
    NETWORK,
    PRIVATE,
    TIERS,
    TieredCaches,
    make_caches,
)
from anarchy.serving.reference.system import System
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import prepare
from anarchy.workload.traces import TraceData
from tests.sandbox import inputs
from tests.serving.audit import audited
from tests.serving.conftest import changed
from tests.serving.reference.elastic.test_failures import outage
from tests.serving.reference.elastic.test_paged_elastic import FAILURES, TRACKING, schedule

PUBLISHED = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
LATENCY = load_latency(paths.ROOT / paths.LATENCY, "llama31-70b-fp8-tp4-b200-trtllm")
BLOCK = 64
LAG = 2.0

# What a cache loses, and when routers hear of it.

INSERTIONS = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.integers(0, 12), unique=True, max_size=6)), max_size=20
)


def four_tiers(eviction: str = "lru") -> PrefixCache:
    sizes = {name: {"capacity_tokens": 3} for name in ("host", "disk", "network")}
    return PrefixCache.model_validate(
        {"capacity_tokens": 3, "eviction": eviction, "disk_frequency": 0, **sizes}
    )


def made(kind: str, events: EventQueue, lag: float) -> PoolCaches:
    """Caches of three workers and what routers see of them."""
    cache = PrefixCache(capacity_tokens=4) if kind == "plain" else four_tiers(kind)
    return PoolCaches(partial(make_caches, 3, cache, 1, 1, False), events, lag)


def contents(caches: CacheView) -> list[list[list[int]]]:
    """Of every block, where each worker would take it from."""
    return [caches.overlaps_by_tier([block]) for block in range(13)]


@pytest.mark.parametrize("kind", ["plain", "lru", "frequency"])
@given(before=INSERTIONS, after=INSERTIONS, worker=st.integers(0, 2))
def test_a_cleared_worker_has_nothing_and_the_others_what_they_had(
    kind: str,
    before: list[tuple[int, list[int]]],
    after: list[tuple[int, list[int]]],
    worker: int,
) -> None:
    caches = made(kind, EventQueue(), 0.0).held
    assert caches.tiered == (kind != "plain")
    for other, blocks in before:
        caches.insert(other, blocks)
    held = contents(caches)
    caches.clear(worker)
    for had, has in zip(held, contents(caches), strict=True):
        shared = NETWORK if kind != "plain" else None
        for tier, (then, now) in enumerate(zip(had, has, strict=True)):
            if tier != shared:
                assert now == [0 if place == worker else count for place, count in enumerate(then)]
    assert caches.sizes()[worker] == 0
    if isinstance(caches, TieredCaches):
        stored = [has[NETWORK][worker] for has in contents(caches)]
        assert sum(stored) == caches.entered[NETWORK] - caches.left[NETWORK], "G4 lost nothing"
    for other, blocks in after:  # and it goes on like any other
        caches.insert(other, blocks)
        if blocks and kind != "frequency":  # which may drop a new block before an old one
            assert caches.overlap(other, blocks[:1]) == 1
    if isinstance(caches, TieredCaches):
        for tier in PRIVATE:
            found = sum(sum(has[tier]) for has in contents(caches))
            assert found == caches.entered[tier] - caches.left[tier]


@pytest.mark.parametrize("kind", ["plain", "lru", "frequency"])
@given(before=INSERTIONS, after=INSERTIONS, worker=st.integers(0, 2))
def test_routers_hear_of_a_loss_as_late_as_of_anything(
    kind: str,
    before: list[tuple[int, list[int]]],
    after: list[tuple[int, list[int]]],
    worker: int,
) -> None:
    """What they see is always the truth of `LAG` seconds ago, the common store included."""
    events = EventQueue()
    caches = made(kind, events, LAG)
    truths: dict[float, list[list[list[int]]]] = {}
    changes = [*before, None, *after]

    def change(number: int) -> None:
        event = changes[number]
        if event is None:
            caches.clear(worker)
        else:
            caches.insert(*event)
        truths[events.now] = contents(caches.held)

    def compare(number: int) -> None:
        assert contents(caches.seen) == truths[number]

    for number in range(len(changes)):
        Timer(events, number, lambda number=number: change(number), 0)  # type: ignore[misc]
        Timer(events, number + LAG, lambda number=number: compare(number), 1)  # type: ignore[misc]
    events.run()


@given(lag=st.sampled_from([0.0, LAG]), names=st.lists(st.integers(0, 9), unique=True))
def test_an_index_is_cleared_of_one_worker(lag: float, names: list[int]) -> None:
    events = EventQueue()
    index = StaleView(lambda _: PrefixIndex(2), events, lag) if lag else PrefixIndex(2)
    for name in names:
        index.store(0, name)
        index.store(1, name)
    index.clear(0)
    index.store(0, 77)
    Timer(events, lag, lambda: None, 0)
    events.run()
    assert [index.overlaps([name]) for name in names] == [[0, 1]] * len(names)
    assert index.overlaps([77]) == [1, 0]
    assert index.sizes() == [1, len(names)]


# The system.


def replayed(
    scenario: Scenario, rows: list[tuple[float, int, int, tuple[int, ...]]], times: list[float]
) -> tuple[Run, list[int]]:
    arrival, prompts, outputs, blocks = map(list, zip(*rows, strict=True))
    trace = TraceData(np.array(arrival), np.array(prompts), np.array(outputs), blocks, BLOCK)
    workload = {"kind": "trace", "trace": "rows", "rows": len(rows)}
    given = changed(scenario, assumptions={}, workload=workload)
    return audited(given, LATENCY, times, seed=1, trace=trace)


def load(count: int, rate: float, seed: int) -> list[tuple[float, int, int, tuple[int, ...]]]:
    """Poisson arrivals of prompts that share their beginnings, 6 topics of up to 40 blocks."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(1 / rate, count))
    rows = []
    for time in times:
        topic, size, output = rng.integers(6), int(rng.integers(1, 41)), int(rng.integers(1, 120))
        names = tuple(int(100 * topic + k) for k in range(size))
        rows.append((float(time), BLOCK * size, output, names))
    return rows


TIERED = {
    "capacity_tokens": 30 * BLOCK,
    "host": {"capacity_tokens": 40 * BLOCK, "bandwidth": 5e10, "latency": 1e-4},
    "disk": {"capacity_tokens": 60 * BLOCK, "bandwidth": 5e9, "latency": 1e-3},
    "network": {"capacity_tokens": 80 * BLOCK, "bandwidth": 1e10, "latency": 1e-3},
}
CACHES = {
    "plain": {"capacity_tokens": 60 * BLOCK},
    "frequency": {"capacity_tokens": 60 * BLOCK, "eviction": "frequency"},
    "tiers": TIERED,
    "tiers-frequency": TIERED | {"eviction": "frequency", "recompute": True},
}
PLANNER = {"rule": "load", "interval": 0.3, "sampling": 0.05, "startup": 0.1, "queue_up": 0.5}


@pytest.mark.random
@inputs(0.4)
@given(
    failures=FAILURES,
    prefill=st.integers(1, 3),
    decode=st.integers(1, 3),
    cache=st.sampled_from(sorted(CACHES)),
    lag=st.sampled_from([0.0, 0.05, 0.7]),
    tracking=st.sampled_from(TRACKING),
    policy=st.sampled_from(["kv", "kv-1.6", "batch-assignment", "round-robin"]),
    link=st.sampled_from(["none", "fifo", "fair"]),
    local=st.sampled_from([0, 700]),
    planner=st.sampled_from([{}, PLANNER | {"kv_down": 0.0}, PLANNER | {"rule": "sla"}]),
    slow=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_all_accounts_agree(
    failures: list[tuple[str, int, float, float]],
    prefill: int,
    decode: int,
    cache: str,
    lag: float,
    tracking: dict[str, object],
    policy: str,
    link: str,
    local: int,
    planner: dict[str, object],
    slow: bool,
    seed: int,
) -> None:
    topology: dict[str, object] = {"prefill": prefill, "decode": decode}
    if slow:
        topology |= {"prefill_speed": [0.5] * prefill, "decode_speed": [1.0, 0.7, 2.0][:decode]}
    outages = schedule(failures, {"prefill": prefill, "decode": decode})
    scenario = changed(
        PUBLISHED,
        hardware__gpus=28,
        topology=topology,
        engine__cache=CACHES[cache],
        engine__handoff={"overhead": 0.002, "bandwidth": 2e10, "link": link},
        engine__local_prefill_below=local,
        router__policy=policy,
        router__decode_overlap=True,
        router__tracking={"cache_lag": lag, **tracking},
        planner=planner,
        outages=outages or [outage("decode", 0, 1e6, 2e6)],
    )
    times = np.arange(0.0, 3.0, 0.0171).tolist()
    found, _ = replayed(scenario, load(60, 40.0, seed), times)
    assert len(found.log) == 60
    if not outages:
        assert found.restarts == 0


@pytest.mark.parametrize("cache", ["plain", "tiers-frequency"])
def test_littles_law_holds_through_failures(cache: str) -> None:
    """Requests in the system, as it counts them, are arrivals per second by mean sojourn."""
    rows = load(400, 40.0, 5)
    outages = [
        outage("prefill", 0, 2.0, 3.0),
        outage("decode", 1, 4.0, 5.5),
        outage("prefill", 1, 6.0, 6.2),
    ]
    scenario = changed(
        PUBLISHED,
        hardware__gpus=16,
        topology={"prefill": 2, "decode": 2},
        engine__cache=CACHES[cache],
        router__tracking={"cache_lag": 0.05},
        outages=outages,
    )
    step = 0.005
    found, counts = replayed(scenario, rows, np.arange(step / 2, 20.0, step).tolist())
    log = found.log
    assert found.restarts > 5
    rate, sojourn = len(log) / log.done.max(), (log.done - log.arrival).mean()
    assert len(counts) == pytest.approx(log.done.max() / step, abs=1), "until the last is done"
    assert np.mean(counts) == pytest.approx(rate * sojourn, rel=0.01)


@pytest.mark.parametrize("tier", ["host", "disk", "network"])
def test_only_the_common_store_outlives_a_worker(tier: str) -> None:
    """One block in HBM, so that all blocks of a prompt lie in the tier below after the next."""
    cache = {
        "capacity_tokens": BLOCK,
        "disk_frequency": 0,
        tier: {"capacity_tokens": 100 * BLOCK},
    }
    blocks = tuple(range(10))
    rows = [
        (0.0, 11 * BLOCK, 1, blocks),
        (1.0, 11 * BLOCK, 1, blocks),
        (1.5, 11 * BLOCK, 1, tuple(range(100, 110))),
        (3.0, 11 * BLOCK, 1, blocks),
    ]
    scenario = changed(PUBLISHED, engine__cache=cache, outages=[outage("prefill", 0, 2.0, 2.5)])
    cached = (replayed(scenario, rows, [])[0].log.cached_tokens // BLOCK).tolist()
    assert cached == [0, 10, 0, 10 if tier == "network" else 0]


@pytest.mark.parametrize("lag", [0.0, 2.0])
def test_a_router_believes_in_a_lost_cache_until_it_hears_of_the_loss(lag: float) -> None:
    """Worker 0 had the prompt; the third request sees its overlap, or the truth."""
    blocks = tuple(range(40))
    prompt = (41 * BLOCK, 1, blocks)
    rows = [(0.0, *prompt), (5.0, *prompt), (6.1, *prompt)]
    scenario = changed(
        PUBLISHED,
        topology__prefill=2,
        router__ties="first",
        router__tracking={"cache_lag": lag},
        outages=[outage("prefill", 0, 6.0, 6.05)],
    )
    log = replayed(scenario, rows, [])[0].log
    assert log.prefill_worker.tolist() == [0, 0, 0]
    assert log.cached_tokens.tolist() == [0, 40 * BLOCK, 0]
    believed = log.prefill_cost[2, 1] - log.prefill_cost[2, 0]
    assert believed == (40 if lag else 0)


def test_a_worker_that_the_planner_starts_has_the_speed_of_its_place() -> None:
    scenario = changed(
        PUBLISHED,
        hardware__gpus=16,
        topology={"prefill": 2, "decode": 1, "prefill_speed": [0.5, 2.0]},
        planner={"rule": "load"},
    )
    system = prepare(scenario, LATENCY, seed=1, requests=10)
    assert isinstance(system, System)
    nominal = LATENCY.prefill(1000)
    for _ in range(2):
        seconds = [worker._latency.prefill(1000) for worker in system.engine.workers["prefill"]]
        assert seconds == pytest.approx([2 * nominal, nominal / 2, nominal])
        for place in range(3):
            system.engine.replace("prefill", place)


def test_a_planner_with_tiers_moves_workers_and_keeps_the_common_store() -> None:
    """Prefill workers that leave take their caches with them; what G4 holds is found by others."""
    scenario = changed(
        PUBLISHED,
        hardware__gpus=16,
        topology={"prefill": 3, "decode": 1},
        engine__cache=TIERED,
        router__policy="round-robin",
        planner=PLANNER | {"kv_down": 0.0, "queue_up": 5.0, "queue_down": 1.0},
    )
    found, _ = replayed(scenario, load(120, 20.0, 3), [])
    assert found.pools is not None
    assert (found.pools.prefill[0], found.pools.prefill.min()) == (3, 1)
    assert found.restarts == 0
    assert found.log.cached_in(NETWORK).sum() > 0
    assert found.log.cached_in(DEVICE).sum() > 0
    assert len(found.log.cached_by_tier[0]) == TIERS  # type: ignore[index]
