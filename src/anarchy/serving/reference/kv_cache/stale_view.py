"""Prefix caches as a router hears of them: some seconds after the fact.

News is kept in order of time and taken in when somebody looks, so that no lag costs an event of
the clock.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from anarchy.serving.reference.core.event_queue import Clock
from anarchy.serving.reference.kv_cache.prefix_index import PrefixCaches, PrefixIndex


class News:
    """Changes that take effect `lag` seconds after they are told."""

    def __init__(self, clock: Clock, lag: float) -> None:
        self._clock = clock
        self._lag = lag
        self._coming: deque[tuple[float, Callable[[], None]]] = deque()

    def tell(self, change: Callable[[], None]) -> None:
        """A change has happened now."""
        self._coming.append((self._clock.now + self._lag, change))

    def take_in(self) -> None:
        """Make all changes that are heard of by now."""
        coming, now = self._coming, self._clock.now
        while coming and coming[0][0] <= now:
            coming.popleft()[1]()


class LaggedIndex(PrefixIndex):
    """An index that shows blocks stored and removed `lag` seconds late."""

    def __init__(self, workers: int, clock: Clock, lag: float) -> None:
        super().__init__(workers)
        self._news = News(clock, lag)

    def store(self, worker: int, block: int) -> None:
        self._news.tell(partial(super().store, worker, block))

    def remove(self, worker: int, block: int) -> None:
        self._news.tell(partial(super().remove, worker, block))

    def clear(self, worker: int) -> None:
        self._news.tell(partial(super().clear, worker))

    def overlaps(self, blocks: Sequence[int]) -> list[int]:
        self._news.take_in()
        return super().overlaps(blocks)

    def sizes(self) -> list[int]:
        self._news.take_in()
        return super().sizes()


class LaggedCaches(PrefixCaches):
    """Caches that show prompts inserted, and workers cleared, `lag` seconds late."""

    def __init__(self, workers: int, capacity: int, clock: Clock, lag: float) -> None:
        super().__init__(workers, capacity)
        self._news = News(clock, lag)

    def insert(self, worker: int, blocks: Sequence[int]) -> None:
        self._news.tell(partial(super().insert, worker, blocks))

    def clear(self, worker: int) -> None:
        self._news.tell(partial(super().clear, worker))

    def overlaps(self, blocks: Sequence[int]) -> list[int]:
        self._news.take_in()
        return super().overlaps(blocks)

    def sizes(self) -> list[int]:
        self._news.take_in()
        return super().sizes()


class ReportedCaches(PrefixCaches):
    """Caches whose contents routers see `lag` seconds late, in `seen`.

    Caches that take the same prompts in the same order hold the same blocks, so `seen` repeats
    the insertions instead of being told of every block.
    """

    def __init__(self, workers: int, capacity: int, clock: Clock, lag: float) -> None:
        super().__init__(workers, capacity)
        self.seen = LaggedCaches(workers, capacity, clock, lag)

    def insert(self, worker: int, blocks: Sequence[int]) -> None:
        super().insert(worker, blocks)
        self.seen.insert(worker, blocks)

    def clear(self, worker: int) -> None:
        super().clear(worker)
        self.seen.clear(worker)
