"""Workers that fail and return.

Routers know the workers in service only, and hold requests while a pool has none. A failed worker
loses all requests whose KV it holds, on the way to decode too, and these begin anew. What comes to
its place later has nothing cached, in HBM, host memory or on disk; the store that the pool shares
stays. Routers are told of that as late as of any other change of a cache. A place keeps its speed,
whatever worker it holds.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import Any

import numpy as np

from anarchy.config.scenario import Outage, Scenario
from anarchy.serving.log.request_log import PoolHistory
from anarchy.serving.reference.core.event_queue import EventQueue, Timer
from anarchy.serving.reference.core.request import NOWHERE, POOLS, PoolName, Request
from anarchy.serving.reference.elastic.capacity import Capacity
from anarchy.serving.reference.elastic.worker_pool import Pool, PoolDispatcher, Status
from anarchy.serving.reference.plain.engine import Engine
from anarchy.serving.reference.router.dispatch import Dispatcher


class Failures(Capacity):
    """The `outages` of a scenario."""

    pools: Mapping[PoolName, Pool]
    _events: EventQueue
    _engine: Engine
    _dispatchers: Mapping[PoolName, PoolDispatcher]

    def __init__(self, scenario: Scenario) -> None:
        topology, places = scenario.topology, self._places(scenario)
        enlarged = topology.model_copy(update=places)
        super().__init__(scenario.model_copy(update={"topology": enlarged}))
        self.pools = {
            "prefill": Pool(places["prefill"], topology.prefill),
            "decode": Pool(places["decode"], topology.decode),
        }
        self._restarts = 0
        self._sizes: list[tuple[float, int, int]] = []

    def _places(self, scenario: Scenario) -> dict[str, int]:
        """The most workers that each pool can have."""
        return {"prefill": scenario.topology.prefill, "decode": scenario.topology.decode}

    def attach(
        self, events: EventQueue, engine: Engine, dispatchers: Mapping[PoolName, Dispatcher]
    ) -> None:
        self._events, self._engine = events, engine
        self._dispatchers = {
            pool: dispatcher
            for pool, dispatcher in dispatchers.items()
            if isinstance(dispatcher, PoolDispatcher)
        }

    def start(self) -> None:
        self._record()
        for outage in self.scenario.outages:
            self.at(outage.at, self._fail, outage)

    def at(self, time: float, action: Callable[..., None], *arguments: Any) -> None:
        """Do something at the absolute `time`, seconds, after all else that happens then."""
        Timer(self._events, time, partial(action, *arguments), self._engine.timer_priority)

    # Where requests are.

    def placed(self, pool: PoolName, place: int, request: Request) -> None:
        self.pools[pool].requests[place][request] = None
        if pool == "prefill":
            request.prefill_start = request.prefill_end = inf  # until it begins and ends
            request.decode_worker = NOWHERE  # until there is one

    def left(self, pool: PoolName, place: int, request: Request) -> None:
        del self.pools[pool].requests[place][request]

    def done(self, request: Request) -> None:
        self.left("decode", request.decode_worker, request)

    # Workers come and go.

    def _change(self, pool: PoolName, place: int, status: Status) -> None:
        self.pools[pool].change(place, status)
        self._record()
        if status is Status.SERVING:
            self._dispatchers[pool].release()

    def _record(self) -> None:
        """Keep the number of workers in service, once for each moment at which it changes."""
        now = self._events.now
        if self._sizes and self._sizes[-1][0] == now:
            self._sizes.pop()
        prefill, decode = (len(self.pools[pool].serving) for pool in POOLS)
        if not self._sizes or self._sizes[-1][1:] != (prefill, decode):
            self._sizes.append((now, prefill, decode))

    def _fail(self, outage: Outage) -> None:
        """A worker fails, unless it is not there."""
        pool, place = self.pools[outage.pool], outage.worker
        status = pool.status[place]
        if status not in (Status.SERVING, Status.DRAINING):
            return
        lost = list(pool.requests[place])
        pool.requests[place].clear()
        if outage.pool == "prefill":
            self._lose_prefill(place, lost)
        else:
            self._lose_decode(place, lost)
        if status is Status.SERVING:
            self._engine.replace(outage.pool, place)
            self._change(outage.pool, place, Status.DOWN)
            self.at(outage.until, self._change, outage.pool, place, Status.SERVING)
        else:
            self._vacate(outage.pool, place)
        self._restarts += len(lost)
        for request in lost:
            request.restarts += 1
            self.arrived()  # once more, because it has to be served once more
            self._engine.arrive(request)

    def _lose_prefill(self, place: int, lost: list[Request]) -> None:
        """Clear up behind the requests of a prefill worker, which itself is replaced afterwards."""
        now, decode = self._events.now, self._dispatchers["decode"]
        for request in lost:
            if request.prefill_end > now:
                self._dispatchers["prefill"].loads.ended(request, place)
            elif request.decode_worker == NOWHERE:
                decode.withdraw(request)
            else:
                decode.loads.ended(request, request.decode_worker)
                self.left("decode", request.decode_worker, request)
        self._engine.lose_prefilled(place, [r for r in lost if r.prefill_end <= now])

    def _lose_decode(self, place: int, lost: list[Request]) -> None:
        """The same for a decode worker."""
        for request in lost:
            self._dispatchers["decode"].loads.ended(request, place)
        self._engine.lose_decoding(lost)
        for request in lost:
            worker = request.prefill_worker
            if worker >= 0 and request in self.pools["prefill"].requests[worker]:
                self.left("prefill", worker, request)

    def _vacate(self, pool: PoolName, place: int) -> None:
        """A worker that was to leave has gone."""
        self._engine.replace(pool, place)
        self._change(pool, place, Status.ABSENT)

    def history(self) -> dict[str, Any]:
        sizes = np.array(self._sizes)
        decided = np.array(self._decisions(), dtype=np.float64).reshape(-1, 3)
        pools = PoolHistory(
            time=sizes[:, 0],
            prefill=sizes[:, 1].astype(np.int64),
            decode=sizes[:, 2].astype(np.int64),
            decided_at=decided[:, 0],
            wanted_prefill=decided[:, 1].astype(np.int64),
            wanted_decode=decided[:, 2].astype(np.int64),
        )
        return {"restarts": self._restarts, "pools": pools}

    def _decisions(self) -> list[tuple[float, int, int]]:
        """When a planner wanted which sizes."""
        return []
