"""Tiered caches against a brute-force model, the laws of their policies, what fetching costs."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.engine import Prefill, PrefixCache
from anarchy.config.scenario import Scenario
from anarchy.serving.log.request_log import read_log, write_log
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.kv_cache.eviction import (
    MOST_FREQUENT,
    SPARE_ENTRIES,
    Decay,
    FrequencyStore,
    RecencyStore,
)
from anarchy.serving.reference.kv_cache.prefix_index import PrefixCaches
from anarchy.serving.reference.kv_cache.stale_view import PoolCaches
from anarchy.serving.reference.kv_cache.tiers import (
    DEVICE,
    DISK,
    HOST,
    NETWORK,
    PRIVATE,
    TIERS,
    TieredCaches,
    make_caches,
)
from anarchy.serving.reference.plain.engine import PlainEngine
from anarchy.serving.reference.plain.local_prefill import LOCAL
from anarchy.serving.reference.plain.prefill import PrefillWorker
from anarchy.serving.reference.system import System
from anarchy.serving.service_times.lookup import Latency, load_latency
from anarchy.serving.simulate import prepare
from tests.serving.conftest import changed

INTERVAL = 10.0


@dataclass
class Time:
    """A events that a test sets."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def config(*blocks: int, block_tokens: int = 1, **fields: Any) -> PrefixCache:
    """A cache of so many blocks in G1, G2, G3, G4, without a filter unless it is asked for."""
    sizes = [count * block_tokens for count in blocks] + [0] * (TIERS - len(blocks))
    lower = {
        name: {"capacity_tokens": size, **fields.pop(name, {})}
        for name, size in zip(("host", "disk", "network"), sizes[1:], strict=True)
    }
    given = {"disk_frequency": 0, "decay_interval": INTERVAL, "capacity_tokens": sizes[0]}
    return PrefixCache.model_validate(given | lower | fields)


def caches(workers: int, *blocks: int, time: Time | None = None, **fields: Any) -> TieredCaches:
    return TieredCaches(workers, config(*blocks, **fields), 1, 1, time or Time())


@dataclass
class NaiveStore:
    """Blocks in order of use with their frequencies, all of which are lowered at every step."""

    capacity: int
    by_frequency: bool
    held: list[int] = field(default_factory=list)
    frequency: dict[int, int] = field(default_factory=dict)

    def put(self, block: int, frequency: int) -> None:
        self.held.append(block)
        self.frequency[block] = frequency

    def take(self, block: int) -> int:
        self.held.remove(block)
        return self.frequency.pop(block)

    def evict(self) -> tuple[int, int]:
        rank = self.frequency.__getitem__ if self.by_frequency else lambda _: 0
        block = min(self.held, key=rank)  # the first of equals, the least recent
        return block, self.take(block)


class Naive:
    """The rules word by word."""

    def __init__(self, workers: int, sizes: list[int], by_frequency: bool, least: int) -> None:
        self.own = [[NaiveStore(size, by_frequency) for size in sizes[:3]] for _ in range(workers)]
        self.network = NaiveStore(sizes[3], by_frequency)
        self.least = least

    def decay(self) -> None:
        for store in [self.network, *(store for stores in self.own for store in stores)]:
            store.frequency = {b: max(0, f - 1) for b, f in store.frequency.items()}

    def tier(self, worker: int, block: int) -> int | None:
        for tier, store in enumerate([*self.own[worker], self.network]):
            if block in store.held:
                return tier
        return None

    def insert(self, worker: int, blocks: list[int]) -> None:
        own = self.own[worker]
        for block in reversed(blocks):
            tier = self.tier(worker, block)
            frequency = 1
            if tier is not None:
                frequency = max(1, 2 * [*own, self.network][tier].take(block))
            if tier == NETWORK:
                self.network.put(block, frequency)
            own[DEVICE].put(block, frequency)
        while len(own[DEVICE].held) > own[DEVICE].capacity:
            self.push(worker, DEVICE, *own[DEVICE].evict())

    def push(self, worker: int, tier: int, block: int, frequency: int) -> None:
        stores = [*self.own[worker], self.network]
        for below in range(tier + 1, TIERS):
            store = stores[below]
            if not store.capacity or (below == DISK and frequency < self.least):
                continue
            if block in store.held:
                frequency = max(frequency, store.take(block))
            store.put(block, frequency)
            if len(store.held) > store.capacity:
                self.push(worker, below, *store.evict())
            return

    def prefix(self, worker: int, blocks: list[int]) -> list[int]:
        """The tiers of the leading blocks that are in any."""
        found = []
        for block in blocks:
            tier = self.tier(worker, block)
            if tier is None:
                break
            found.append(tier)
        return found


