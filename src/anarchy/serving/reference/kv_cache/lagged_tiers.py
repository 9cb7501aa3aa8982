"""Tiered caches of a pool together with what its routers see of them."""

from collections.abc import Sequence
from functools import partial

from anarchy.config.engine import PrefixCache
from anarchy.serving.reference.core.event_queue import Clock
from anarchy.serving.reference.kv_cache.stale_view import News
from anarchy.serving.reference.kv_cache.tiers import TieredCaches


class LaggedTiers(TieredCaches):
    """Tiered caches that show prompts inserted, and workers cleared, `lag` seconds late.

    Frequencies decay with the time of insertion, so that the contents are those of the truth.
    """

    def __init__(
        self,
        workers: int,
        cache: PrefixCache,
        block_tokens: int,
        block_bytes: int,
        clock: Clock,
        lag: float,
        device_only: bool = False,
    ) -> None:
        self._clock = clock
        self._inserted = 0.0
        self._news = News(clock, lag)
        super().__init__(
            workers, cache, block_tokens, block_bytes, lambda: self._inserted, device_only
        )

    def insert(self, worker: int, blocks: Sequence[int]) -> None:
        self._news.tell(partial(self._insert_as_of, self._clock.now, worker, blocks))

    def clear(self, worker: int) -> None:
        self._news.tell(partial(super().clear, worker))

    def _insert_as_of(self, time: float, worker: int, blocks: Sequence[int]) -> None:
        self._inserted = time
        super().insert(worker, blocks)

    def overlaps(self, blocks: Sequence[int]) -> list[int]:
        self._news.take_in()
        return super().overlaps(blocks)

    def overlaps_by_tier(self, blocks: Sequence[int]) -> list[list[int]]:
        self._news.take_in()
        return super().overlaps_by_tier(blocks)

    def sizes(self) -> list[int]:
        self._news.take_in()
        return super().sizes()


class ReportedTiers(TieredCaches):
    """Tiered caches whose contents routers see in `seen`.

    Caches that take the same prompts in the same order hold the same blocks, so `seen` repeats
    the insertions instead of being told of every block.
    """

    def __init__(
        self,
        workers: int,
        cache: PrefixCache,
        block_tokens: int,
        block_bytes: int,
        seen: LaggedTiers,
        clock: Clock,
        device_only: bool = False,
    ) -> None:
        super().__init__(workers, cache, block_tokens, block_bytes, lambda: clock.now, device_only)
        self.seen = seen

    def insert(self, worker: int, blocks: Sequence[int]) -> None:
        super().insert(worker, blocks)
        self.seen.insert(worker, blocks)

    def clear(self, worker: int) -> None:
        super().clear(worker)
        self.seen.clear(worker)


def has_tiers(cache: PrefixCache, device_only: bool) -> bool:
    """Whether the plain caches, one tier that evicts by recency, do not suffice."""
    lower = () if device_only else (cache.host, cache.disk, cache.network)
    return cache.eviction != "lru" or any(tier.capacity_tokens for tier in lower)


def tiered_caches(
    workers: int,
    cache: PrefixCache,
    block_tokens: int,
    block_bytes: int,
    clock: Clock,
    lag: float,
    device_only: bool,
) -> tuple[TieredCaches, TieredCaches]:
    """The caches of a pool and what its routers see of them `lag` seconds late."""
    if not lag:
        caches = TieredCaches(
            workers, cache, block_tokens, block_bytes, lambda: clock.now, device_only
        )
        return caches, caches
    seen = LaggedTiers(workers, cache, block_tokens, block_bytes, clock, lag, device_only)
    return ReportedTiers(workers, cache, block_tokens, block_bytes, seen, clock, device_only), seen
