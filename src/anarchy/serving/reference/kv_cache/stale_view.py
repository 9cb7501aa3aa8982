"""Prefix caches as a router sees them: as they were some seconds ago.

Updates are kept in order of time and applied when somebody looks, so that no lag costs an event.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.kv_cache.prefix_index import BlockCaches


class CacheView(Protocol):
    """What a router may ask about the caches of a pool: see `PrefixIndex`."""

    @property
    def tiered(self) -> bool:
        """Whether blocks may lie in tiers below HBM."""

    def overlaps(self, blocks: Sequence[int]) -> list[int]: ...

    def overlaps_by_tier(self, blocks: Sequence[int]) -> list[list[int]]: ...

    def sizes(self) -> list[int]: ...


class StaleView:
    """An index or caches that take every update `lag` seconds after it has happened.

    Caches that take the same updates in the same order hold the same blocks, so the view repeats
    what happens to the true ones on a copy, instead of being told of every block.
    """

    def __init__(
        self, make: Callable[[Callable[[], float]], Any], events: EventQueue, lag: float
    ) -> None:
        """`make` makes an empty index or caches, given what tells them the time in seconds."""
        self._events = events
        self._lag = lag
        self._time = 0.0  # at which the update happened that is being repeated
        self._copy = make(lambda: self._time)
        self._pending_updates: deque[tuple[float, Callable[[], None]]] = deque()

    @property
    def tiered(self) -> bool:
        tiered: bool = self._copy.tiered
        return tiered

    def store(self, worker: int, block: int) -> None:
        self._publish(self._copy.store, worker, block)

    def remove(self, worker: int, block: int) -> None:
        self._publish(self._copy.remove, worker, block)

    def insert(self, worker: int, blocks: Sequence[int]) -> None:
        self._publish(self._copy.insert, worker, blocks)

    def clear(self, worker: int) -> None:
        self._publish(self._copy.clear, worker)

    def overlaps(self, blocks: Sequence[int]) -> list[int]:
        self._apply_due()
        overlaps: list[int] = self._copy.overlaps(blocks)
        return overlaps

    def overlaps_by_tier(self, blocks: Sequence[int]) -> list[list[int]]:
        self._apply_due()
        overlaps: list[list[int]] = self._copy.overlaps_by_tier(blocks)
        return overlaps

    def sizes(self) -> list[int]:
        self._apply_due()
        sizes: list[int] = self._copy.sizes()
        return sizes

    def _publish(self, update: Callable[..., None], *arguments: Any) -> None:
        self._pending_updates.append((self._events.now, partial(update, *arguments)))

    def _apply_due(self) -> None:
        pending, now = self._pending_updates, self._events.now
        while pending and pending[0][0] + self._lag <= now:
            self._time, update = pending.popleft()
            update()


class PoolCaches:
    """The prefix caches of a pool's workers, and what its routers see of them."""

    def __init__(
        self, make: Callable[[Callable[[], float]], BlockCaches], events: EventQueue, lag: float
    ) -> None:
        """`make` as for `StaleView`; without `lag` routers see the caches themselves."""
        self.held = make(lambda: events.now)
        self.seen: BlockCaches | StaleView = StaleView(make, events, lag) if lag else self.held

    def insert(self, worker: int, blocks: Sequence[int]) -> None:
        """A worker holds the blocks of a prompt."""
        self.held.insert(worker, blocks)
        if self.seen is not self.held:
            self.seen.insert(worker, blocks)

    def clear(self, worker: int) -> None:
        """A worker holds nothing any more."""
        self.held.clear(worker)
        if self.seen is not self.held:
            self.seen.clear(worker)
