"""A prefill worker that only keeps time: the queue of `serving.reference.plain.prefill`, live.

First come, first served. Steps end at absolute moments, so that waking up late moves no later
step. What is cached is looked up when a step begins; a prompt's own blocks are held from its end.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from anarchy.config.engine import Prefill, PrefixCache
from anarchy.live.clock import Clock
from anarchy.serving.service_times.lookup import Latency


class BlockCache:
    """The blocks that a worker holds, `capacity` of them; the least recently used are evicted.

    A block is named by an integer that stands for the whole prefix up to its end.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._recency: dict[int, None] = {}  # in order of insertion: the oldest first

    def overlap(self, blocks: Sequence[int]) -> int:
        """The number of leading blocks that are held."""
        for depth, block in enumerate(blocks):
            if block not in self._recency:
                return depth
        return len(blocks)

    def insert(self, blocks: Sequence[int]) -> list[int]:
        """Hold the blocks of a prompt; returns those that lost their place to them."""
        for block in reversed(blocks):  # tails go before heads
            self._recency.pop(block, None)
            self._recency[block] = None
        excess = max(0, len(self._recency) - self._capacity)
        evicted = list(self._recency)[:excess] if excess else []
        for block in evicted:
            del self._recency[block]
        return evicted


@dataclass(eq=False)
class Prompt:
    """A prompt in the queue; `done` receives the moment at which its step was over."""

    token_ids: Sequence[int]
    blocks: Sequence[int]
    arrived: float
    cached_blocks: int = 0
    done: asyncio.Future[float] = field(default_factory=asyncio.Future)


class PrefillEngine:
    """Steps of queued prompts within the limits; all service times are multiplied by `dilation`.

    At least one token of every prompt, or one block, is computed, as engines do to obtain the first
    output.
    """

    def __init__(
        self,
        limits: Prefill,
        latency: Latency,
        cache: PrefixCache,
        dilation: float,
        clock: Clock,
        cached: Callable[[Prompt, list[int]], None],
    ) -> None:
        """`cached` hears of a prompt whose blocks are held from now on, and of those evicted."""
        self._limits = limits
        self._latency = latency
        self._cache = cache
        self._held = BlockCache(cache.capacity_tokens // cache.block_tokens)
        self._dilation = dilation
        self._clock = clock
        self._cached = cached
        self._queue: deque[Prompt] = deque()
        self._arrival = asyncio.Event()

    async def prefill(self, token_ids: Sequence[int], blocks: Sequence[int]) -> float:
        """Compute a prompt of these blocks; returns the moment at which its step was over."""
        prompt = Prompt(token_ids, blocks, self._clock.now())
        self._queue.append(prompt)
        self._arrival.set()
        return await prompt.done

    async def run(self) -> None:
        """Make steps for ever."""
        free = 0.0
        while True:
            while not self._queue:
                self._arrival.clear()
                await self._arrival.wait()
            start = max(free, self._queue[0].arrived)
            batch, seconds = self._next_step(start)
            free = start + self._dilation * seconds
            await self._clock.until(free)
            for prompt in batch:
                self._cached(prompt, self._held.insert(prompt.blocks))
            for prompt in batch:
                if not prompt.done.cancelled():
                    prompt.done.set_result(free)

    def _next_step(self, start: float) -> tuple[list[Prompt], float]:
        """The prompts of the step that begins at `start`, and the seconds that it lasts."""
        batch: list[Prompt] = []
        total = found = 0
        while self._queue and len(batch) < self._limits.batch_requests:
            prompt = self._queue[0]
            cached = self._find(prompt)
            uncached = len(prompt.token_ids) - cached
            over = total + uncached > self._limits.batch_tokens
            if prompt.arrived > start or (batch and over):
                break
            batch.append(self._queue.popleft())
            total += uncached
            found += cached
        return batch, self._latency.prefill(total, len(batch), found)

    def _find(self, prompt: Prompt) -> int:
        """The tokens of a prompt that need not be computed."""
        size = self._cache.block_tokens
        prompt.cached_blocks = self._held.overlap(prompt.blocks)
        most = self._cache.most_taken(len(prompt.token_ids), size)
        return min(prompt.cached_blocks * size, most)
