"""A decode worker: continuous batching, advanced whole batches of steps at a time.

Between two changes of the batch nothing happens but steps, and the time of k steps has a closed
form: with B sequences of mean context x a step takes v + s * max(0, x - c0) (see `latency`), and
x grows by one with every step. Requests join at step boundaries only, so the times are those of
a token-by-token simulation, at a cost per request instead of per token.
"""

import math
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from operator import itemgetter

from anarchy.serving.reference.core.event_queue import Event, EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.rules.event_order import BOUNDARY
from anarchy.serving.service_times.lookup import Latency, Line


class DecodeWorker(Event):
    """The worker is the event of its next change: a join or the end of a request.

    A superseded event stays in the queue and is ignored when it fires: only the one at `_due`
    counts. A request with n output tokens runs n steps from the boundary at which it joined.
    """

    __slots__ = (
        "_batch",
        "_boundary",
        "_context",
        "_due",
        "_due_steps",
        "_ends",
        "_events",
        "_finish",
        "_first_token_is_step",
        "_handlers",
        "_largest",
        "_latency",
        "_line",
        "_order",
        "_slots",
        "_steps",
        "_waiting",
        "busy",
        "extrapolated",
    )

    def __init__(
        self,
        events: EventQueue,
        slots: int,
        latency: Latency,
        finish: Callable[[Request], None],
        first_token_is_step: bool,
    ) -> None:
        """`finish` receives each request when its last token is out; `first_token_is_step` makes
        the end of a request's first step its first token."""
        self._events = events
        self._slots = slots
        self._largest = latency.table.itl.batch[-1]
        self._latency = latency
        self._finish = finish
        self._first_token_is_step = first_token_is_step
        self._handlers = (self._change,)
        self._waiting: deque[Request] = deque()
        self._ends: list[tuple[int, int, Request]] = []  # heap of (last step, order, request)
        self._order = 0
        self._steps = 0  # steps made since the start of the run
        self._boundary = 0.0  # the time at which they were made
        self._batch = 0  # sequences in the batch
        self._context = 0  # sum of their contexts, tokens
        self._line = (0.0, 0.0, 0.0)  # ITL of this batch: c0, value, slope
        self._due = math.inf
        self._due_steps = 0
        self.busy = 0.0  # seconds up to the last boundary
        self.extrapolated = 0  # steps beyond the latency table

    def busy_until(self, now: float) -> float:
        """Seconds of work done up to `now`."""
        return self.busy + (now - self._boundary if self._batch else 0.0)

    def outputs(self, now: float) -> list[tuple[Request, int]]:
        """Its requests in order of admission, each with its output tokens up to `now`."""
        made = self._steps + self._steps_done(now)
        running = sorted(self._ends, key=itemgetter(1))
        found = [(request, made - last + request.output_tokens) for last, _, request in running]
        return found + [(request, 0) for request in self._waiting]

    def _steps_done(self, now: float) -> int:
        """Whole steps since the last boundary that have ended by `now`."""
        steps = self._steps_to(now) if self._batch else 0
        return steps - (steps > 0 and self._boundary + self._duration(steps) > now)

    def submit(self, request: Request) -> None:
        """Take a request; it joins at the next step boundary with a free slot."""
        waiting = self._waiting
        waiting.append(request)
        if not self._batch:
            if len(waiting) == 1:  # else the idle worker's boundary is already due
                self._schedule(self._events.now, 0)
        elif len(waiting) == 1 and self._batch < self._slots:
            steps = self._steps_to(self._events.now)
            if steps < self._due_steps:
                self._schedule(self._boundary + self._duration(steps), steps)

    def halt(self) -> None:
        """Stop for ever: what is under way is lost."""
        self._due = math.inf

    def _schedule(self, due: float, steps: int) -> None:
        self._due = due
        self._due_steps = steps
        self.callbacks = self._handlers
        self._events.at(due, self, BOUNDARY)

    def _change(self, _: Event) -> None:
        """Step boundary: requests end, waiting ones join, the next change is scheduled."""
        self.callbacks = self._handlers  # SimPy took them; an older event may still come
        now = self._events.now
        if now != self._due:
            return
        if self._batch:
            self._advance(now)
        self._boundary = now
        ends = self._ends
        made = self._steps
        finished = []
        while ends and ends[0][0] == made:
            request = heappop(ends)[2]
            request.done = now
            self._batch -= 1
            self._context -= request.input_tokens + request.output_tokens
            finished.append(request)
        joined = self._admit(now) if self._waiting else ()
        batch = self._batch
        if batch:
            steps = ends[0][0] - made
            self._line = self._line_for(steps)
            start = self._boundary
            self._schedule(start + self._duration(steps), steps)
            if self._first_token_is_step:
                for request in joined:
                    request.first_token = start + self._duration(1)
        else:
            self._due = math.inf
        for request in finished:
            self._finish(request)

    def _admit(self, now: float) -> list[Request]:
        """Let waiting requests join while there are free slots."""
        waiting, made = self._waiting, self._steps
        joined = []
        while waiting and self._batch < self._slots:
            request = waiting.popleft()
            request.decode_start = now
            self._order += 1
            heappush(self._ends, (made + request.output_tokens, self._order, request))
            self._batch += 1
            self._context += request.input_tokens
            joined.append(request)
        return joined

    def _advance(self, now: float) -> None:
        """Make the steps up to the boundary that is due now."""
        batch, steps = self._batch, self._due_steps
        self.busy += now - self._boundary
        if self._line[2] or batch > self._largest:
            self.extrapolated += self._latency.steps_beyond(batch, self._context / batch, steps)
        self._steps += steps
        self._context += batch * steps

    def _line_for(self, steps: int) -> Line:
        """The ITL of this batch over the next `steps` steps."""
        batch = self._batch
        line = self._latency.itl_line(batch)
        start, value, slope = line
        if slope and self._context + batch * steps <= batch * start:
            return (start, value, 0.0)  # below the sloped part until the next end
        return line

    def _duration(self, steps: int) -> float:
        """Seconds that the next `steps` steps of this batch take, in closed form."""
        start, value, slope = self._line
        total = steps * value
        if slope:
            excess = self._context / self._batch - start
            if excess < 0:  # the context grows into the sloped part after some steps
                flat = min(steps, math.ceil(-excess))
                steps -= flat
                excess += flat
            total += slope * (steps * excess + steps * (steps - 1) / 2)
        return total

    def _steps_to(self, now: float) -> int:
        """The fewest whole steps whose end is not before `now`."""
        elapsed = now - self._boundary
        if elapsed <= 0:
            return 0
        boundary = self._boundary
        if self._line[2]:  # steps change their length: narrow down between 0 and the next change
            low, high = 0, self._due_steps
            while low + 1 < high:
                middle = (low + high) // 2
                if boundary + self._duration(middle) < now:
                    low = middle
                else:
                    high = middle
            return high
        step = self._line[1]
        steps = math.ceil(elapsed / step)
        # Rounding may leave the division one step off; the boundary itself decides.
        if boundary + (steps - 1) * step >= now:
            return steps - 1
        if boundary + steps * step < now:
            return steps + 1
        return steps
