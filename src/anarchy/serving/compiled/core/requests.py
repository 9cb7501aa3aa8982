"""Requests: the ring that they lie in, and linked lists of them: queues, batches, and the like."""

from typing import Any

import numpy as np

from anarchy.serving.compiled.core.compile import inner, small
from anarchy.serving.compiled.core.records import LinkedList, Request, Sequence, State
from anarchy.serving.compiled.core.tables import NOBODY, longer, raw


@small
def request_of(state: State, number: int) -> Request:
    """The record of a request."""
    return state.requests[number & (len(state.requests) - 1)]


@small
def append(state: State, members: LinkedList, number: int) -> None:
    """Put a request at the end."""
    request = request_of(state, number)
    request.preceding = members.last
    request.following = NOBODY
    if members.length:
        request_of(state, members.last).following = number
    else:
        members.first = number
    members.last = number
    members.length += 1


@inner
def insert(state: State, members: LinkedList, before: int, number: int) -> None:
    """Put a request before another one, or at the end of the list if that is NOBODY."""
    if before == NOBODY:
        append(state, members, number)
        return
    request, other = request_of(state, number), request_of(state, before)
    request.preceding = other.preceding
    request.following = before
    if before == members.first:
        members.first = number
    else:
        request_of(state, request.preceding).following = number
    other.preceding = number
    members.length += 1


@small
def pop(state: State, members: LinkedList) -> int:
    """Take out the first request."""
    number = members.first
    members.first = request_of(state, number).following
    members.length -= 1
    return number


@inner
def remove(state: State, members: LinkedList, number: int) -> None:
    """Take a request out."""
    request = request_of(state, number)
    if number == members.first:
        members.first = request.following
    else:
        request_of(state, request.preceding).following = request.following
    if number == members.last:
        members.last = request.preceding
    else:
        request_of(state, request.following).preceding = request.preceding
    members.length -= 1


@small
def sequence_of(state: State, number: int) -> Sequence:
    """What there is of a request with paged memory."""
    return state.sequences[number & (len(state.sequences) - 1)]


def parts(length: int, first: int, end: int) -> list[slice]:
    """Where the requests `first` to `end` - 1 lie in a ring, in order."""
    start = first & (length - 1)
    stop = start + end - first
    return [slice(start, min(stop, length)), slice(0, max(0, stop - length))]


def in_longer(ring: Any, first: int, end: int, length: int) -> Any:
    """A ring with more room in which the requests `first` to `end` - 1 lie."""
    grown = longer(ring, length)
    numbers = np.arange(first, end)
    raw(grown)[numbers & (length - 1)] = raw(ring)[numbers & (len(ring) - 1)]
    return grown


def first_open(state: State) -> int:
    """The number of the first request that is not done."""
    first, arrived = int(state.progress.first_request), int(state.progress.arrived)
    completion = state.requests["completion"]
    pieces = [completion[part] for part in parts(len(completion), first, arrived)]
    open_ = np.flatnonzero(np.concatenate(pieces) == 0)
    return first + int(open_[0]) if len(open_) else arrived
