"""What is due at one instant, in its order: the mirror of `serving.instant`."""

import numpy as np

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.event_queue import push
from anarchy.serving.compiled.core.events import SETTLES
from anarchy.serving.compiled.core.records import NOW, PAGED, PREFILL_COUNT, Floats, Ints
from anarchy.serving.compiled.paged.records import (
    ACTION,
    ACTION_COUNT,
    ACTIONS,
    READY,
    SETTLING,
    STATION,
    STATIONS,
)
from anarchy.serving.reference.core.same_instant import SETTLE

GRID = 1e11
"""Instants in a second; see `serving.instant.on_grid`."""


@small
def on_grid(time: float) -> float:
    """The time at the resolution at which equal instants are equal."""
    return np.rint(time * GRID) / GRID


@small
def prefill_station(ints: Ints, w: int) -> int:
    """The address of a prefill worker's memory and requests."""
    return ints[ints[PAGED] + STATIONS] + w * STATION


@small
def decode_station(ints: Ints, w: int) -> int:
    """The address of a decode worker's memory and requests."""
    return ints[ints[PAGED] + STATIONS] + (ints[PREFILL_COUNT] + w) * STATION


@inner
def _call(ints: Ints, reals: Floats, priority: int) -> None:
    """Have the instant settled after what else happens at it."""
    if not ints[ints[PAGED] + SETTLING]:
        ints[ints[PAGED] + SETTLING] = 1
        push(ints, reals, reals[NOW], priority, integer(SETTLES))


@small
def later(ints: Ints, reals: Floats, action: int, request: int, priority: int) -> None:
    """Do something for a request at this instant, after what was asked for before."""
    paged = ints[PAGED]
    ints[ints[paged + ACTIONS] + ints[paged + ACTION_COUNT]] = action + ACTION * request
    ints[paged + ACTION_COUNT] += 1
    _call(ints, reals, integer(priority))


@small
def ready(ints: Ints, reals: Floats, station: int) -> None:
    """A worker is between two steps and has something to look at."""
    paged = ints[PAGED]
    ints[ints[paged + READY] + (station - ints[paged + STATIONS]) // STATION] = 1
    _call(ints, reals, integer(SETTLE))
