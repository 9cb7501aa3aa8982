"""Which block a store gives up first: the least recently or the least frequently used one.

A block's frequency is 1 when it is first kept, doubles whenever it is asked for again, and loses 1
at every step of a decay that all blocks share. It is kept as the step at which it would be 0, its
*expiry*, so that decay changes nothing that is stored.

Source: the offload filter of NVIDIA Dynamo's KV block manager (version 1.0, 2026) for the
frequency, with its steps of 600 s; least recently used first as in vLLM (Kwon et al., SOSP 2023).
"""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from heapq import heapify, heappop, heappush

MOST_FREQUENT = 2**32 - 1
"""Where doubling stops: the largest number of 32 bits, as in the source."""

SPARE_ENTRIES = 64
"""Outdated entries that a heap may have before their number is compared with the valid ones."""


class Decay:
    """The common clock of all frequencies: one step every `interval` seconds of `now`."""

    def __init__(self, interval: float, now: Callable[[], float]) -> None:
        self._interval = interval
        self._now = now

    def step(self) -> int:
        """The steps so far."""
        return int(self._now() // self._interval)

    def frequency(self, expiry: int) -> int:
        """The frequency now."""
        return max(0, expiry - self.step())

    def first(self) -> int:
        """The expiry of a block that is kept for the first time."""
        return self.step() + 1

    def hit(self, expiry: int) -> int:
        """The expiry after one more use; a frequency that decayed to 0 begins at 1 again."""
        step = self.step()
        return step + min(MOST_FREQUENT, max(1, 2 * (expiry - step)))


class Store(ABC):
    """Blocks with their expiries; the store of `capacity` blocks never evicts by itself."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __contains__(self, block: int) -> bool: ...

    @abstractmethod
    def put(self, block: int, expiry: int) -> None:
        """Keep a block that is not kept, as the most recently used."""

    @abstractmethod
    def take(self, block: int) -> int:
        """Remove a kept block; its expiry."""

    @abstractmethod
    def evict(self) -> tuple[int, int]:
        """Remove the block to give up first; it and its expiry."""


class RecencyStore(Store):
    """Gives up the least recently used block first."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._held: OrderedDict[int, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, block: int) -> bool:
        return block in self._held

    def put(self, block: int, expiry: int) -> None:
        self._held[block] = expiry

    def take(self, block: int) -> int:
        return self._held.pop(block)

    def evict(self) -> tuple[int, int]:
        return self._held.popitem(last=False)


class FrequencyStore(Store):
    """Gives up the least frequent block first, and of those the least recently used.

    Decay keeps the order of expiries except that all blocks of frequency 0 are equal: those are
    moved, once each, to a heap that is ordered by recency alone.
    """

    def __init__(self, capacity: int, decay: Decay) -> None:
        super().__init__(capacity)
        self._decay = decay
        self._turn = 0
        self._held: dict[int, tuple[int, int]] = {}  # expiry and turn of the last use
        # Entries stay behind when their block is taken or used again, and are passed over.
        self._frequent: list[tuple[int, int, int]] = []  # expiry, turn, block
        self._faded: list[tuple[int, int]] = []  # turn, block

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, block: int) -> bool:
        return block in self._held

    def put(self, block: int, expiry: int) -> None:
        self._turn += 1
        self._held[block] = expiry, self._turn
        heappush(self._frequent, (expiry, self._turn, block))
        if len(self._frequent) + len(self._faded) > 2 * len(self._held) + SPARE_ENTRIES:
            self._frequent = [(*use, block) for block, use in self._held.items()]
            self._faded = []
            heapify(self._frequent)

    def take(self, block: int) -> int:
        return self._held.pop(block)[0]

    def evict(self) -> tuple[int, int]:
        frequent, faded = self._frequent, self._faded
        step = self._decay.step()
        while frequent and frequent[0][0] <= step:
            _, turn, block = heappop(frequent)
            heappush(faded, (turn, block))
        while faded:
            turn, block = heappop(faded)
            if self._is_last_use(block, turn):
                return block, self.take(block)
        while True:
            _, turn, block = heappop(frequent)
            if self._is_last_use(block, turn):
                return block, self.take(block)

    def _is_last_use(self, block: int, turn: int) -> bool:
        use = self._held.get(block)
        return use is not None and use[1] == turn
