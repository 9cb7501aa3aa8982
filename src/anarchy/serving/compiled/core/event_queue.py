"""Binary heaps, and the queue of events: by time, then SimPy's priority, then order of scheduling.

Priority and order of scheduling are one integer: (priority - LOWEST) * SCHEDULED + order.
"""

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import Entry, State
from anarchy.serving.compiled.core.tables import Table

ARRIVE, RECEIVED, STEP_ENDS, HANDED_OVER, BATCH_CHANGES, SETTLES = map(integer, range(6))
"""Kinds of events; they are numbered by client, request, prefill worker, request, decode worker."""

LOWEST = -2_000_000_000
"""No event has a lower priority."""

SCHEDULED = 2**31
"""More events than a run schedules; the driver checks it."""


@inner
def add(heap: Table[Entry], entries: int, key: float, order: int, kind: int, number: int) -> None:
    """Put an entry into a heap that has so many."""
    place = entries
    while place > 0:
        above = heap[(place - 1) >> 1]
        if above.key < key or (above.key == key and above.order < order):
            break
        heap[place] = above
        place = (place - 1) >> 1
    entry = heap[place]
    entry.key, entry.order = key, order
    entry.kind, entry.number = kind, number


@inner
def drop_first(heap: Table[Entry], entries: int) -> None:
    """Take out the first of so many entries, which the caller has read at place 0."""
    moved = heap[entries - 1]
    place, child = 0, 1
    while child < entries - 1:
        below = heap[child]
        right = heap[child + 1]  # at the end the one that is moved
        if right.key < below.key or (right.key == below.key and right.order < below.order):
            child += 1
            below = right
        if moved.key < below.key or (moved.key == below.key and moved.order < below.order):
            break
        heap[place] = below
        place = child
        child = 2 * place + 1
    heap[place] = moved


@inner
def push(state: State, time: float, priority: int, kind: int, number: int) -> None:
    """Schedule an event."""
    progress = state.progress
    order = (priority - LOWEST) * SCHEDULED + progress.events_ever
    add(state.events, progress.events, time, order, kind, number)
    progress.events += 1
    progress.events_ever += 1


@small
def drop_event(state: State) -> None:
    """Take out the first event."""
    drop_first(state.events, state.progress.events)
    state.progress.events -= 1