prompts = st.lists(st.integers(0, 12), min_size=0, max_size=6, unique=True)
evictions = st.sampled_from(["lru", "frequency"])
steps = st.tuples(st.integers(0, 2), prompts, st.integers(0, 2))


@given(
    workers=st.integers(1, 3),
    device=st.integers(1, 4),
    lower=st.lists(st.integers(0, 4), min_size=3, max_size=3),
    eviction=evictions,
    least=st.integers(0, 3),
    steps=st.lists(steps, max_size=30),
    probe=prompts,
)
def test_equals_the_naive_model(
    workers: int,
    device: int,
    lower: list[int],
    eviction: str,
    least: int,
    steps: list[tuple[int, list[int], int]],
    probe: list[int],
) -> None:
    time, sizes = Time(), [device, *lower]
    tiered = caches(workers, *sizes, time=time, eviction=eviction, disk_frequency=least)
    naive = Naive(workers, sizes, eviction == "frequency", least)
    for worker, blocks, decays in steps:
        for _ in range(decays):
            time.now += INTERVAL
            naive.decay()
        tiered.insert(worker % workers, blocks)
        naive.insert(worker % workers, blocks)
    prefixes = [naive.prefix(worker, probe) for worker in range(workers)]
    assert tiered.overlaps_by_tier(probe) == [
        [prefix.count(tier) for prefix in prefixes] for tier in range(TIERS)
    ]
    own = [[*prefix, NETWORK].index(NETWORK) for prefix in prefixes]
    assert tiered.overlaps(probe) == own
    assert [tiered.overlap(worker, probe) for worker in range(workers)] == own
    for worker, prefix in enumerate(prefixes):
        counts = tuple(prefix.count(tier) for tier in range(TIERS))
        assert tiered.hits(worker, probe, len(probe))[-1].by_tier == counts
    assert tiered.sizes() == [sum(len(store.held) for store in own) for own in naive.own]


@given(
    device=st.integers(1, 4),
    lower=st.lists(st.integers(0, 4), min_size=3, max_size=3),
    eviction=evictions,
    least=st.integers(0, 2),
    steps=st.lists(steps, max_size=30),
)
def test_blocks_are_conserved_within_capacities_and_in_one_private_tier(
    device: int,
    lower: list[int],
    eviction: str,
    least: int,
    steps: list[tuple[int, list[int], int]],
) -> None:
    time, workers, sizes = Time(), 3, [device, *lower]
    tiered = caches(workers, *sizes, time=time, eviction=eviction, disk_frequency=least)
    for worker, blocks, decays in steps:
        time.now += decays * INTERVAL
        tiered.insert(worker, blocks)
        found = [tiered.overlaps_by_tier([block]) for block in range(13)]
        assert all(sum(f[tier][0] for tier in range(TIERS)) <= 1 for f in found)
        held = [[sum(f[tier][w] for f in found) for w in range(workers)] for tier in PRIVATE]
        for tier in PRIVATE:
            assert max(held[tier]) <= sizes[tier]
            assert sum(held[tier]) == tiered.entered[tier] - tiered.left[tier]
        own = [sum(held[tier][w] for tier in PRIVATE) for w in range(workers)]
        assert tiered.sizes() == own
        assert 0 <= tiered.entered[NETWORK] - tiered.left[NETWORK] <= sizes[NETWORK]


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    prompts=st.lists(prompts, max_size=30),
)
def test_the_private_tiers_are_one_lru_cache(sizes: list[int], prompts: list[list[int]]) -> None:
    tiered, whole = caches(1, *sizes), PrefixCaches(1, sum(sizes))
    for blocks in prompts:
        assert tiered.overlap(0, blocks) == whole.overlap(0, blocks)
        tiered.insert(0, blocks)
        whole.insert(0, blocks)
    assert all(tiered.overlap(0, [b]) == whole.overlap(0, [b]) for b in range(13))


