"""SimPy's clock and event queue, with callbacks at absolute times.

The simulator is event-driven: an event calls what happens at its time, and that schedules further
events. SimPy gives the queue and the order of the events; its processes, which would allocate a
generator for each request, are not used.

`Environment.schedule` takes a delay, and `now + (t - now)` is not always `t`: two events meant
for the same instant could swap. `EventQueue.at` puts an event at the exact time. Anything with a
`callbacks` sequence and a true `_ok` is an event to SimPy; requests and workers are their own
events here, so that the hot path allocates nothing.
"""

from collections.abc import Callable, Sequence
from heapq import heappush
from typing import Any

import simpy
from simpy.core import StopSimulation

from anarchy.serving.rules.event_order import NORMAL

Callbacks = Sequence[Callable[[Any], None]]


class Event:
    """Something that may be scheduled again and again; `callbacks` says what happens next."""

    __slots__ = ("callbacks",)
    _ok = True  # SimPy's mark of an event that did not fail
    callbacks: Callbacks | None


class EventQueue(simpy.Environment):
    """The events to come and the simulated time, `now`, in seconds from 0."""

    def at(self, time: float, event: Event, priority: int = NORMAL) -> None:
        """Schedule `event` at the absolute `time` (not before now)."""
        heappush(self._queue, (time, priority, next(self._eid), event))  # type: ignore[misc]

    @property
    def pending(self) -> int:
        """Events that are still to come, those included that nobody listens to any more."""
        return len(self._queue)

    def stop(self) -> None:
        """End the run from within a callback."""
        raise StopSimulation(None)


class Timer(Event):
    """The event of an action at a time."""

    __slots__ = ("_action",)

    def __init__(
        self, events: EventQueue, time: float, action: Callable[[], None], priority: int = NORMAL
    ) -> None:
        """The action is called at the absolute `time`, seconds."""
        self._action = action
        self.callbacks = (self._ring,)
        events.at(time, self, priority)

    def cancel(self) -> None:
        """Do nothing when the time comes."""
        self.callbacks = ()

    def _ring(self, _: Event) -> None:
        self._action()
