"""A decode worker whose sequences hold blocks of its memory: reservation, growth, preemption.

As `DecodeWorker` it makes many steps at once. A sequence that has just begun to run needs a new
block every `block_tokens` steps, so the blocks that the next steps take follow from how many
sequences there are of each phase. Steps are made one by one only while somebody starts anew after
a preemption, and while requests wait that each step may let in.

Source: the scheduler of vLLM (Kwon et al., SOSP 2023; version 1), as NVIDIA Dynamo's replay of
traces models it.
"""

import math
from collections.abc import Callable, Iterable
from heapq import heappop, heappush

from anarchy.config.engine import Engine
from anarchy.serving.reference.core.block_pool import BlockNames, BlockPool
from anarchy.serving.reference.core.event_queue import Event, EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.paged.block_growth import BlockGrowth
from anarchy.serving.reference.paged.release import Releases
from anarchy.serving.reference.paged.reservation import Reservations
from anarchy.serving.reference.plain.decode import DecodeWorker
from anarchy.serving.rules.event_order import on_grid
from anarchy.serving.rules.feasibility import check_preemptions
from anarchy.serving.service_times.lookup import Latency


class PagedDecodeWorker(DecodeWorker):
    """Requests pass through `reserve` (room for the prompt), a transfer, and `activate`.

    Reservations are granted in order of arrival, between two steps; activated requests join at
    the next step. If a running sequence finds no block for its next token, the last admitted one
    gives up its blocks and computes its tokens again later, chunk by chunk beside the others'
    steps; it starts only when no reservation waits.
    """

    def __init__(
        self,
        events: EventQueue,
        engine: Engine,
        latency: Latency,
        pool: BlockPool,
        names: BlockNames,
        block_tokens: int,
        finish: Callable[[Request], None],
        ready: Callable[[], None],
        reserved: Callable[[Request], None],
        activated: Callable[[Request], None],
        step_ended: Callable[[], None],
        step_end: int,
    ) -> None:
        """`ready` asks for a call of `begin`, `reserved` and `activated` receive each request when
        its room is reserved and when it may join a batch, `finish` when its last token is out."""
        first_token_is_step = engine.first_token == "decode-step"
        super().__init__(events, engine.decode.slots, latency, finish, first_token_is_step)
        self._budget = engine.prefill.batch_tokens
        self._preempt = engine.memory.preempt
        self._caching = engine.cache.enabled
        self.pool = pool
        self._releases = Releases(pool, names, block_tokens, engine.cache.enabled)
        self._tokens = block_tokens
        self._growth = BlockGrowth(block_tokens)  # of the running sequences
        self._reservations = Reservations(engine, pool, block_tokens, reserved)
        self._ready = ready
        self._activated = activated
        self._step_ended = step_ended
        self._step_end = step_end
        self._arrived: list[Request] = []  # transferred within a step
        self._running: list[Request] = []  # in order of admission
        self._computing: list[Request] = []  # of them: those that compute old tokens again
        self._continued: set[Request] = set()  # of them: those that this step has served already
        self._first: list[Request] = []  # of them: those whose first token is under way
        self._turn = 0
        self._irregular = False  # whether some running sequence makes no token in this step
        self.preemptions = self._latest_done = 0  # so far; when a request was last done

    def outputs(self, now: float) -> list[tuple[Request, int]]:
        made = self._steps + self._steps_done(now)
        running = [
            (r, r.generated + (0 if r in self._computing else made - r.joined))
            for r in self._running
        ]
        waiting = [(r, r.generated) for r in self._waiting]
        return running + waiting + [(r, 0) for r in (*self._arrived, *self._reservations.pending)]

    # From prefill to the batch.

    def reserve(self, request: Request) -> None:
        """Queue a request for room; the worker answers with `reserved`."""
        self._turn += 1
        request.turn = self._turn
        pending = self._reservations.pending
        blocked = bool(pending) and not self._reservations.untried
        pending.append(request)
        if self._batch and not blocked:
            self._meet_boundary()
        if not self._batch:
            self._try_reservation()
            self._ready()

    def activate(self, request: Request) -> None:
        """The prompt's KV is here: the request joins at the next step."""
        if self._batch:
            self._meet_boundary()
        if self._batch:
            self._arrived.append(request)
        else:
            self._accept(request)

    def _accept(self, request: Request) -> None:
        for place, name in enumerate(request.blocks):
            if not self._caching:
                break
            block = request.held[place]
            if block.name is None:
                self.pool.name(block, name)
        request.generated = 0
        request.computed = request.input_tokens
        ahead = sum(waiting.turn < request.turn for waiting in self._waiting)
        self._waiting.insert(ahead, request)
        self._activated(request)
        self._try_reservation()
        self._ready()

    def _try_reservation(self) -> None:
        self._reservations.try_first(self._slots - len(self._running))

    def abandon(self, requests: Iterable[Request]) -> None:
        """Forget requests that the worker has not taken over: their KV will not come."""
        pending = self._reservations.pending
        for request in requests:
            if request in pending:
                pending.remove(request)
                continue
            if request in self._arrived:
                self._arrived.remove(request)
            self.pool.release(request.held)
            self._reservations.ended(request)
        self._reservations.changed()
        if self._batch and pending:
            self._meet_boundary()
        if not self._batch:
            self._try_reservation()
            self._ready()

    # Steps.

    def begin(self) -> bool:
        """Begin the next step, if there is work that has room."""
        if self._batch or not (self._running or self._waiting):
            return False
        if self._irregular:
            self._rebuild()
        preempted = self.preemptions
        self._irregular = bool(self._computing)
        computed, budget, skipped = 0, self._budget - len(self._running), 0
        fresh = self._growth.at(self._steps)
        if self._irregular or fresh > self.pool.available:
            self._irregular = True
            computed, budget, skipped = self._continue_in_turn()
        else:
            self.pool.grow(fresh)
        admitted = 0
        if self._waiting and self.preemptions == preempted:
            admitted = self._admit_waiting(budget)
        if self._irregular:
            self._rebuild()
        self._boundary = self._events.now
        self._batch = len(self._running) - len(self._computing) - skipped
        if self._batch:
            self._plan()
            for request in self._first:
                request.first_token = on_grid(self._boundary + self._duration(1))
            self._first.clear()
            return False
        if computed or admitted or self.preemptions > preempted:
            self._try_reservation()
            self._ready()
            return True
        return False

    def _continue_in_turn(self) -> tuple[int, int, int]:
        """Give each running request its next block or chunk, in order of admission.

        Returns the tokens computed again, the tokens left to this step, and how many requests
        stand still because none are left.
        """
        running, size = self._running, self._tokens
        budget = self._budget
        computed = position = 0
        self._continued.clear()
        while position < len(running) and budget > 0:
            request = running[position]
            if request in self._computing:
                tokens = self._compute(request, 0, budget)
                if tokens is None:
                    break
                computed += tokens
                budget -= tokens
                position += tokens > 0
                continue
            known = request.input_tokens + request.generated + self._steps - request.joined
            if (known - 1) % size == 0 and not self._take_one(request):
                continue
            self._continued.add(request)
            budget -= 1
            position += 1
        late = [r for r in running if r not in self._continued and r not in self._computing]
        for request in late:
            request.joined += 1
        return computed, budget, len(late)

    def _take_one(self, request: Request) -> bool:
        """One more block for a running request; false if it had to give up its own instead."""
        while not self.pool.available:
            if self._give_up() is request:
                return False
        self.pool.grow(1)
        return True

    def _compute(self, request: Request, found: int, budget: int) -> int | None:
        """Compute a chunk of old tokens again: how many, 0 if the request had to give up."""
        size, pool, names = self._tokens, self.pool, request.blocks
        known = request.input_tokens + request.generated
        before = request.computed + found * size
        after = min(known, before + budget)
        if after <= before:
            return None
        fresh = -(-after // size) - len(request.held) - found
        blocks = pool.take(names[:found], fresh)
        while blocks is None:
            if not self._running:
                return None
            if self._give_up() is request:
                return 0
            blocks = pool.take(names[:found], fresh)
        request.held = request.held + blocks
        if self._caching:
            for place in range(before // size, after // size):
                pool.name(request.held[place], names[place])
        request.computed = after
        if after == known:
            request.joined = self._steps
            if request in self._computing:
                self._computing.remove(request)
                self._continued.add(request)
        return after - before

    def _admit_waiting(self, budget: int) -> int:
        """Let waiting requests run in order while there are slots; how many did."""
        admitted = 0
        waiting, now = self._waiting, self._events.now
        while waiting and len(self._running) < self._slots:
            request = waiting[0]
            if not request.computed and self._reservations.pending:
                # Those whose prompt is here go before one that has to find room anew.
                request = next((r for r in waiting if r.computed), request)
            anew = not request.computed
            if anew:
                tokens = None
                if not self._reservations.pending:
                    tokens = self._readmit(request, budget)
                if tokens is None:
                    break
                budget -= tokens
            waiting.remove(request)
            self._order += 1
            request.order = self._order
            self._running.append(request)
            admitted += 1
            if anew:
                self._irregular = True
                if request.computed < request.input_tokens + request.generated:
                    self._computing.append(request)
                continue
            request.decode_start = now
            request.joined = self._steps
            if self._first_token_is_step:
                self._first.append(request)
            self._count_in(request)
            if budget <= 0:
                break
        return admitted

    def _readmit(self, request: Request, budget: int) -> int | None:
        """Start a preempted request anew, if all its tokens have room; None if not."""
        size = self._tokens
        known = request.input_tokens + request.generated
        found, held = self.pool.match(request.blocks) if self._caching else (0, 0)
        found = min(found, (known - 1) // size)
        if -(-known // size) - min(held, found) > self.pool.available:
            return None
        return self._compute(request, found, budget)

    def _give_up(self) -> Request:
        """Preempt a running request: its blocks go, and it waits before all others."""
        victim = self._running.pop(-1 if self._preempt == "last" else 0)
        if victim in self._computing:
            self._computing.remove(victim)
        else:
            made = self._steps - victim.joined
            victim.computed = victim.input_tokens + victim.generated + made
            victim.computed -= victim not in self._continued
            victim.generated += made
        self._releases.preempted(victim)
        victim.computed = 0
        victim.held = []
        self._continued.discard(victim)
        self._waiting.appendleft(victim)
        self.preemptions += 1
        check_preemptions(self.preemptions - self._latest_done)
        self._reservations.changed()
        return victim

    def _rebuild(self) -> None:
        """Count the running sequences anew, after steps in which some of them stood still."""
        self._ends.clear()
        self._growth.clear()
        self._context = 0
        for request in self._running:
            if request not in self._computing:
                self._count_in(request)

    def _count_in(self, request: Request) -> None:
        """Count a sequence that makes tokens from step `joined` on."""
        known = request.input_tokens + request.generated
        self._growth.add(known, request.joined)
        self._context += known + self._steps - request.joined
        last = request.joined + request.output_tokens - request.generated
        heappush(self._ends, (last, request.order, request))

    def _plan(self) -> None:
        """Schedule the next change: an end, or the step before the blocks run out."""
        steps = self._ends[0][0] - self._steps
        if self._irregular or self._reservations.untried:
            steps = 1
        steps = self._growth.most_steps(self._steps, steps, self.pool.available)
        self._line = self._line_for(steps)
        self._schedule(self._boundary + self._duration(steps), steps)

    def _schedule(self, due: float, steps: int) -> None:
        self._due = on_grid(due)
        self._due_steps = steps
        self.callbacks = self._handlers
        self._events.at(self._due, self, self._step_end)

    def _meet_boundary(self) -> None:
        """Let the running steps end at the first boundary from now on."""
        now = self._events.now
        steps = max(1, self._steps_to(now))
        if steps > 1 and on_grid(self._boundary + self._duration(steps - 1)) >= now:
            steps -= 1
        if steps >= self._due_steps:
            return
        due = on_grid(self._boundary + self._duration(steps))
        if due > now:
            self._schedule(due, steps)
        else:
            self._due_steps = steps
            self._end_steps()

    def _change(self, _: Event) -> None:
        self.callbacks = self._handlers  # SimPy took them; an older event may still come
        if self._events.now == self._due:
            self._end_steps()

    def _end_steps(self) -> None:
        now, steps = self._events.now, self._due_steps
        self.pool.grow(self._growth.after(self._steps, steps))
        self._advance(now)
        self._due = math.inf
        self._batch = 0
        ends, made = self._ends, self._steps
        finished = []
        while ends and ends[0][0] == made:
            request = heappop(ends)[2]
            self._leave(request)
            finished.append(request)
        self._step_ended()
        for request in finished:
            request.done = now
            self._latest_done = self.preemptions
            self._finish(request)
        arrived, self._arrived = self._arrived, []
        for request in arrived:
            self._accept(request)
        self._try_reservation()
        self._ready()

    def _leave(self, request: Request) -> None:
        """The last token is out; nobody computes it."""
        self._growth.remove(request.input_tokens + request.generated, request.joined)
        request.computed = request.input_tokens + request.output_tokens - 1
        self._context -= request.computed + 1
        self._running.remove(request)
        self._reservations.ended(request)
        self._releases.ended(request)