@given(
    size=st.integers(1, 6),
    eviction=evictions,
    paths=st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=4), max_size=30),
    decays=st.lists(st.integers(0, 2), min_size=30, max_size=30),
)
def test_what_stays_in_hbm_is_whole_prefixes(
    size: int, eviction: str, paths: list[list[int]], decays: list[int]
) -> None:
    time = Time()
    tiered = caches(1, size, time=time, eviction=eviction)
    names: dict[tuple[int, ...], int] = {}
    for path, steps in zip(paths, decays, strict=False):
        time.now += steps * INTERVAL
        prefixes = [tuple(path[: depth + 1]) for depth in range(len(path))]
        tiered.insert(0, [names.setdefault(prefix, len(names)) for prefix in prefixes])
        for prefix, block in names.items():
            if len(prefix) > 1 and tiered.overlap(0, [block]):
                assert tiered.overlap(0, [names[prefix[:-1]]])


def after_a_scan(eviction: str) -> int:
    """Whether block 0, used three times, survives a scan of new blocks."""
    tiered = caches(1, 3, eviction=eviction)
    for _ in range(3):
        tiered.insert(0, [0])
    for block in range(1, 10):
        tiered.insert(0, [block])
    return tiered.overlap(0, [0])


def test_frequency_keeps_a_hot_block_that_lru_loses_under_a_scan() -> None:
    assert after_a_scan("lru") == 0
    assert after_a_scan("frequency") == 1


def test_a_frequency_starts_at_one_doubles_and_loses_one_per_step() -> None:
    time = Time()
    decay = Decay(INTERVAL, time)
    expiry = decay.first()
    assert decay.frequency(expiry) == 1
    for expected in (2, 4, 8):
        expiry = decay.hit(expiry)
        assert decay.frequency(expiry) == expected
    for expected in (7, 6, 5):
        time.now += INTERVAL
        assert decay.frequency(expiry) == expected
    time.now += 100 * INTERVAL
    assert decay.frequency(expiry) == 0
    assert decay.frequency(decay.hit(expiry)) == 1


def test_doubling_stops() -> None:
    decay = Decay(INTERVAL, Time())
    expiry = decay.first()
    for _ in range(100):
        expiry = decay.hit(expiry)
    assert decay.frequency(expiry) == MOST_FREQUENT


def test_a_hot_block_that_is_no_longer_used_decays_and_goes() -> None:
    time = Time()
    tiered = caches(1, 2, time=time, eviction="frequency")
    for _ in range(3):
        tiered.insert(0, [0])  # frequency 4
    tiered.insert(0, [1])
    tiered.insert(0, [2])
    assert tiered.overlap(0, [0]) == 1
    time.now = 5 * INTERVAL
    tiered.insert(0, [3])  # 0 and the least frequent blocks are equal now, and 0 is the oldest
    assert tiered.overlap(0, [0]) == 0


def test_outdated_entries_do_not_pile_up() -> None:
    store = FrequencyStore(1, Decay(INTERVAL, Time()))
    for use in range(1000):
        store.put(0, use)
        assert len(store._frequent) + len(store._faded) <= 2 + SPARE_ENTRIES
        store.take(0)


@pytest.mark.parametrize("store", [RecencyStore(1), FrequencyStore(1, Decay(INTERVAL, Time()))])
def test_a_store_knows_what_it_holds(store: RecencyStore | FrequencyStore) -> None:
    store.put(7, 3)
    assert 7 in store
    assert 8 not in store
    assert len(store) == 1
    assert store.evict() == (7, 3)
    assert len(store) == 0


def test_blocks_used_once_are_not_written_to_disk_and_pass_it_by() -> None:
    tiered = caches(1, 1, 1, 5, 5, disk_frequency=2)
    tiered.insert(0, [1])
    tiered.insert(0, [1])  # frequency 2
    for block in (2, 3, 4):
        tiered.insert(0, [block])
    assert [row[0] for row in tiered.overlaps_by_tier([1])] == [0, 0, 1, 0]
    assert [row[0] for row in tiered.overlaps_by_tier([2])] == [0, 0, 0, 1]
    assert tiered.entered[DISK] == 1


