"""A prefill worker whose prompts hold blocks of its memory: admission, chunks, preemption.

Source: the scheduler of vLLM (Kwon et al., SOSP 2023; version 1), as NVIDIA Dynamo's replay of
traces models it.
"""

from collections import deque
from collections.abc import Callable

from anarchy.config.engine import Memory, Prefill
from anarchy.serving.reference.core.block_pool import Block, BlockPool
from anarchy.serving.reference.core.event_queue import Event, EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.plain.prefill import full_step_work
from anarchy.serving.rules.event_order import on_grid
from anarchy.serving.rules.feasibility import check_preemptions
from anarchy.serving.service_times.lookup import Latency


class PagedPrefillWorker(Event):
    """First come, first served; the worker is the event that ends its running step.

    A step goes on with the prompts that are running and then admits waiting ones, as long as its
    tokens last. A prompt is admitted when all of it has room beside what is held; it takes its
    blocks step by step, and finds those that are computed already. The last token is always
    computed, so a prompt that is cached whole computes its last block again. Finished prompts
    hold their blocks until decode has them.
    """

    def __init__(
        self,
        index: int,
        events: EventQueue,
        limits: Prefill,
        memory: Memory,
        latency: Latency,
        pool: BlockPool,
        block_tokens: int,
        caching: bool,
        ready: Callable[[], None],
        finish: Callable[[Request], None],
        step_ended: Callable[[], None],
        step_end: int,
    ) -> None:
        """`ready` asks for a call of `begin`; `finish` receives each request whose prompt is
        computed, after `step_ended`."""
        self._index = index
        self._events = events
        self._limits = limits
        self._early = memory.visible == "scheduled"
        self._preempt = memory.preempt
        self._latency = latency
        self.pool = pool
        self._tokens = block_tokens
        self._caching = caching
        self._ready = ready
        self._finish = finish
        self._step_ended = step_ended
        self._step_end = step_end
        self._handlers = (self._end_step,)
        self._waiting: deque[Request] = deque()
        self._running: list[Request] = []
        self._releases: list[Request] = []  # asked for within a step, done at its end
        self._unnamed: list[tuple[Block, int]] = []  # computed in this step, found from its end
        self.stepping = False
        self.preemptions = self._latest_done = 0  # so far; when a prompt was last done
        self.busy = 0.0
        self.work = 0.0
        self.started = 0.0
        self.duration = 1.0
        self.step_work = 0.0

    def busy_until(self, now: float) -> float:
        """Seconds spent in steps up to `now`."""
        return self.busy + (now - self.started if self.stepping else 0.0)

    def work_until(self, now: float) -> float:
        """Seconds that the tokens computed up to `now` would have taken in full steps."""
        share = (now - self.started) / self.duration if self.stepping else 0.0
        return self.work + share * self.step_work

    def submit(self, request: Request) -> None:
        """Queue a request."""
        request.computed = 0
        request.source = []
        request.prefill_start = -1.0
        request.prefill_worker = self._index
        self._waiting.append(request)
        if not self.stepping:
            self._ready()

    def release(self, request: Request) -> None:
        """Let go of a finished prompt's blocks, between two steps."""
        if self.stepping:
            self._releases.append(request)
            return
        self.pool.release(request.source)
        request.source = []
        if self._waiting or self._running:
            self._ready()

    def abandon(self, request: Request) -> None:
        """Let go of a finished prompt's blocks at once: nobody will fetch them."""
        if request in self._releases:
            self._releases.remove(request)
        self.pool.release(request.source)
        request.source = []
        if not self.stepping and (self._waiting or self._running):
            self._ready()

    def halt(self) -> None:
        """Stop for ever: what is under way is lost, and so is what prompts hold."""
        self.callbacks = ()
        for request in self._releases:
            request.source = []

    def begin(self) -> bool:
        """Begin a step if there is work that has room."""
        if self.stepping:
            return False
        preempted = self.preemptions
        budget = self._limits.batch_tokens
        scheduled: dict[Request, int] = {}
        running = self._running
        position = 0
        while position < len(running) and budget > 0:
            request = running[position]
            tokens = self._schedule(request, 0, budget, scheduled)
            if tokens is None:
                break
            if tokens:
                position += 1
            budget = self._limits.batch_tokens - sum(scheduled.values())
        if self.preemptions == preempted:
            budget = self._admit(budget, scheduled)
        total = sum(scheduled.values())
        if total:
            self.stepping = True
            self.started = self._events.now
            prompts, cached = len(scheduled), sum(r.computed for r in scheduled) - total
            self.duration = self._latency.prefill(total, prompts, cached)
            self.step_work = full_step_work(
                self._latency, self._limits, total, prompts, cached, self.duration
            )
            self.callbacks = self._handlers
            self._events.at(on_grid(self.started + self.duration), self, self._step_end)
            return False
        if self.preemptions != preempted:
            self._ready()
            return True
        return False

    def _admit(self, budget: int, scheduled: dict[Request, int]) -> int:
        """Start waiting prompts in order while there are tokens and room; the tokens left."""
        waiting, running, pool, size = self._waiting, self._running, self.pool, self._tokens
        while waiting and budget > 0 and len(running) < self._limits.batch_requests:
            request = waiting[0]
            prompt = request.input_tokens
            found, held = pool.match(request.blocks) if self._caching else (0, 0)
            found = min(found, (prompt - 1) // size)
            needed = -(-prompt // size) - min(held, found)
            if self._preempt == "never":
                needed += sum(-(-r.input_tokens // size) - len(r.source) for r in running)
            if needed > pool.available:
                break
            tokens = self._schedule(request, found, budget, scheduled)
            if not tokens:
                break
            waiting.remove(request)  # the first, unless another had to make room for it
            running.append(request)
            if request.prefill_start < 0:
                request.prefill_start = self._events.now
                request.cached_tokens = found * size
            budget -= tokens
        return budget

    def _schedule(
        self, request: Request, found: int, budget: int, scheduled: dict[Request, int]
    ) -> int | None:
        """Take blocks for the request's next tokens: how many, 0 if it was preempted itself.

        None: it has to wait. `found` cached blocks are held instead of computed.
        """
        size, pool = self._tokens, self.pool
        before = request.computed + found * size
        tokens = request.input_tokens - before
        if tokens > budget:
            if self._limits.chunked:
                tokens = budget
            elif scheduled:
                return None
        after = before + tokens
        fresh = -(-after // size) - len(request.source) - found
        blocks = pool.take(request.blocks[:found], fresh)
        while blocks is None:
            if not self._running or self._preempt == "never":
                return None
            victim = self._running.pop(-1 if self._preempt == "last" else 0)
            pool.release(victim.source)
            victim.source = []
            victim.computed = 0
            scheduled.pop(victim, None)
            self._waiting.appendleft(victim)
            self.preemptions += 1
            check_preemptions(self.preemptions - self._latest_done)
            if victim is request:
                return 0
            blocks = pool.take(request.blocks[:found], fresh)
        held = request.source = request.source + blocks if request.source else blocks
        if self._caching:
            names = request.blocks
            for place in range(before // size, min(after // size, len(names))):
                if self._early:
                    pool.name(held[place], names[place])
                else:
                    self._unnamed.append((held[place], names[place]))
        request.computed = after
        scheduled[request] = tokens
        return tokens

    def _end_step(self, _: Event) -> None:
        now = self._events.now
        self.busy += now - self.started
        self.work += self.step_work
        self.stepping = False
        for block, name in self._unnamed:
            if block.holders:
                self.pool.name(block, name)
        self._unnamed.clear()
        finished = [r for r in self._running if r.computed >= r.input_tokens]
        self._running = [r for r in self._running if r.computed < r.input_tokens]
        self._step_ended()
        for request in self._releases:
            self.pool.release(request.source)
            request.source = []
        self._releases.clear()
        for request in finished:
            request.prefill_end = now
            self._latest_done = self.preemptions
            self._finish(request)
        self._ready()
