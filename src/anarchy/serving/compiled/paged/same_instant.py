"""What is due at one instant, in its order: the mirror of `reference.core.same_instant`."""

import numpy as np

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.event_queue import SETTLES, push
from anarchy.serving.compiled.core.records import DecodeWorker, PrefillWorker, State
from anarchy.serving.rules.event_order import GRID, SETTLE


@small
def on_grid(time: float) -> float:
    """The time at the resolution at which equal instants are equal."""
    return np.rint(time * GRID) / GRID


@inner
def _settle_at_the_end(state: State, priority: int) -> None:
    """Have the instant settled after what else happens at it."""
    if not state.progress.settling:
        state.progress.settling = True
        push(state, state.progress.now, priority, integer(SETTLES), integer(0))


@small
def defer(state: State, kind: int, number: int, priority: int) -> None:
    """Do something for a request at this instant, after what was asked for before."""
    action = state.actions[state.progress.actions_due]
    action.kind = kind
    action.number = number
    state.progress.actions_due += 1
    _settle_at_the_end(state, integer(priority))


@small
def set_ready(state: State, worker: PrefillWorker | DecodeWorker) -> None:
    """A worker is between two steps and has something to look at."""
    worker.ready = True
    _settle_at_the_end(state, integer(SETTLE))
