"""A planner, which moves workers between the pools.

A worker that is to leave gets no new requests and finishes its own, KV transfers included. Then
its GPUs are free, and a worker of either pool may start on them with an empty cache.
"""

from collections.abc import Callable

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.serving.reference.core.request import POOLS, PoolName, Request
from anarchy.serving.reference.elastic.failures import Failures
from anarchy.serving.reference.elastic.observations import LoadSample, Observations
from anarchy.serving.reference.elastic.planner import Sizes, make_rule, within_step
from anarchy.serving.reference.elastic.worker_pool import Status
from anarchy.serving.service_times.lookup import Latency

MOST_IDLE_SAMPLES = 500_000
"""Samples in a row without an arrival or a completion, after which a run is given up: a planner
that looks on for ever ends no run."""


class Autoscaler(Failures):
    """The `planner` of a scenario, whose workers may fail too."""

    def __init__(self, scenario: Scenario, latency: Latency) -> None:
        hardware, topology = scenario.hardware, scenario.topology
        self._workers = hardware.gpus // hardware.gpus_per_worker
        super().__init__(scenario)
        self._planner = scenario.planner
        self._spare = self._workers - topology.prefill - topology.decode  # GPUs that nobody uses
        self._due: dict[PoolName, int] = {"prefill": 0, "decode": 0}  # starts that wait for GPUs
        self._idle_samples = 0
        self._decided: list[tuple[float, int, int]] = []
        self._rule = make_rule(scenario, Latency(latency.table))
        self._observations = Observations(self._load)

    def _places(self, scenario: Scenario) -> dict[str, int]:
        return {"prefill": self._workers - 1, "decode": self._workers - 1}

    def start(self) -> None:
        self.at(self._planner.sampling, self._sample)
        self.at(self._planner.interval, self._plan)
        super().start()

    def arrived(self) -> None:
        self._idle_samples = 0
        self._observations.arrived()

    def done(self, request: Request) -> None:
        self._idle_samples = 0
        self._observations.done(request)
        super().done(request)

    def left(self, pool: PoolName, place: int, request: Request) -> None:
        super().left(pool, place, request)
        self._let_go(pool, place)

    def _let_go(self, pool: PoolName, place: int) -> None:
        """Take a leaving worker out if it has finished all that it had."""
        if self.pools[pool].drained(place):
            self.at(self._events.now + self._planner.drain, self._vacate, pool, place)

    def _vacate(self, pool: PoolName, place: int) -> None:
        if not self.pools[pool].drained(place):
            return  # it has failed in the meantime
        super()._vacate(pool, place)
        for other in POOLS:
            if self._due[other]:
                self._due[other] -= 1
                self._start(other)
                return
        self._spare += 1

    def _start(self, pool: PoolName) -> None:
        place = self.pools[pool].status.index(Status.ABSENT)
        self._change(pool, place, Status.STARTING)
        ready = self._events.now + self._planner.startup
        self.at(ready, self._change, pool, place, Status.SERVING)

    # Planning.

    def _load(self) -> LoadSample:
        now, outputs = self._events.now, self._engine.outputs()
        prefill, decode = self.pools["prefill"], self.pools["decode"]
        running = [outputs[place] for place in decode.serving]
        tokens = sum(r.input_tokens + made for held in running for r, made in held)
        workers = max(1, len(running))
        waiting = len(self._dispatchers["prefill"].held) + sum(
            not 0.0 <= request.prefill_start <= now for held in prefill.requests for request in held
        )
        return LoadSample(
            kv_load=tokens / (workers * self.scenario.engine.cache.capacity_tokens),
            batch=sum(len(held) for held in running) / workers,
            queue=waiting / max(1, len(prefill.serving)),
        )

    def _sample(self) -> None:
        self._observations.sample()
        self._idle_samples += 1
        if self._idle_samples > MOST_IDLE_SAMPLES:
            seconds = MOST_IDLE_SAMPLES * self._planner.sampling
            raise InputError(
                f"planner.sampling: nothing has arrived or been done for {seconds:,.0f} s, "
                f"{MOST_IDLE_SAMPLES:,} samples; sample less often, or let workers return sooner"
            )
        self._again(self._planner.sampling, self._sample)

    def _plan(self) -> None:
        now = self._events.now
        sizes = Sizes(self._size("prefill"), self._size("decode"))
        down = sum(pool.count(Status.DOWN) for pool in self.pools.values())
        target = self._rule.target(self._observations.read(now), sizes, self._workers - down)
        wanted = within_step(target, sizes, self._planner.step)
        self._decided.append((now, wanted.prefill, wanted.decode))
        changes: dict[PoolName, int] = {
            "prefill": wanted.prefill - sizes.prefill,
            "decode": wanted.decode - sizes.decode,
        }
        for pool in POOLS:
            for _ in range(-changes[pool]):
                self._shrink(pool)
        for pool in POOLS:
            for _ in range(changes[pool]):
                self._grow(pool)
        self._again(self._planner.interval, self._plan)

    def _again(self, seconds: float, action: Callable[[], None]) -> None:
        """Repeat an action, unless nothing but the planner goes on: all wait for memory."""
        if self._events.pending > 1:  # one is the planner's other action
            self.at(self._events.now + seconds, action)

    def _size(self, pool: PoolName) -> int:
        """Workers in service or soon to be."""
        return self.pools[pool].count(Status.SERVING, Status.STARTING) + self._due[pool]

    def _shrink(self, name: PoolName) -> None:
        """Let the worker with the fewest requests leave, of equals the last; one stays."""
        pool = self.pools[name]
        if len(pool.serving) < 2:
            return
        place = min(reversed(pool.serving), key=lambda place: len(pool.requests[place]))
        self._change(name, place, Status.DRAINING)
        self._let_go(name, place)

    def _grow(self, pool: PoolName) -> None:
        """Start a worker now, or when a leaving one has freed its GPUs, if there is one."""
        leaving = sum(pool.count(Status.DRAINING) for pool in self.pools.values())
        if self._spare:
            self._spare -= 1
            self._start(pool)
        elif leaving > sum(self._due.values()):
            self._due[pool] += 1

    def _decisions(self) -> list[tuple[float, int, int]]:
        return self._decided
