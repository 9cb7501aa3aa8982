"""The serving system whose workers come and go, here because they fail.

Routers know the workers in service only, and hold requests while a pool has none. A failed worker
loses all requests whose KV it holds, on the way to decode too, and these begin anew. What comes to
its place later has nothing cached, in HBM, host memory or on disk; the store that the pool shares
stays. Routers hear of that as late as of any other change of a cache. A place keeps its speed,
whatever worker it holds.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any, Literal

import numpy as np

from anarchy.config.scenario import Outage, Scenario
from anarchy.serving.event_order import NORMAL
from anarchy.serving.log.request_log import PoolHistory, Run
from anarchy.serving.reference.core.event_queue import Clock, Happening
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.elastic.worker_pool import Pool, PoolLeg, PoolState, Status
from anarchy.serving.reference.kv_cache.prefix_index import PrefixIndex
from anarchy.serving.reference.plain.kv_transfer import Links
from anarchy.serving.reference.plain.system import System
from anarchy.serving.reference.router.dispatch import Leg, Place
from anarchy.serving.reference.router.worker_loads import RouterState
from anarchy.serving.service_times.lookup import Latency

Name = Literal["prefill", "decode"]
POOLS: tuple[Name, Name] = ("prefill", "decode")
NOWHERE = -1
"""The decode worker of a request that has none yet."""


class Alarm(Happening):
    """The event of an action at a time."""

    __slots__ = ("_action",)

    def __init__(
        self, clock: Clock, time: float, action: Callable[[], None], priority: int
    ) -> None:
        """The action is called at the absolute `time`, seconds."""
        self._action = action
        self.callbacks = (self._ring,)
        clock.at(time, self, priority)

    def cancel(self) -> None:
        """Do nothing when the time comes."""
        self.callbacks = ()

    def _ring(self, _: Happening) -> None:
        self._action()


class ElasticSystem(System):
    """One run of a scenario with `outages`."""

    _state_type = PoolState
    _leg_type = PoolLeg
    _alarm_priority = NORMAL  # among the events of one instant

    def __init__(self, scenario: Scenario, latency: Latency, *arguments: Any) -> None:
        """Arguments as those of `System`."""
        topology = scenario.topology
        places = self._places(scenario)
        self._pools = {
            "prefill": Pool(places["prefill"], topology.prefill),
            "decode": Pool(places["decode"], topology.decode),
        }
        self._restarts = 0
        self._sizes: list[tuple[float, int, int]] = []
        topology = topology.model_copy(update=places)
        super().__init__(scenario.model_copy(update={"topology": topology}), latency, *arguments)
        self._one_prefill = False

    def _places(self, scenario: Scenario) -> dict[str, int]:
        """The most workers that each pool can have."""
        return {"prefill": scenario.topology.prefill, "decode": scenario.topology.decode}

    def _make_links(self) -> Links:
        """Links even where transfers never meet, because they may have to be given up."""
        return self._new_links()

    def _make_leg(
        self, leg: Name, workers: int, index: PrefixIndex | None, service: Latency, place: Place
    ) -> tuple[RouterState, Leg]:
        state, router = super()._make_leg(leg, workers, index, service, place)
        assert isinstance(state, PoolState)
        assert isinstance(router, PoolLeg)
        state.pool = router.pool = self._pools[leg]
        return state, router

    def run(self) -> Run:
        self._record()
        for outage in self._scenario.outages:
            self._alarm(outage.at, self._fail, outage)
        return super().run()

    def _alarm(self, time: float, action: Callable[..., None], *arguments: Any) -> None:
        Alarm(self.clock, time, partial(action, *arguments), self._alarm_priority)

    # The way of a request, with a record of where it is.

    def _place_prefill(
        self, request: Request, worker: int, overlap: int, costs: list[float]
    ) -> None:
        self._pools["prefill"].requests[worker][request] = None
        request.prefill_start = request.prefill_end = inf  # until it begins and ends
        request.decode_worker = NOWHERE  # until there is one
        super()._place_prefill(request, worker, overlap, costs)

    def _delivered(self, request: Request) -> None:
        self._leave("prefill", request.prefill_worker, request)
        super()._delivered(request)

    def _place_decode(
        self, request: Request, worker: int, overlap: int, costs: list[float]
    ) -> None:
        self._pools["decode"].requests[worker][request] = None
        super()._place_decode(request, worker, overlap, costs)

    def _done(self, request: Request) -> None:
        self._leave("decode", request.decode_worker, request)
        super()._done(request)

    def _leave(self, name: Name, place: int, request: Request) -> None:
        del self._pools[name].requests[place][request]

    # Workers come and go.

    def _change(self, name: Name, place: int, status: Status) -> None:
        self._pools[name].change(place, status)
        self._record()
        if status is Status.SERVING:
            router = self._prefill_leg if name == "prefill" else self._decode_leg
            assert isinstance(router, PoolLeg)
            router.release()

    def _record(self) -> None:
        """Keep the number of workers in service, once for each moment at which it changes."""
        now = self.clock.now
        if self._sizes and self._sizes[-1][0] == now:
            self._sizes.pop()
        prefill, decode = (len(self._pools[name].serving) for name in POOLS)
        if not self._sizes or self._sizes[-1][1:] != (prefill, decode):
            self._sizes.append((now, prefill, decode))

    def _fail(self, outage: Outage) -> None:
        """A worker fails, unless it is not there."""
        name, place = outage.pool, outage.worker
        pool = self._pools[name]
        status = pool.status[place]
        if status not in (Status.SERVING, Status.DRAINING):
            return
        lost = list(pool.requests[place])
        pool.requests[place].clear()
        if name == "prefill":
            self._lose_prefill(place, lost)
        else:
            self._lose_decode(place, lost)
        if status is Status.SERVING:
            self._renew(name, place)
            self._change(name, place, Status.DOWN)
            self._alarm(outage.until, self._change, name, place, Status.SERVING)
        else:
            self._vacate(name, place)
        self._restarts += len(lost)
        for request in lost:
            self._begin_anew(request)

    def _lose_prefill(self, place: int, lost: list[Request]) -> None:
        """Clear up behind requests of a prefill worker, which itself is replaced afterwards."""
        assert self._links is not None
        travelling = set(self._links.abort(place))
        for request in lost:
            if request not in travelling:
                self._prefill_state.ended(request, place)

    def _lose_decode(self, place: int, lost: list[Request]) -> None:
        """The same for a decode worker."""
        for request in lost:
            self._decode_state.ended(request, place)

    def _begin_anew(self, request: Request) -> None:
        super()._arrive(request)
        self._arrived.pop()  # the log has it where it arrived first

    def _vacate(self, name: Name, place: int) -> None:
        """A worker that was to leave has gone."""
        self._renew(name, place)
        self._change(name, place, Status.ABSENT)

    def _renew(self, name: Name, place: int) -> None:
        """The next worker at a place is another one, with nothing cached."""
        now = self.clock.now
        new: Any
        if name == "prefill":
            workers, new = self._prefill, self._prefill_worker(place)
            new.work = workers[place].work_until(now)
            cached = self._prefill_caches or self._prefill_index
        else:
            workers, new = self._decode, self._decode_worker(place)
            new.extrapolated = workers[place].extrapolated
            cached = self._decode_caches or self._decode_index
        new.busy = workers[place].busy_until(now)
        workers[place].halt()
        workers[place] = new
        if cached is not None:
            cached.clear(place)

    def _decided(self) -> list[tuple[float, int, int]]:
        """When which sizes were wanted."""
        return []

    def _collect(self) -> Run:
        sizes = np.array(self._sizes)
        decided = np.array(self._decided(), dtype=np.float64).reshape(-1, 3)
        history = PoolHistory(
            time=sizes[:, 0],
            prefill=sizes[:, 1].astype(np.int64),
            decode=sizes[:, 2].astype(np.int64),
            decided_at=decided[:, 0],
            wanted_prefill=decided[:, 1].astype(np.int64),
            wanted_decode=decided[:, 2].astype(np.int64),
        )
        return replace(super()._collect(), restarts=self._restarts, pools=history)
