"""The queue of events: a binary heap in the order of SimPy's, time, priority, order of scheduling.

Priority and order of scheduling are one integer: (priority - LOWEST) * SCHEDULED + order.
"""

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import Event, State
from anarchy.serving.compiled.core.tables import Table

ARRIVE, RECEIVED, STEP_ENDS, HANDED_OVER, BATCH_CHANGES, SETTLES = map(integer, range(6))
"""Kinds of events; they are numbered by client, request, prefill worker, request, decode worker."""

LOWEST = -2_000_000_000
"""No event has a lower priority."""

SCHEDULED = 2**31
"""More events than a run schedules; the driver checks it."""


@small
def _move(events: Table[Event], target: int, source: int) -> None:
    moved, place = events[source], events[target]
    place.time = moved.time
    place.order = moved.order
    place.kind = moved.kind
    place.number = moved.number


@inner
def push(state: State, time: float, priority: int, kind: int, number: int) -> None:
    """Schedule an event."""
    events, progress = state.events, state.progress
    order = (priority - LOWEST) * SCHEDULED + progress.events_ever
    progress.events_ever += 1
    place = progress.events
    progress.events += 1
    while place > 0:
        parent = (place - 1) >> 1
        above = events[parent]
        if above.time < time or (above.time == time and above.order < order):
            break
        _move(events, place, parent)
        place = parent
    event = events[place]
    event.time = time
    event.order = order
    event.kind = kind
    event.number = number


@inner
def drop_first(state: State) -> None:
    """Take out the first event, which the caller has read at place 0."""
    events = state.events
    last = state.progress.events - 1
    state.progress.events = last
    time, order = events[last].time, events[last].order
    place, child = 0, 1
    while child < last:
        below = events[child]
        if child + 1 < last:
            right = events[child + 1]
            if right.time < below.time or (right.time == below.time and right.order < below.order):
                child += 1
                below = right
        if time < below.time or (time == below.time and order < below.order):
            break
        _move(events, place, child)
        place = child
        child = 2 * place + 1
    _move(events, place, last)