def test_without_a_network_refused_blocks_are_dropped() -> None:
    tiered = caches(1, 1, 1, 5, disk_frequency=2)
    for block in (1, 2, 3):
        tiered.insert(0, [block])
    assert tiered.entered[DISK] == 0
    assert tiered.overlap(0, [1]) == 0


def test_the_network_is_shared_and_keeps_what_is_fetched() -> None:
    tiered = caches(2, 1, 0, 0, 5)
    tiered.insert(0, [1])
    tiered.insert(0, [2])
    assert tiered.overlaps_by_tier([1])[NETWORK] == [1, 1]
    assert tiered.overlaps([1]) == [0, 0]  # no worker of its own holds it
    tiered.insert(1, [1])
    assert tiered.overlaps_by_tier([1]) == [[0, 1], [0, 0], [0, 0], [1, 0]]


def test_overlap_goes_on_behind_a_block_of_the_network() -> None:
    tiered = caches(1, 2, 0, 0, 5)
    tiered.insert(0, [1])
    tiered.insert(0, [2])
    tiered.insert(0, [3])
    assert tiered.overlaps_by_tier([1, 2, 3]) == [[2], [0], [0], [1]]
    assert tiered.overlaps([1, 2, 3]) == [0]


# What fetching costs.

LATENCY, BANDWIDTH, BLOCK_TOKENS, BLOCK_BYTES = 0.25, 1024.0, 64, 256
SERVICE = load_latency(paths.ROOT / paths.LATENCY, "llama31-70b-fp8-tp4-b200-trtllm")
SLOW = {"latency": LATENCY, "bandwidth": BANDWIDTH}


def last_step(service: Latency, prompt: list[int], earlier: list[list[int]], **fields: Any) -> Any:
    """Prefill the earlier prompts one by one, then the last one: its request and step time."""
    events = EventQueue()
    cache = config(2, 2, 2, 20, block_tokens=BLOCK_TOKENS, **fields)
    make = partial(make_caches, 1, cache, BLOCK_TOKENS, BLOCK_BYTES, False)
    tiered = PoolCaches(make, events, 0.0)
    done: list[Request] = []
    most_taken = partial(cache.most_taken, block_tokens=BLOCK_TOKENS)
    worker = PrefillWorker(
        0, events, Prefill(), service, tiered, BLOCK_TOKENS, most_taken, done.append
    )
    for row, blocks in enumerate([*earlier, prompt]):
        worker.submit(Request(row, len(blocks) * BLOCK_TOKENS + 10, 1, blocks, len(blocks) + 1))
        events.run()
    return done[-1], worker.duration, tiered.held


@pytest.mark.parametrize(("evicted", "tier"), [(2, HOST), (4, DISK), (6, NETWORK)])
def test_a_hit_costs_latency_and_bytes_over_bandwidth(
    latency: Latency, evicted: int, tier: int
) -> None:
    name = ("", "host", "disk", "network")[tier]
    filler = [[100 + block] for block in range(evicted)]
    request, seconds, tiered = last_step(latency, [1, 2], [[1, 2], *filler], **{name: SLOW})
    assert request.cached_tokens == 2 * BLOCK_TOKENS
    assert seconds == LATENCY + 2 * BLOCK_BYTES / BANDWIDTH + latency.prefill(10)
    assert tiered.reused_tokens[tier] == 2 * BLOCK_TOKENS
    assert sum(tiered.reused_tokens) == 2 * BLOCK_TOKENS


def test_each_tier_of_a_prompt_costs_its_own_latency(latency: Latency) -> None:
    earlier = [[1, 2], [101], [102], [103]]  # 2 is one tier further down than 1
    fields = {"host": SLOW, "disk": {"latency": 1.0, "bandwidth": None}}
    request, seconds, _ = last_step(latency, [1, 2], earlier, **fields)
    assert request.cached_tokens == 2 * BLOCK_TOKENS
    assert seconds == LATENCY + BLOCK_BYTES / BANDWIDTH + 1.0 + latency.prefill(10)


def test_a_hit_in_hbm_costs_nothing(latency: Latency) -> None:
    _, seconds, _ = last_step(latency, [1, 2], [[1, 2]], host=SLOW)
    assert seconds == latency.prefill(10)


