"""What a controller does to the router of a run: looks at TTFTs on its clock, and overrides."""

import math
from collections.abc import Iterable

from anarchy.config.router import Override
from anarchy.config.scenario import Scenario
from anarchy.control.controller import ControlLoop
from anarchy.serving.log.control_history import ControlHistory, control_history
from anarchy.serving.reference.core.event_queue import EventQueue, Timer
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.router.dispatch import Dispatcher
from anarchy.serving.rules.event_order import POLL


class RouterControl:
    """The polls of one run; `first_token` is the time of a request that is its first token."""

    def __init__(
        self,
        loop: ControlLoop,
        events: EventQueue,
        scenario: Scenario,
        dispatchers: Iterable[Dispatcher],
        first_token: str,
    ) -> None:
        self._loop = loop
        self._events = events
        self._scenario = scenario
        self._dispatchers = [*dispatchers]
        self._first_token = first_token
        self._awaited: list[Request] = []  # those that had no first token at the last poll
        self._others = 2 if scenario.planner.rule != "none" else 0  # the planner's own actions

    def start(self) -> None:
        """Begin to poll."""
        if not self._loop.settings.dry_run:
            self._override(self._loop.start)
        self._schedule()

    def arrived(self, request: Request) -> None:
        """A request has arrived, whose TTFT will be seen."""
        self._awaited.append(request)

    def _schedule(self) -> None:
        Timer(self._events, self._loop.next_poll, self._poll, POLL)

    def _poll(self) -> None:
        now = self._events.now
        seen: list[Request] = []
        awaited: list[Request] = []
        for request in self._awaited:
            there = getattr(request, self._first_token, math.inf) <= now
            (seen if there else awaited).append(request)
        self._awaited = awaited
        times = [getattr(request, self._first_token) for request in seen]
        ttfts = [time - request.arrival for time, request in zip(times, seen, strict=True)]
        override = self._loop.poll(times, ttfts)
        if override is not None:
            self._override(override)
        if self._events.pending > self._others:  # or nothing but polls goes on: all wait for memory
            self._schedule()

    def _override(self, override: Override) -> None:
        for dispatcher in self._dispatchers:
            dispatcher.override(override)

    def history(self) -> ControlHistory:
        """What was seen and done."""
        loop = self._loop
        router, dry_run = self._scenario.router, loop.settings.dry_run
        return control_history(loop.decisions, loop.start, router, dry_run)
