"""Prefix caches over four tiers: G1 HBM, G2 host memory, G3 local disk, G4 network storage.

G1 to G3 belong to one worker and a block is in at most one of them. What a prompt used is in G1
afterwards, wherever it was found; what no longer fits there moves to the next tier that exists,
and so on down. G4 is one store for all workers of the pool: a block fetched from it stays there.
Only blocks of a least frequency are written to G3, and the others pass it by.

Moving down costs no time, because it happens beside the computation. Moving up does: fetching the
blocks of one prompt from one tier takes that tier's latency + bytes / bandwidth, tier after tier.
Transfers of different workers do not slow each other down.

Under LRU without the filter the private tiers are together one LRU cache of their total capacity:
each takes the block that the one above gives up as its most recent one.

Source: the tiers, the ways from G2 to both G3 and G4, the frequency and its filter are those of
NVIDIA Dynamo's KV block manager. It copies a block down when the block is complete; here blocks
move when they are evicted, so that the capacities add up, as in the exclusive caches of Wong and
Wilkes (USENIX ATC 2002).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from anarchy.config.engine import PrefixCache
from anarchy.serving.reference.kv_cache.eviction import Decay, FrequencyStore, RecencyStore, Store
from anarchy.serving.reference.kv_cache.prefix_index import BlockCaches, PrefixCaches

DEVICE, HOST, DISK, NETWORK = range(4)
TIERS = 4
PRIVATE = (DEVICE, HOST, DISK)


class Hit(NamedTuple):
    """A leading part of a prompt that need not be computed."""

    tokens: int
    seconds: float  # to fetch what is not in G1
    by_tier: tuple[int, ...]  # the tokens in G1 to G4


NO_HIT = Hit(0, 0.0, (0,) * TIERS)


class TieredCaches(BlockCaches):
    """The caches of `workers` workers; all changes happen in `insert` and `clear`.

    `entered` and `left` count blocks by tier: those that came to it, and those that moved on or
    were dropped. The difference is what it holds. `reused_tokens` counts by tier the prompt tokens
    that prefill took from there.
    """

    tiered = True

    def __init__(
        self,
        workers: int,
        cache: PrefixCache,
        block_tokens: int,
        block_bytes: int,
        now: Callable[[], float],
        device_only: bool = False,
    ) -> None:
        """`now` tells the time in seconds; `device_only` leaves out G2 to G4."""
        super().__init__(workers)
        self._block_tokens = block_tokens
        self._decay = Decay(cache.decay_interval, now)
        self._least = cache.disk_frequency
        lower = () if device_only else (cache.host, cache.disk, cache.network)
        tokens = (cache.capacity_tokens, *(tier.capacity_tokens for tier in lower))
        self._blocks = [size // block_tokens for size in tokens]
        self._blocks += [0] * (TIERS - len(self._blocks))
        self._fetch = [(0.0, 0.0)] + [
            (tier.latency, block_bytes / tier.bandwidth if tier.bandwidth else 0.0)
            for tier in lower
        ]
        self._private = [
            [self._store(cache, self._blocks[tier]) for tier in PRIVATE] for _ in range(workers)
        ]
        self._network = self._store(cache, self._blocks[NETWORK])
        self._places: list[dict[int, int]] = [{} for _ in range(workers)]  # block -> private tier
        # For each block a bit of every worker and private tier, tier * workers + worker, and one of
        # the network after them, so that one look-up tells all about a block.
        self._tiers: dict[int, int] = {}
        self.entered = [0] * TIERS
        self.left = [0] * TIERS
        self.reused_tokens = [0] * TIERS
        self.recompute = cache.recompute
        self._serial = cache.onboarding == "serial"

    def _store(self, cache: PrefixCache, capacity: int) -> Store:
        if cache.eviction == "frequency":
            return FrequencyStore(capacity, self._decay)
        return RecencyStore(capacity)

    def overlap(self, worker: int, blocks: Sequence[int]) -> int:
        """The number of leading blocks that one worker holds in its own tiers."""
        place = self._places[worker]
        for depth, block in enumerate(blocks):
            if block not in place:
                return depth
        return len(blocks)

    def overlaps_by_tier(self, blocks: Sequence[int]) -> list[list[int]]:
        """For each of G1 to G4 how many leading blocks each worker would take from there.

        They end at the first block that is in no tier, so they are more than `overlaps`, which
        counts the worker's own tiers, where G4 goes on. A block in several tiers counts for the
        first of them.
        """
        workers = self.workers
        found = [[0] * workers for _ in range(TIERS)]
        since = [0] * workers  # the depth at which the worker's current run of one tier began
        masks = [0] * TIERS  # who is in a run of this tier
        left = self._everyone
        last = -1
        for depth, block in enumerate(blocks):
            holders = self._tiers.get(block, 0)
            if holders == last:
                continue  # neighbours of a prefix mostly lie together
            last = holders
            device, host, disk = (holders >> tier * workers & left for tier in PRIVATE)
            own = device | host | disk
            if not holders >> NETWORK * workers:
                left = own
            before, masks = masks, [device, host, disk, left & ~own]
            for tier in range(TIERS):
                _end_runs(found[tier], before[tier] & ~masks[tier], depth, since)
            if not left:
                return found
        for tier in range(TIERS):
            _end_runs(found[tier], masks[tier], len(blocks), since)
        return found

    def hits(self, worker: int, blocks: Sequence[int], most: int) -> list[Hit]:
        """The parts of a prompt that the worker may take from its caches, `most` tokens at most.

        Each ends where the tier changes, so a run of blocks is fetched whole or not at all. The
        first part needs no fetching and the last is the whole overlap.
        """
        place, network = self._places[worker], self._network
        found: list[Hit] = []
        counts, tokens = [0] * TIERS, [0] * TIERS
        total, last = 0, DEVICE
        for depth, block in enumerate(blocks, 1):
            tier = place.get(block, NETWORK)
            if tier == NETWORK and block not in network:
                break
            if tier != last:
                found.append(Hit(total, self._seconds(counts), tuple(tokens)))
                last = tier
            counts[tier] += 1
            covered = min(most, depth * self._block_tokens)
            tokens[tier] += covered - total
            total = covered
        found.append(Hit(total, self._seconds(counts), tuple(tokens)))
        return found

    def _seconds(self, counts: Sequence[int]) -> float:
        return sum(
            latency + count * each
            for count, (latency, each) in zip(counts, self._fetch, strict=False)
            if count
        )

    def used(self, hit: Hit) -> None:
        """A prompt takes its hit."""
        for tier, tokens in enumerate(hit.by_tier):
            self.reused_tokens[tier] += tokens

    def step_seconds(self, fetching: float, computing: float) -> float:
        """How long a prefill step lasts that takes so long to fetch and so long to compute."""
        return fetching + computing if self._serial else max(fetching, computing)

    def insert(self, worker: int, blocks: Sequence[int]) -> None:
        """Hold the blocks in G1 as the most recently used, the head of the prompt last.

        What no longer fits moves down or is dropped.
        """
        place, stores, network = self._places[worker], self._private[worker], self._network
        device, decay = stores[DEVICE], self._decay
        for block in reversed(blocks):
            tier = place.get(block)
            if tier is not None:
                expiry = decay.hit(stores[tier].take(block))
                if tier != DEVICE:
                    self._leave(tier, worker, block)
                    self._enter(DEVICE, worker, block)
            else:
                if block in network:
                    expiry = decay.hit(network.take(block))
                    network.put(block, expiry)
                else:
                    expiry = decay.first()
                self._enter(DEVICE, worker, block)
            device.put(block, expiry)
        while len(device) > device.capacity:
            self._make_room(worker)

    def clear(self, worker: int) -> None:
        """Drop all that G1 to G3 of a worker hold; G4 keeps what it has."""
        for block, tier in list(self._places[worker].items()):
            self._private[worker][tier].take(block)
            self._leave(tier, worker, block)

    def _make_room(self, worker: int) -> None:
        """Move one block out of G1, and out of every tier that this fills beyond its capacity."""
        stores = self._private[worker]
        tier = DEVICE
        while len(stores[tier]) > stores[tier].capacity:
            block, expiry = stores[tier].evict()
            self._leave(tier, worker, block)
            below = self._next_tier(tier, expiry)
            if below == NETWORK:
                self._share(block, expiry)
            if below not in PRIVATE:
                return
            stores[below].put(block, expiry)
            self._enter(below, worker, block)
            tier = below

    def _next_tier(self, tier: int, expiry: int) -> int:
        """Where a block that leaves a tier goes: TIERS if nowhere."""
        for below in range(tier + 1, TIERS):
            refused = below == DISK and self._decay.frequency(expiry) < self._least
            if self._blocks[below] and not refused:
                return below
        return TIERS

    def _share(self, block: int, expiry: int) -> None:
        """Keep a block in G4 as the most recently used; of two counts the higher one stays."""
        network = self._network
        if block in network:
            network.put(block, max(expiry, network.take(block)))
            return
        network.put(block, expiry)
        self._mark(NETWORK, NETWORK * self.workers, block)
        if len(network) > network.capacity:
            self._unmark(NETWORK, NETWORK * self.workers, network.evict()[0])

    def _enter(self, tier: int, worker: int, block: int) -> None:
        self._places[worker][block] = tier
        self.store(worker, block)
        self._mark(tier, tier * self.workers + worker, block)

    def _leave(self, tier: int, worker: int, block: int) -> None:
        del self._places[worker][block]
        self.remove(worker, block)
        self._unmark(tier, tier * self.workers + worker, block)

    def _mark(self, tier: int, bit: int, block: int) -> None:
        self.entered[tier] += 1
        self._tiers[block] = self._tiers.get(block, 0) | 1 << bit

    def _unmark(self, tier: int, bit: int, block: int) -> None:
        self.left[tier] += 1
        rest = self._tiers[block] & ~(1 << bit)
        if rest:
            self._tiers[block] = rest
        else:
            del self._tiers[block]


def make_caches(
    workers: int,
    cache: PrefixCache,
    block_tokens: int,
    block_bytes: int,
    device_only: bool,
    now: Callable[[], float],
) -> BlockCaches:
    """The caches of a pool: plain ones where a single tier that evicts by recency suffices."""
    lower = () if device_only else (cache.host, cache.disk, cache.network)
    if cache.eviction == "lru" and not any(tier.capacity_tokens for tier in lower):
        return PrefixCaches(workers, cache.capacity_tokens // block_tokens)
    return TieredCaches(workers, cache, block_tokens, block_bytes, now, device_only)


def _end_runs(totals: list[int], mask: int, depth: int, since: list[int]) -> None:
    """End the runs of all workers whose bit is in the mask: add their lengths, begin anew."""
    while mask:
        lowest = mask & -mask
        worker = lowest.bit_length() - 1
        totals[worker] += depth - since[worker]
        since[worker] = depth
        mask ^= lowest
