"""A pool whose workers come and go, and its router, which sees only those in service."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any

from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.router.dispatch import Dispatcher, Place
from anarchy.serving.reference.router.policy import BatchPolicy, Policy, View
from anarchy.serving.reference.router.worker_loads import WorkerLoads


class Status(Enum):
    """What a place for a worker holds."""

    ABSENT = "no worker"
    STARTING = "a worker that is not ready"
    SERVING = "a worker that the router knows"
    DRAINING = "a worker that finishes what it has"
    DOWN = "a worker that has failed and will return"


class Pool:
    """The places of one pool, which stay numbered whatever they hold, and the requests there."""

    def __init__(self, places: int, serving: int) -> None:
        self.places = places
        self.status = [Status.SERVING] * serving + [Status.ABSENT] * (places - serving)
        self.serving = list(range(serving))  # numbers, ascending
        self.requests: list[dict[Request, None]] = [{} for _ in range(places)]

    def change(self, place: int, status: Status) -> None:
        """A place gets another status."""
        self.status[place] = status
        self.serving = [i for i, s in enumerate(self.status) if s is Status.SERVING]

    def count(self, *statuses: Status) -> int:
        """Places with one of these statuses."""
        return sum(status in statuses for status in self.status)

    def drained(self, place: int) -> bool:
        """Whether a draining worker has finished all that it had."""
        return self.status[place] is Status.DRAINING and not self.requests[place]


class PoolLoads(WorkerLoads):
    """Loads whose views show the workers in service only."""

    def __init__(self, members: Pool, *arguments: Any) -> None:
        """Further arguments as those of `WorkerLoads`, all places being workers."""
        super().__init__(*arguments)
        self._members = members

    def view(self, request: Request) -> View:
        """What the request's replica sees; workers are numbered as in `Pool.serving`."""
        view = super().view(request)
        serving = self._members.serving
        if len(serving) == self._members.places:
            return view

        def pick(values: Sequence[int]) -> list[int]:
            return [values[place] for place in serving]

        def lengths() -> list[list[tuple[int, int]]]:
            everywhere = view.outputs()
            return [everywhere[place] for place in serving]

        def pick_by_tier(blocks: Sequence[int]) -> list[list[int]]:
            assert view.by_tier is not None
            return [pick(overlaps) for overlaps in view.by_tier(blocks)]

        sizes = view.cache_sizes
        return replace(
            view,
            overlaps=pick(view.overlaps),
            queued_tokens=pick(view.queued_tokens),
            active_blocks=pick(view.active_blocks),
            active=pick(view.active),
            cache_sizes=None if sizes is None else lambda: pick(sizes()),
            added_blocks=None if view.added_blocks is None else pick(view.added_blocks),
            outputs=lengths if view.pool == "decode" else view.outputs,
            by_tier=None if view.by_tier is None else pick_by_tier,
        )


class PoolDispatcher(Dispatcher):
    """A dispatcher that sees the workers in service only, and holds requests while there are none.

    Workers that are not in service cost infinitely much in the log.
    """

    def __init__(
        self,
        members: Pool,
        events: EventQueue,
        policies: Sequence[Policy],
        loads: PoolLoads,
        ties: Iterator[float],
        softmax: Iterator[float],
        place: Place,
    ) -> None:
        super().__init__(events, policies, loads, ties, softmax, self._place_in_service)
        self._members = members
        self._send = place
        self.held: deque[Request] = deque()

    def route(self, request: Request) -> None:
        """Send the request to a worker, as soon as there is one."""
        self._workers = len(self._members.serving)
        if self._workers:
            super().route(request)
        else:
            self.held.append(request)

    def release(self) -> None:
        """There is a worker again."""
        held, self.held = self.held, deque()
        for request in held:
            self.route(request)

    def withdraw(self, request: Request) -> None:
        """Do without a request, which may wait for a worker or for the end of its window."""
        if request in self.held:
            self.held.remove(request)
        elif self._windows:
            self._windows[request.replica].drop(request)

    def _assign(self, policy: BatchPolicy, requests: list[Request]) -> None:
        self._workers = len(self._members.serving)
        if self._workers:
            super()._assign(policy, requests)
        else:
            self.held.extend(requests)

    def _place_in_service(
        self, request: Request, worker: int, overlap: int, costs: list[float]
    ) -> None:
        everywhere = [math.inf] * self._members.places
        for place, cost in zip(self._members.serving, costs, strict=True):
            everywhere[place] = cost
        self._send(request, self._members.serving[worker], overlap, everywhere)
