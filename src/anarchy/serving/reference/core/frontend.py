"""The frontend: what the host does with a request before the prefill router sees it."""

from collections.abc import Callable

from anarchy.config.scenario import Frontend
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.request import Request


class FrontendProcess:
    """Holds each request for the overhead: all at once, or one after the other if it is serial.

    Either way requests leave in order of arrival.
    """

    def __init__(
        self, events: EventQueue, frontend: Frontend, deliver: Callable[[Request], None]
    ) -> None:
        """`deliver` receives each request when it is through."""
        self._events = events
        self._overhead = frontend.overhead
        self._serial = frontend.serial
        self._deliver = deliver
        self._handlers = (deliver,)
        self._free = 0.0  # when a serial frontend has done all that it has
        self._work = 0.0  # seconds of all requests that it ever had

    def receive(self, request: Request) -> None:
        """Take a request from its client."""
        if not self._overhead:
            self._deliver(request)
            return
        start = self._events.now
        if self._serial:
            start = max(start, self._free)
            self._free = start + self._overhead
            self._work += self._overhead
        request.callbacks = self._handlers
        self._events.at(start + self._overhead, request)

    def busy_until(self, now: float) -> float:
        """Seconds that a serial frontend was at work up to `now`; 0 for any other."""
        return self._work - max(0.0, self._free - now)
