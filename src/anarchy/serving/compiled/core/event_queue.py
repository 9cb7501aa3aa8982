"""The queue of events: a binary heap in the order of SimPy's, time, priority, order of scheduling.

Priority and order are one integer, the key: (priority - LOWEST) * ORDERS + order. What an event is
stands beside its key.
"""

from anarchy.serving.compiled.core.compile import inner, small
from anarchy.serving.compiled.core.records import (
    EVENT_KEYS,
    EVENT_TIMES,
    EVENTS,
    EVENTS_EVER,
    Floats,
    Ints,
)

LOWEST = -2_000_000_000
"""No event has a lower priority."""

ORDERS = 2**31
"""More events than a run schedules; the driver checks it."""


@inner
def push(ints: Ints, reals: Floats, time: float, priority: int, what: int) -> None:
    """Schedule an event."""
    order = ints[EVENTS_EVER]
    ints[EVENTS_EVER] = order + 1
    key = (priority - LOWEST) * ORDERS + order
    place = ints[EVENTS]
    ints[EVENTS] = place + 1
    keys, times = ints[EVENT_KEYS], ints[EVENT_TIMES]
    while place > 0:
        parent = (place - 1) >> 1
        above = reals[times + parent]
        if above < time or (above == time and ints[keys + 2 * parent] < key):
            break
        reals[times + place] = above
        ints[keys + 2 * place] = ints[keys + 2 * parent]
        ints[keys + 2 * place + 1] = ints[keys + 2 * parent + 1]
        place = parent
    reals[times + place] = time
    ints[keys + 2 * place] = key
    ints[keys + 2 * place + 1] = what


@small
def drop_first(ints: Ints, reals: Floats) -> None:
    """Take out the first event, which the caller has read at place 0."""
    last = ints[EVENTS] - 1
    ints[EVENTS] = last
    keys, times = ints[EVENT_KEYS], ints[EVENT_TIMES]
    time, key, what = reals[times + last], ints[keys + 2 * last], ints[keys + 2 * last + 1]
    place = 0
    child = 1
    while child < last:
        below = reals[times + child]
        if child + 1 < last:
            right = reals[times + child + 1]
            if right < below or (
                right == below and ints[keys + 2 * child + 2] < ints[keys + 2 * child]
            ):
                child += 1
                below = right
        if time < below or (time == below and key < ints[keys + 2 * child]):
            break
        reals[times + place] = below
        ints[keys + 2 * place] = ints[keys + 2 * child]
        ints[keys + 2 * place + 1] = ints[keys + 2 * child + 1]
        place = child
        child = 2 * place + 1
    reals[times + place] = time
    ints[keys + 2 * place] = key
    ints[keys + 2 * place + 1] = what
