"""What a driver does at times of its own, while the kernel stands still.

A controller looks at the TTFTs since it looked last; a closed loop gets more clients or fewer; and
the last phase ends. The kernel returns before the first event that comes after such a time, so
all has happened that happens by it, and the controller is the one that the reference asks.
"""

import math

import numpy as np
from numpy.typing import NDArray

from anarchy.config.router import Override, Router
from anarchy.control.controller import ControlLoop
from anarchy.serving.compiled.core.event_queue import ARRIVE
from anarchy.serving.compiled.core.records import Request, State
from anarchy.serving.compiled.core.requests import parts
from anarchy.serving.compiled.core.tables import Floats, Ints, Table
from anarchy.serving.log.control_history import ControlHistory, control_history
from anarchy.workload.demand import ClientStep, Demand


class Pauses:
    """The pauses of one run."""

    def __init__(self, demand: Demand, loop: ControlLoop | None) -> None:
        self.until = demand.until
        self.loop = loop
        self._steps = [*demand.steps]
        self._polled = 0.0  # when it last was
        self._left: list[tuple[Floats, Floats]] = []  # TTFTs of requests that have left since

    @property
    def next(self) -> float:
        """When the driver wants to look, seconds."""
        poll = math.inf if self.loop is None else self.loop.next_poll
        step = self._steps[0].time if self._steps else math.inf
        return min(poll, step, self.until)

    def step_due(self, now: float) -> ClientStep | None:
        """The step that is due now, which is taken out."""
        return self._steps.pop(0) if self._steps and self._steps[0].time <= now else None

    def poll(self, state: State) -> None:
        """Let the controller look, and tell the router what it wants."""
        now, loop = float(state.progress.pause_at), self.loop
        if loop is None or loop.next_poll > now:
            return
        first, arrived = int(state.progress.first_request), int(state.progress.arrived)
        pieces = parts(len(state.requests), first, arrived)
        seen = [*self._left, *(self._new(state.requests[part], now) for part in pieces)]
        times, ttfts = (np.concatenate(column) for column in zip(*seen, strict=True))
        self._left, self._polled = [], now
        override = loop.poll(times, ttfts)
        if override is not None:
            tell(state, override)

    def history(self, router: Router) -> ControlHistory | None:
        """What the controller saw and did, if there is one; `router` is the scenario's."""
        loop = self.loop
        if loop is None:
            return None
        return control_history(loop.decisions, loop.start, router, loop.settings.dry_run)

    def leave(self, requests: Table[Request]) -> None:
        """Requests leave the ring."""
        if self.loop is not None:
            self._left.append(self._new(requests, math.inf))

    def _new(self, requests: Table[Request], now: float) -> tuple[Floats, Floats]:
        """First tokens since the last poll, when they came and their TTFTs.

        One that is older than its request is that of an earlier request at the same place.
        """
        times, arrivals = requests["first_token"], requests["arrival"]
        new = (times > self._polled) & (times <= now) & (times > arrivals)
        return times[new], times[new] - arrivals[new]


def tell(state: State, override: Override) -> None:
    """Set the two parameters of all decisions from now on."""
    for dispatcher in (state.to_prefill, state.to_decode):
        dispatcher.rule.temperature = override.temperature
        dispatcher.rule.overlap_weight = override.overlap_weight


def idle_clients(state: State, clients: Ints) -> NDArray[np.bool_]:
    """Which of the clients have nothing to do: no request in the system, none on its way."""
    first, arrived = int(state.progress.first_request), int(state.progress.arrived)
    busy = []
    for part in parts(len(state.requests), first, arrived):
        requests = state.requests[part]
        busy.append(requests["client"][requests["completion"] == 0])
    events = state.events[: state.progress.events]
    busy.append(events["number"][events["kind"] == ARRIVE])
    return ~np.isin(clients, np.concatenate(busy))
