"""Prefix caches of a pool of workers, with the overlap of a prompt on all of them in one pass.

Each cached block has a bitmask of the workers that hold it. Following the prompt block by block
and intersecting the masks gives every worker's overlap at once, at a cost that does not grow
with the number of workers. Source: vLLM's prefix caching (Kwon et al., SOSP 2023) for block
hashes and least-recently-used eviction; the bitmask is ours.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import islice


class PrefixIndex:
    """Which of `workers` workers hold which blocks, as a router is told.

    A block is named by an integer that stands for the whole prefix up to its end, so holding a
    block says nothing of its predecessors: an overlap stops at the first block that is missing.
    """

    tiered = False  # whether blocks may lie in tiers below HBM

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._everyone = (1 << workers) - 1
        self._holders: dict[int, int] = {}
        self._sizes = [0] * workers

    def sizes(self) -> list[int]:
        """Blocks held by each worker."""
        return self._sizes

    def store(self, worker: int, block: int) -> None:
        """A worker has a block that it did not have."""
        self._holders[block] = self._holders.get(block, 0) | 1 << worker
        self._sizes[worker] += 1

    def remove(self, worker: int, block: int) -> None:
        """A worker no longer has a block."""
        rest = self._holders[block] & ~(1 << worker)
        if rest:
            self._holders[block] = rest
        else:
            del self._holders[block]
        self._sizes[worker] -= 1

    def clear(self, worker: int) -> None:
        """A worker no longer has any block."""
        bit = 1 << worker
        for block in [block for block, holders in self._holders.items() if holders & bit]:
            self.remove(worker, block)

    def overlaps(self, blocks: Sequence[int]) -> list[int]:
        """The number of leading blocks of the prompt that each worker holds."""
        depths = [0] * self.workers
        mask = self._everyone
        holders = self._holders
        depth = 0
        for block in blocks:
            kept = mask & holders.get(block, 0)
            if kept != mask:
                _assign(depths, mask & ~kept, depth)
                mask = kept
                if not mask:
                    return depths
            depth += 1
        _assign(depths, mask, depth)
        return depths

    def overlap(self, worker: int, blocks: Sequence[int]) -> int:
        """The number of leading blocks that one worker holds."""
        return self.overlaps(blocks)[worker]

    def overlaps_by_tier(self, blocks: Sequence[int]) -> list[list[int]]:
        """The overlaps found in each tier, G1 first; here there is no other."""
        return [self.overlaps(blocks)]


class BlockCaches(PrefixIndex, ABC):
    """Caches that the prompts of a pool of workers fill."""

    @abstractmethod
    def insert(self, worker: int, blocks: Sequence[int]) -> None:
        """Hold the blocks of a prompt, which may cost others their place."""


class PrefixCaches(BlockCaches):
    """Block caches of `workers` workers, apart from running requests.

    Eviction takes tails before heads.
    """

    def __init__(self, workers: int, capacity: int | Sequence[int]) -> None:
        """`capacity` in blocks: that of every worker, or one for each."""
        super().__init__(workers)
        self._capacities = [capacity] * workers if isinstance(capacity, int) else [*capacity]
        # A dict keeps insertion order: the first key is the least recently used block.
        self._recency: list[dict[int, None]] = [{} for _ in range(workers)]

    def sizes(self) -> list[int]:
        """Blocks held by each worker."""
        return [len(recency) for recency in self._recency]

    def overlap(self, worker: int, blocks: Sequence[int]) -> int:
        """The number of leading blocks that one worker holds."""
        held = self._recency[worker]
        for depth, block in enumerate(blocks):
            if block not in held:
                return depth
        return len(blocks)

    def clear(self, worker: int) -> None:
        """Hold nothing any more."""
        bit = 1 << worker
        for block in self._recency[worker]:
            rest = self._holders[block] & ~bit
            if rest:
                self._holders[block] = rest
            else:
                del self._holders[block]
        self._recency[worker].clear()

    def insert(self, worker: int, blocks: Sequence[int]) -> None:
        """Hold the blocks as the most recently used, evicting what no longer fits.

        The prompt's head becomes more recent than its tail, so that eviction shortens prefixes
        from the end, as engines do.
        """
        held = self._recency[worker]
        bit = 1 << worker
        holders = self._holders
        for block in reversed(blocks):
            if block in held:
                del held[block]
            else:
                holders[block] = holders.get(block, 0) | bit
            held[block] = None
        # All at once, because each look from the start passes the deleted ones again.
        for oldest in list(islice(held, max(0, len(held) - self._capacities[worker]))):
            del held[oldest]
            rest = holders[oldest] & ~bit
            if rest:
                holders[oldest] = rest
            else:
                del holders[oldest]


def _assign(depths: list[int], mask: int, depth: int) -> None:
    """Set the depth of every worker whose bit is in the mask."""
    while mask:
        lowest = mask & -mask
        depths[lowest.bit_length() - 1] = depth
        mask ^= lowest