def test_parallel_onboarding_hides_the_shorter_of_the_two(latency: Latency) -> None:
    earlier = [[1, 2], [101], [102]]
    fetching = LATENCY + 2 * BLOCK_BYTES / BANDWIDTH
    _, seconds, _ = last_step(latency, [1, 2], earlier, host=SLOW, onboarding="parallel")
    assert seconds == max(fetching, latency.prefill(10)) == fetching
    _, seconds, _ = last_step(latency, [1, 2], earlier, host={}, onboarding="parallel")
    assert seconds == latency.prefill(10)


def test_a_slow_tier_is_computed_anew(latency: Latency) -> None:
    earlier = [[1, 2], [101], [102]]
    request, seconds, tiered = last_step(latency, [1, 2], earlier, host=SLOW, recompute=True)
    assert request.cached_tokens == 0
    assert seconds == latency.prefill(2 * BLOCK_TOKENS + 10)
    assert tiered.reused_tokens == [0, 0, 0, 0]
    assert [row[0] for row in tiered.overlaps_by_tier([1, 2])] == [2, 0, 0, 0]


def test_a_fast_tier_is_fetched(latency: Latency) -> None:
    earlier = [[1, 2], [101], [102]]
    request, seconds, _ = last_step(latency, [1, 2], earlier, recompute=True)
    assert request.cached_tokens == 2 * BLOCK_TOKENS
    assert seconds == latency.prefill(10)


def test_decisions_are_no_look_ups_beyond_the_table(latency: Latency) -> None:
    blocks = list(range(3000))  # twice the table's longest prompt
    for recompute in (False, True):
        before = latency.extrapolated
        last_step(latency, [0, 1], [blocks], host=SLOW, recompute=recompute)
        assert latency.extrapolated == before + 1


@given(
    block_seconds=st.floats(1e-6, 0.02),
    seconds=st.floats(0, 0.02),
    earlier=st.lists(prompts, max_size=6),
    prompt=prompts,
    onboarding=st.sampled_from(["serial", "parallel"]),
)
def test_recomputing_never_makes_a_step_longer(
    block_seconds: float,
    seconds: float,
    earlier: list[list[int]],
    prompt: list[int],
    onboarding: str,
) -> None:
    slow = {"latency": seconds, "bandwidth": BLOCK_BYTES / block_seconds}
    fields = {"host": slow, "disk": slow, "network": slow, "onboarding": onboarding}
    fetched = last_step(SERVICE, prompt, earlier, **fields)[1]
    best = last_step(SERVICE, prompt, earlier, **fields, recompute=True)[1]
    assert best <= fetched
    assert best <= SERVICE.prefill(len(prompt) * BLOCK_TOKENS + 10)


# In the system.


def test_only_other_than_one_lru_tier_needs_tiered_caches() -> None:
    def tiered(cache: PrefixCache, device_only: bool) -> bool:
        return make_caches(1, cache, 1, 1, device_only, Time()).tiered

    assert not tiered(PrefixCache(), False)
    assert tiered(config(1, eviction="frequency"), True)
    assert tiered(config(1, 1), False)
    assert not tiered(config(1, 1), True)


@pytest.mark.parametrize("decode_overlap", [False, True])
@pytest.mark.parametrize("lag", [0.0, 0.5])
@pytest.mark.parametrize("eviction", ["lru", "frequency"])
def test_reuse_by_tier_adds_up_to_the_log(
    published: Scenario, latency: Latency, decode_overlap: bool, lag: float, eviction: str
) -> None:
    scenario = changed(
        published,
        workload__clients=8,
        workload__templates=9,
        topology__prefill=2,
        engine__cache__capacity_tokens=128,
        engine__cache__eviction=eviction,
        engine__cache__host__capacity_tokens=128,
        engine__cache__network__capacity_tokens=1280,
        router__decode_overlap=decode_overlap,
        router__tracking__cache_lag=lag,
    )
    system = prepare(scenario, latency, seed=1, requests=300, simulator="reference")
    log = system.run().log
    assert isinstance(system, System)
    assert isinstance(system.engine, PlainEngine)
    caches = system.engine.caches["prefill"]
    assert caches is not None
    found = caches.held
    assert isinstance(found, TieredCaches)
    assert 0 < log.cached_tokens.sum() <= sum(found.reused_tokens)
    waiting = sum(found.reused_tokens) - log.cached_tokens.sum()
    assert waiting <= 8 * scenario.workload.input_tokens  # prompts that were not done at the end
    assert found.reused_tokens[NETWORK] > 0
    assert log.cached_by_tier is not None
    assert (log.cached_by_tier.sum(axis=1) == log.cached_tokens).all()
    by_tier = [int(log.cached_in(tier).sum()) for tier in range(TIERS)]
    assert all(done <= all_ for done, all_ in zip(by_tier, found.reused_tokens, strict=True))
    assert by_tier[NETWORK] > 0


