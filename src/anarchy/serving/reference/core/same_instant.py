"""What happens at one instant of a paged system, in an order that no queue of events gives.

Steps end first, those of prefill before those of decode and by number of the worker, then KV
transfers (see `event_order`). The engine acts on them in their order: it reserves, hands over,
releases. Then the workers that are between two steps begin the next ones, prefill before decode
and by number. Prompts that arrive come last, all of them before the workers that are still idle
begin: a prompt that arrives as a step begins has missed it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from anarchy.serving.reference.core.event_queue import Event, EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.rules.event_order import SETTLE


class Stepper(Protocol):
    """A worker that begins its steps when it is told to."""

    def begin(self) -> bool:
        """Begin the next step, if there is work; whether something has changed at this instant
        already, so that the instant is not over."""


class SameInstant(Event):
    """Actions and starts of steps that are due now, each list in its order."""

    __slots__ = ("_actions", "_due", "_events", "_handlers", "_pools", "_ready")

    def __init__(self, events: EventQueue) -> None:
        self._events = events
        self._handlers = (self._settle,)
        self._actions: deque[tuple[Callable[[Request], None], Request]] = deque()
        self._pools: list[Sequence[Stepper]] = []
        self._ready: list[set[int]] = []
        self._due = False

    def add_pool(self, workers: Sequence[Stepper]) -> None:
        """Workers that begin their steps after those of the pools added before."""
        self._pools.append(workers)
        self._ready.append(set())

    def defer(
        self, action: Callable[[Request], None], request: Request, priority: int = SETTLE
    ) -> None:
        """Do something for a request at this instant, after what was asked for before."""
        self._actions.append((action, request))
        self._call(priority)

    def ready(self, pool: int, worker: int) -> None:
        """A worker is between two steps and has something to look at."""
        self._ready[pool].add(worker)
        self._call()

    def _call(self, priority: int = SETTLE) -> None:
        if not self._due:
            self._due = True
            self.callbacks = self._handlers
            self._events.at(self._events.now, self, priority)

    def _settle(self, _: Event) -> None:
        actions = self._actions
        more = True
        while more:
            while actions:
                action, request = actions.popleft()
                action(request)
            more = False
            for workers, ready in zip(self._pools, self._ready, strict=True):
                due = sorted(ready)
                ready.clear()
                for worker in due:
                    more = workers[worker].begin() or more
            more = more or bool(actions)
        self._due = False
