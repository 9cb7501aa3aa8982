"""One pool's router: it looks, prices, chooses, and holds requests back if its policy wants it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from anarchy.common.errors import InputError
from anarchy.config.router import Override
from anarchy.serving.reference.core.event_queue import Event, EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.router.policy import BatchPolicy, Policy
from anarchy.serving.reference.router.worker_loads import WorkerLoads
from anarchy.serving.rules.event_order import on_grid

Place = Callable[[Request, int, int, list[float]], None]
"""What sends a request to a worker: request, worker, overlap seen there, costs of all workers."""


class Dispatcher:
    """The replicas of a router, each with a policy of its own; they share the random streams."""

    def __init__(
        self,
        events: EventQueue,
        policies: Sequence[Policy],
        loads: WorkerLoads,
        ties: Iterator[float],
        softmax: Iterator[float],
        place: Place,
    ) -> None:
        self._policies = policies
        self.loads = loads
        self._workers = len(loads.active)
        self._ties = ties
        self._softmax = softmax
        self._place = place
        self._windows = [
            Window(events, policy, self._assign)
            for policy in policies
            if isinstance(policy, BatchPolicy)
        ]

    def override(self, override: Override) -> None:
        """Set the two parameters of all decisions from now on."""
        for policy in self._policies:
            policy.parameters = policy.parameters.model_copy(update=override.model_dump())

    def route(self, request: Request) -> None:
        """Send the request to its plan's worker or the policy's, now or when its window ends."""
        planned = request.planned.get(self.loads.pool)
        if self._windows and planned is None:
            self._windows[request.replica].hold(request)
            return
        policy = self._policies[request.replica]
        view = self.loads.view(request)
        costs = list(policy.costs(view))  # a policy may return live state
        if len(costs) != self._workers:
            self._refuse(policy, costs)
        worker = planned
        if worker is None:
            worker = policy.choose(view, costs, self._ties, self._softmax)
        self._place(request, worker, view.overlaps[worker], costs)

    def _assign(self, policy: BatchPolicy, requests: list[Request]) -> None:
        # Views share their lists with the loads, which change only when requests are placed.
        views = [replace(self.loads.view(request)) for request in requests]
        costs = [list(policy.costs(view)) for view in views]
        for row in costs:
            if len(row) != self._workers:
                self._refuse(policy, row)
        for position, worker in policy.assign(views):
            overlap = views[position].overlaps[worker]
            self._place(requests[position], worker, overlap, costs[position])

    def _refuse(self, policy: Policy, costs: list[float]) -> None:
        raise InputError(
            f"router policy '{policy.parameters.policy}' gives {len(costs)} costs for "
            f"{self._workers} {self.loads.pool} workers; one for each is wanted"
        )


class Window(Event):
    """Requests that wait for each other; the event of the end of the wait.

    An event that comes after the requests have left early is recognised by its time.
    """

    __slots__ = ("_assign", "_due", "_events", "_handlers", "_held", "_policy")

    def __init__(
        self,
        events: EventQueue,
        policy: BatchPolicy,
        assign: Callable[[BatchPolicy, list[Request]], None],
    ) -> None:
        self._events = events
        self._policy = policy
        self._assign = assign
        self._handlers = (self._end,)
        self._held: list[Request] = []
        self._due = 0.0

    def hold(self, request: Request) -> None:
        """Keep a request until the window ends."""
        parameters = self._policy.parameters
        self._held.append(request)
        if len(self._held) >= parameters.window_requests:
            self._release()
        elif len(self._held) == 1:
            self._due = on_grid(self._events.now + parameters.window)
            self.callbacks = self._handlers
            self._events.at(self._due, self)

    def _end(self, _: Event) -> None:
        self.callbacks = self._handlers  # SimPy took them; an older event may still come
        if self._held and self._events.now == self._due:
            self._release()

    def drop(self, request: Request) -> None:
        """Do without a request, if it is held."""
        if request in self._held:
            self._held.remove(request)

    def _release(self) -> None:
        held, self._held = self._held, []
        self._assign(self._policy, held)