def test_caches_without_tiers_are_in_hbm(published: Scenario, latency: Latency) -> None:
    log = prepare(changed(published, workload__clients=8), latency, seed=1, requests=200).run().log
    assert log.cached_by_tier is None
    assert (log.cached_in(DEVICE) == log.cached_tokens).all()
    assert log.cached_tokens.sum() > 0
    for tier in (HOST, DISK, NETWORK):
        assert not log.cached_in(tier).any()


def test_what_decode_workers_had_cached_came_from_hbm(
    published: Scenario, latency: Latency
) -> None:
    scenario = changed(
        published,
        workload__clients=8,
        engine__cache__host__capacity_tokens=512,
        engine__local_prefill_below=100,
        router__decode_overlap=True,
    )
    log = prepare(scenario, latency, seed=1, requests=200).run().log
    local = log.prefill_worker == LOCAL
    assert 0 < local.sum() < len(log)
    assert log.cached_tokens[local].sum() > 0
    assert (log.cached_in(DEVICE)[local] == log.cached_tokens[local]).all()
    assert log.cached_by_tier is not None
    assert (log.cached_by_tier.sum(axis=1) == log.cached_tokens).all()


@pytest.mark.parametrize("host", [0, 512])
def test_a_log_is_read_as_it_was_written(
    tmp_path: Path, published: Scenario, latency: Latency, host: int
) -> None:
    scenario = changed(published, engine__cache__host__capacity_tokens=host)
    log = prepare(scenario, latency, seed=1, requests=50).run().log
    write_log(tmp_path / "log.parquet", log)
    again = read_log(tmp_path / "log.parquet")
    assert again.columns().keys() == log.columns().keys()
    assert ("cached_by_tier" in log.columns()) == bool(host)
    for name, values in log.columns().items():
        assert np.array_equal(again.columns()[name], values, equal_nan=True)
        assert again.columns()[name].dtype == values.dtype


def test_tiers_of_nothing_change_nothing(published: Scenario, latency: Latency) -> None:
    plain = changed(published, workload__clients=8, engine__cache__capacity_tokens=256)
    other = changed(plain, engine__cache__disk__latency=5.0, engine__cache__recompute=True)
    runs = [prepare(s, latency, seed=1, requests=200).run() for s in (plain, other)]
    assert (runs[0].log.done == runs[1].log.done).all()


def test_routers_hear_of_tiers_late_and_then_the_truth() -> None:
    events = EventQueue()
    cache = config(1, 1, 0, 1, eviction="frequency")
    pool = PoolCaches(partial(make_caches, 2, cache, 1, 1, False), events, 3.0)
    truth, seen = pool.held, pool.seen
    assert truth is not seen
    assert truth.tiered
    assert seen.tiered
    for block in (1, 2, 3):
        pool.insert(0, [block])
    assert seen.overlaps_by_tier([3]) == [[0, 0]] * TIERS
    assert seen.sizes() == [0, 0]
    events.run(until=3.5)
    for block in (1, 2, 3):
        assert seen.overlaps([block]) == truth.overlaps([block])
        assert seen.overlaps_by_tier([block]) == truth.overlaps_by_tier([block])
    assert seen.sizes() == truth.sizes() == [2, 0]


@pytest.mark.parametrize(
    ("field", "value"),
    [("eviction", "fifo"), ("decay_interval", 0), ("host.bandwidth", 0), ("disk_frequency", -1)],
)
def test_nonsense_is_refused(published: Scenario, field: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"engine.cache.{field}"):
        changed(published, **{f"engine__cache__{field.replace('.', '__')}": value})
