"""A prefill worker: a queue and steps that take several prompts, cached prefixes skipped."""

from collections import deque
from collections.abc import Callable

from anarchy.config.engine import Prefill
from anarchy.serving.reference.core.event_queue import Event, EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.kv_cache.stale_view import PoolCaches
from anarchy.serving.reference.kv_cache.tiers import NO_HIT, Hit, TieredCaches
from anarchy.serving.service_times.lookup import Latency


class PrefillWorker(Event):
    """First come, first served; the worker is the event that ends its running step.

    A step takes queued prompts in order while their number and their uncached tokens stay within
    the limits, and lasts as long as one prompt of all those tokens. At least one token of every
    prompt, or one block, is computed, as engines do to obtain the first output. What is cached is
    looked up when the step begins; the prompts' own blocks are held from its end.

    Blocks in lower tiers are fetched one prompt after another before the step's computation or
    beside it, and the step lasts that much longer. Queued prompts do not fetch ahead.
    """

    __slots__ = (
        "_batch",
        "_caches",
        "_events",
        "_finish",
        "_handlers",
        "_index",
        "_latency",
        "_limits",
        "_most_taken",
        "_queue",
        "_running",
        "_service",
        "_tiers",
        "_tokens",
        "busy",
        "duration",
        "started",
        "step_work",
        "work",
    )

    def __init__(
        self,
        index: int,
        events: EventQueue,
        limits: Prefill,
        latency: Latency,
        caches: PoolCaches | None,
        cache_block_tokens: int,
        most_taken: Callable[[int], int],
        finish: Callable[[Request], None],
    ) -> None:
        """`most_taken` says how many tokens a prompt takes from the caches at most.

        `finish` receives each request when its step has ended.
        """
        self._index = index
        self._events = events
        self._limits = limits
        self._latency = latency
        self._caches = caches
        held = caches.held if caches is not None else None
        self._tiers = held if isinstance(held, TieredCaches) else None
        self._service = Latency(latency.table)  # predictions do not count as look-ups
        self._tokens = cache_block_tokens
        self._most_taken = most_taken
        self._finish = finish
        self._handlers = (self._end_step,)
        self._queue: deque[Request] = deque()
        self._batch: list[Request] = []
        self._running = False
        self.busy = 0.0  # seconds of finished steps
        self.work = 0.0  # seconds that their prompts would have taken in full steps
        self.started = 0.0  # the running step: its start, duration and work
        self.duration = 1.0
        self.step_work = 0.0

    def busy_until(self, now: float) -> float:
        """Seconds spent in steps up to `now`."""
        return self.busy + (now - self.started if self._running else 0.0)

    def work_until(self, now: float) -> float:
        """Seconds that the prompts done up to `now` would have taken in full steps.

        Batching makes a worker busy long before it is full; work over time is its load.
        """
        share = (now - self.started) / self.duration if self._running else 0.0
        return self.work + share * self.step_work

    def submit(self, request: Request) -> None:
        """Queue a request."""
        self._queue.append(request)
        if not self._running:
            self._start_step()

    def halt(self) -> None:
        """Stop for ever: what is under way is lost."""
        self.callbacks = ()

    def _start_step(self) -> None:
        queue, batch = self._queue, self._batch
        now = self._events.now
        room = self._limits.batch_requests
        budget = self._limits.batch_tokens
        total = found = 0
        tiers, fetching = self._tiers, 0.0
        while queue and room:
            request = queue[0]
            cached = 0
            hit = NO_HIT
            if tiers is not None:
                hit = self._best_hit(tiers, request, total, found, fetching)
                cached = hit.tokens
            elif self._caches is not None:
                overlap = self._caches.held.overlap(self._index, request.blocks)
                cached = min(overlap * self._tokens, self._most_taken(request.input_tokens))
            uncached = request.input_tokens - cached
            if batch and total + uncached > budget:
                break
            queue.popleft()
            if tiers is not None:
                fetching += hit.seconds
                tiers.used(hit)
                request.cached_by_tier = hit.by_tier
            request.cached_tokens = cached
            request.prefill_start = now
            request.prefill_worker = self._index
            batch.append(request)
            total += uncached
            found += cached
            room -= 1
        self._running = True
        self.started = now
        self.duration = self._latency.prefill(total, len(batch), found)
        self.step_work = full_step_work(
            self._latency, self._limits, total, len(batch), found, self.duration
        )
        if tiers is not None and fetching:
            computing = self.duration
            self.duration = tiers.step_seconds(fetching, computing)
            self.step_work += self.duration - computing
        self.callbacks = self._handlers
        self._events.at(now + self.duration, self)

    def _best_hit(
        self, tiers: TieredCaches, request: Request, total: int, found: int, fetching: float
    ) -> Hit:
        """What a prompt takes from the tiers: all, or what lets the step end first.

        The step has `total` tokens to compute, `found` cached ones and `fetching` seconds of
        transfers already.
        """
        most = self._most_taken(request.input_tokens)
        hits = tiers.hits(self._index, request.blocks, most)
        if not tiers.recompute:
            return hits[-1]
        before, prompts = total + request.input_tokens, len(self._batch) + 1

        def seconds(hit: Hit) -> float:
            computing = self._service.prefill(before - hit.tokens, prompts, found + hit.tokens)
            return tiers.step_seconds(fetching + hit.seconds, computing)

        return min(reversed(hits), key=seconds)

    def _end_step(self, _: Event) -> None:
        now = self._events.now
        self.busy += now - self.started
        self.work += self.step_work
        self._running = False
        finished, self._batch = self._batch, []
        for request in finished:
            request.prefill_end = now
            if self._caches is not None:
                self._caches.insert(self._index, request.blocks)
        if self._queue:
            self._start_step()
        for request in finished:
            self._finish(request)


def full_step_work(
    latency: Latency, limits: Prefill, tokens: int, prompts: int, cached: int, duration: float
) -> float:
    """Seconds that a step's prompts would have taken as a part of a full step."""
    full = min(limits.batch_requests, limits.batch_tokens * prompts // tokens)
    if prompts < full:
        return (
            prompts
            / full
            * latency.prefill(tokens * full // prompts, full, cached * full // prompts)
        )
    return duration
