"""The serving system with a planner, which moves workers between the pools.

A worker that is to leave gets no new requests and finishes its own, KV transfers included. Then
its GPUs are free, and a worker of either pool may start on them with an empty cache.
"""

from collections.abc import Callable
from typing import Any

from anarchy.config.scenario import Scenario
from anarchy.serving.log.request_log import Run
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.elastic.failures import POOLS, ElasticSystem, Name
from anarchy.serving.reference.elastic.observations import Look, Watch
from anarchy.serving.reference.elastic.planner import Sizes, make_rule, within_step
from anarchy.serving.reference.elastic.worker_pool import PoolLeg, Status
from anarchy.serving.service_times.lookup import Latency


class PlannedSystem(ElasticSystem):
    """One run of a scenario whose `planner` has a rule."""

    def __init__(self, scenario: Scenario, latency: Latency, *arguments: Any) -> None:
        """Arguments as those of `System`."""
        hardware, topology = scenario.hardware, scenario.topology
        self._planner = scenario.planner
        self._workers = hardware.gpus // hardware.gpus_per_worker
        self._spare = self._workers - topology.prefill - topology.decode  # GPUs that nobody uses
        self._due: dict[Name, int] = {"prefill": 0, "decode": 0}  # starts that wait for GPUs
        self._decisions: list[tuple[float, int, int]] = []
        super().__init__(scenario, latency, *arguments)
        self._rule = make_rule(scenario, Latency(latency.table))
        self._watch = Watch(self._look)

    def _places(self, scenario: Scenario) -> dict[str, int]:
        return {"prefill": self._workers - 1, "decode": self._workers - 1}

    def run(self) -> Run:
        self._alarm(self._planner.sampling, self._sample)
        self._alarm(self._planner.interval, self._plan)
        return super().run()

    def _arrive(self, request: Request) -> None:
        self._watch.arrived()
        super()._arrive(request)

    def _begin_anew(self, request: Request) -> None:
        self._watch.arrived()  # once more, because it has to be served once more
        super()._begin_anew(request)

    def _done(self, request: Request) -> None:
        self._watch.done(request)
        super()._done(request)

    def _leave(self, name: Name, place: int, request: Request) -> None:
        super()._leave(name, place, request)
        self._let_go(name, place)

    def _let_go(self, name: Name, place: int) -> None:
        """Take a leaving worker out if it has finished all that it had."""
        if self._pools[name].drained(place):
            self._alarm(self.clock.now + self._planner.drain, self._vacate, name, place)

    def _vacate(self, name: Name, place: int) -> None:
        if not self._pools[name].drained(place):
            return  # it has failed in the meantime
        super()._vacate(name, place)
        for pool in POOLS:
            if self._due[pool]:
                self._due[pool] -= 1
                self._start(pool)
                return
        self._spare += 1

    def _start(self, name: Name) -> None:
        place = self._pools[name].status.index(Status.ABSENT)
        self._change(name, place, Status.STARTING)
        ready = self.clock.now + self._planner.startup
        self._alarm(ready, self._change, name, place, Status.SERVING)

    # Planning.

    def _look(self) -> Look:
        now = self.clock.now
        prefill, decode = self._pools["prefill"], self._pools["decode"]
        outputs = [self._decode[place].outputs(now) for place in decode.serving]
        tokens = sum(r.input_tokens + made for held in outputs for r, made in held)
        workers = max(1, len(outputs))
        assert isinstance(self._prefill_leg, PoolLeg)
        waiting = len(self._prefill_leg.held) + sum(
            not 0.0 <= request.prefill_start <= now for held in prefill.requests for request in held
        )
        return Look(
            kv_load=tokens / (workers * self._scenario.engine.cache.capacity_tokens),
            batch=sum(len(held) for held in outputs) / workers,
            queue=waiting / max(1, len(prefill.serving)),
        )

    def _sample(self) -> None:
        self._watch.sample()
        self._again(self._planner.sampling, self._sample)

    def _plan(self) -> None:
        now = self.clock.now
        sizes = Sizes(self._size("prefill"), self._size("decode"))
        down = sum(pool.count(Status.DOWN) for pool in self._pools.values())
        target = self._rule.target(self._watch.read(now), sizes, self._workers - down)
        wanted = within_step(target, sizes, self._planner.step)
        self._decisions.append((now, wanted.prefill, wanted.decode))
        changes: dict[Name, int] = {
            "prefill": wanted.prefill - sizes.prefill,
            "decode": wanted.decode - sizes.decode,
        }
        for name in POOLS:
            for _ in range(-changes[name]):
                self._shrink(name)
        for name in POOLS:
            for _ in range(changes[name]):
                self._grow(name)
        self._again(self._planner.interval, self._plan)

    def _again(self, seconds: float, action: Callable[[], None]) -> None:
        """Repeat an action, unless nothing but the planner goes on: all wait for memory."""
        if self.clock.pending > 1:  # one is the planner's other action
            self._alarm(self.clock.now + seconds, action)

    def _size(self, name: Name) -> int:
        """Workers in service or soon to be."""
        return self._pools[name].count(Status.SERVING, Status.STARTING) + self._due[name]

    def _shrink(self, name: Name) -> None:
        """Let the worker with the fewest requests leave, of equals the last; one stays."""
        pool = self._pools[name]
        if len(pool.serving) < 2:
            return
        place = min(reversed(pool.serving), key=lambda place: len(pool.requests[place]))
        self._change(name, place, Status.DRAINING)
        self._let_go(name, place)

    def _grow(self, name: Name) -> None:
        """Start a worker now, or when a leaving one has freed its GPUs, if there is one."""
        leaving = sum(pool.count(Status.DRAINING) for pool in self._pools.values())
        if self._spare:
            self._spare -= 1
            self._start(name)
        elif leaving > sum(self._due.values()):
            self._due[name] += 1

    def _decided(self) -> list[tuple[float, int, int]]:
        return self._decisions
