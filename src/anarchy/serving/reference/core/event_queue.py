"""SimPy's clock and event queue, with callbacks at absolute times.

`Environment.schedule` takes a delay, and `now + (t - now)` is not always `t`: two events meant
for the same instant could swap. `Clock.at` puts an event at the exact time. Anything with a
`callbacks` sequence and a true `_ok` is an event to SimPy; requests and workers are their own
events here, so that the hot path allocates nothing.
"""

from collections.abc import Callable, Sequence
from heapq import heappush
from typing import Any

import simpy
from simpy.core import StopSimulation

from anarchy.serving import event_order
from anarchy.serving.event_order import NORMAL

BOUNDARY = event_order.BOUNDARY

Callbacks = Sequence[Callable[[Any], None]]


class Happening:
    """An event that may be scheduled again and again; `callbacks` says what happens next."""

    __slots__ = ("callbacks",)
    _ok = True  # SimPy's mark of an event that did not fail
    callbacks: Callbacks | None


class Clock(simpy.Environment):
    """The simulation clock, in seconds from 0."""

    def at(self, time: float, event: Happening, priority: int = NORMAL) -> None:
        """Schedule `event` at the absolute `time` (not before now)."""
        heappush(self._queue, (time, priority, next(self._eid), event))  # type: ignore[misc]

    @property
    def pending(self) -> int:
        """Events that are still to come, those included that nobody listens to any more."""
        return len(self._queue)

    def stop(self) -> None:
        """End the run from within a callback."""
        raise StopSimulation(None)
