"""The ring of requests: where one lies, how those that are done leave it, how it grows."""

from typing import Any

import numpy as np

from anarchy.serving.compiled.core.compile import small
from anarchy.serving.compiled.core.records import Request, State
from anarchy.serving.compiled.core.tables import longer, raw


@small
def place_of(state: State, number: int) -> int:
    """Where a request lies in the ring."""
    return number & (len(state.requests) - 1)


@small
def request_of(state: State, number: int) -> Request:
    """The record of a request."""
    return state.requests[number & (len(state.requests) - 1)]


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
