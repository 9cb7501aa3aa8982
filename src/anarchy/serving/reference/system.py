"""The serving system, and the way of a request through it: here reading begins.

Arrival -> frontend -> prefill router -> prefill worker -> KV hand-off -> decode router -> decode
worker -> done. A system is put together of parts: an engine, which has the workers of both pools,
plain or with paged memory; a dispatcher for each pool, with the routing policy, what it knows of
the workers' loads and random streams of its own; and a capacity, which says what workers are in
service: all of them, those that have not failed, or those that a planner wants.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from anarchy.common.garbage_collection import gc_paused
from anarchy.config.scenario import Scenario
from anarchy.control.controller import ControlLoop
from anarchy.serving.log.request_log import ROWS, Floats, Ints, Run
from anarchy.serving.log.sinks import Sink
from anarchy.serving.reference.core.clients import Context, make_workload
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.frontend import FrontendProcess
from anarchy.serving.reference.core.request import POOLS, PoolName, Request, request_log
from anarchy.serving.reference.elastic.autoscaled import Autoscaler
from anarchy.serving.reference.elastic.capacity import Capacity
from anarchy.serving.reference.elastic.failures import Failures
from anarchy.serving.reference.elastic.worker_pool import PoolDispatcher, PoolLoads
from anarchy.serving.reference.paged.engine import PagedEngine
from anarchy.serving.reference.plain.engine import Engine, PlainEngine
from anarchy.serving.reference.router.control import RouterControl
from anarchy.serving.reference.router.dispatch import Dispatcher, Place
from anarchy.serving.reference.router.policy import get_policy
from anarchy.serving.reference.router.worker_loads import WorkerLoads
from anarchy.serving.rules.feasibility import all_wait, check_backlog, check_done, ends_early
from anarchy.serving.rules.plan import NO_PLAN, POLICY
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.unloaded import unloaded_seconds, unloaded_ttft
from anarchy.serving.service_times.worker_speeds import Services, speeds_known
from anarchy.workload.random_streams import Generators, streams, uniforms
from anarchy.workload.traces import TraceData

NO_CHOICE = [0.0]
"""The cost vector of a pool of one worker."""


@dataclass(frozen=True)
class _Meters:
    """Readings of the running totals at one moment."""

    time: float
    frontend_busy: float
    prefill_busy: Floats
    prefill_work: Floats
    decode_busy: Floats
    extrapolated: int


class System:
    """One run of a scenario."""

    def __init__(
        self,
        scenario: Scenario,
        latency: Latency,
        seed: int,
        replication: int,
        requests: int,
        warmup_cycles: float,
        trace: TraceData | None,
        plan: Ints = NO_PLAN,
    ) -> None:
        self.events = EventQueue()
        self.capacity = make_capacity(scenario, latency)
        scenario = self._scenario = self.capacity.scenario
        self._latency = latency
        generators = streams(seed, replication)
        self._workload = make_workload(
            Context(
                self.events,
                self._arrive,
                scenario,
                generators,
                requests,
                warmup_cycles,
                trace,
                lambda prompt, output: unloaded_seconds(scenario, latency, prompt, output),
            )
        )
        self._frontend = FrontendProcess(self.events, scenario.frontend, self._received)
        self._arrived: list[Request] = []  # in order of arrival, the order of the log
        self._plan = iter(plan.tolist())
        self._completions = 0
        self._replicas = scenario.router.tracking.replicas
        self._one_prefill = scenario.topology.prefill == 1 and self.capacity.pools is None
        self._services = Services(scenario.topology, latency)
        engine = PagedEngine if scenario.engine.memory.paged else PlainEngine
        self.engine: Engine = engine(
            self.events, scenario, self._services, self._workload.demand, self
        )
        service = Latency(latency.table)  # predictions must not count as look-ups beyond it
        self.dispatchers: dict[PoolName, Dispatcher] = {
            "prefill": self._dispatcher("prefill", generators, service, self._place_prefill),
            "decode": self._dispatcher("decode", generators, service, self._place_decode),
        }
        self.capacity.attach(self.events, self.engine, self.dispatchers)
        self._control = self._make_control(service)
        self._window_opened = self._meters()

    def _dispatcher(
        self, pool: PoolName, generators: Generators, service: Latency, place: Place
    ) -> Dispatcher:
        scenario, engine = self._scenario, self.engine
        loads_of = (
            self.events,
            pool,
            len(engine.workers[pool]),
            engine.block_tokens,
            scenario.router,
            service,
            scenario.engine.decode.slots,
            engine.seen[pool],
            engine.outputs,
            speeds_known(scenario, pool, len(engine.workers[pool])),
        )
        policy = get_policy(scenario.router.policy)
        policies = [policy(scenario.router) for _ in range(self._replicas)]
        ties = uniforms(generators[f"{pool}-ties"])
        softmax = uniforms(generators[f"{pool}-softmax"])
        if self.capacity.pools is None:
            loads = WorkerLoads(*loads_of)
            return Dispatcher(self.events, policies, loads, ties, softmax, place)
        serving = self.capacity.pools[pool]
        return PoolDispatcher(
            serving, self.events, policies, PoolLoads(serving, *loads_of), ties, softmax, place
        )

    def _make_control(self, service: Latency) -> RouterControl | None:
        scenario, demand = self._scenario, self._workload.demand
        if scenario.controller is None:
            return None
        prompt, _ = demand.typical or demand.largest
        loop = ControlLoop(scenario.controller, unloaded_ttft(scenario, service, prompt))
        return RouterControl(
            loop, self.events, scenario, self.dispatchers.values(), self.engine.first_token
        )

    def run(self) -> Run:
        if self._control is not None:
            self._control.start()
        self.capacity.start()
        self._workload.start()
        with gc_paused():
            self.events.run()
        done, wanted = self.progress
        if done < wanted:
            paged = self._scenario.engine.memory.paged
            raise (all_wait if paged else ends_early)(done, wanted)
        check_done(self._completions, self.events.now)
        return self._collect()

    def stream(self, sink: Sink) -> dict[str, Any]:
        """Run, give all rows to `sink` at the end, and return the other fields of the run."""
        run = self.run()
        sink.take(run.log, run.measured)
        return {name: value for name, value in vars(run).items() if name not in ROWS}

    @property
    def progress(self) -> tuple[int, int]:
        """Requests done, and how many have to be; milliseconds where time ends the run."""
        demand = self._workload.demand
        if demand.until < math.inf:
            return int(1000 * self.events.now), int(1000 * demand.until)
        return self._completions, demand.extent.warmup + demand.extent.measured

    # The way of a request, in order: between these steps the engine has it.

    def _arrive(self, request: Request) -> None:
        if self._workload.demand.endless:
            check_backlog(len(self._arrived), *self.progress)
        self._choose_replica(request)
        planned = zip(POOLS, next(self._plan, ()), strict=False)
        request.planned = {pool: worker for pool, worker in planned if worker != POLICY}
        self._arrived.append(request)
        if self._control is not None:
            self._control.arrived(request)
        self._frontend.receive(request)

    def _received(self, request: Request) -> None:
        self.capacity.arrived()
        self.engine.arrive(request)

    def route_prefill(self, request: Request) -> None:
        if request.restarts:
            self._choose_replica(request)
        if self._one_prefill:  # nothing to decide, so the router has no part in it
            request.prefill_cost = NO_CHOICE
            self.engine.submit_prefill(request, 0)
        else:
            self.dispatchers["prefill"].route(request)

    def skip_prefill(self, request: Request) -> None:
        if request.restarts:
            self._choose_replica(request)
        request.prefill_cost = [math.nan] * len(self.engine.workers["prefill"])
        self.route_decode(request)

    def _choose_replica(self, request: Request) -> None:
        request.replica = len(self._arrived) % self._replicas

    def _place_prefill(
        self, request: Request, worker: int, overlap: int, costs: list[float]
    ) -> None:
        self.capacity.placed("prefill", worker, request)
        request.prefill_cost = costs
        uncached = request.input_tokens - overlap * self.engine.block_tokens
        request.promised = uncached if uncached > 1 else 1
        self.dispatchers["prefill"].loads.placed(request, worker)
        self.engine.submit_prefill(request, worker)

    def prefilled(self, request: Request) -> None:
        if not self._one_prefill:
            self.dispatchers["prefill"].loads.ended(request, request.prefill_worker)

    def left_prefill(self, request: Request) -> None:
        self.capacity.left("prefill", request.prefill_worker, request)

    def route_decode(self, request: Request) -> None:
        request.routed = self.events.now
        self.dispatchers["decode"].route(request)

    def _place_decode(
        self, request: Request, worker: int, _overlap: int, costs: list[float]
    ) -> None:
        self.capacity.placed("decode", worker, request)
        loads = self.dispatchers["decode"].loads
        request.decode_active = loads.active.copy()
        request.decode_cost = costs
        request.decode_worker = worker
        loads.placed(request, worker)
        self.engine.submit_decode(request, worker)

    def done(self, request: Request) -> None:
        request.first_token = getattr(request, self.engine.first_token)
        self.capacity.done(request)
        self.dispatchers["decode"].loads.ended(request, request.decode_worker)
        count = request.completion = self._completions = self._completions + 1
        extent = self._workload.demand.extent
        if count == extent.warmup:
            self._window_opened = self._meters()
        if count == extent.warmup + extent.measured:
            self.events.stop()
        self._workload.completed(request)

    # Measuring.

    def _meters(self) -> _Meters:
        now = self.events.now
        prefill, decode = self.engine.workers["prefill"], self.engine.workers["decode"]
        return _Meters(
            time=now,
            frontend_busy=self._frontend.busy_until(now),
            prefill_busy=np.array([worker.busy_until(now) for worker in prefill]),
            prefill_work=np.array([worker.work_until(now) for worker in prefill]),
            decode_busy=np.array([worker.busy_until(now) for worker in decode]),
            extrapolated=self._services.extrapolated
            + sum(worker.extrapolated for worker in decode),
        )

    def _collect(self) -> Run:
        begin, end = self._window_opened, self._meters()
        done = [request for request in self._arrived if request.completion]
        warmup = self._workload.demand.extent.warmup
        return Run(
            log=request_log(done, self.engine.tiered),
            measured=np.array([request.completion > warmup for request in done], dtype=bool),
            start=begin.time,
            end=end.time,
            frontend_busy=end.frontend_busy - begin.frontend_busy,
            prefill_busy=end.prefill_busy - begin.prefill_busy,
            prefill_work=end.prefill_work - begin.prefill_work,
            decode_busy=end.decode_busy - begin.decode_busy,
            extrapolated=end.extrapolated - begin.extrapolated,
            table_context=self._latency.table.itl.context[-1],
            control=None if self._control is None else self._control.history(),
            **self.capacity.history(),
        )


def make_capacity(scenario: Scenario, latency: Latency) -> Capacity:
    """What says which workers of a scenario are in service."""
    if scenario.planner.rule != "none":
        return Autoscaler(scenario, latency)
    return Failures(scenario) if scenario.outages else Capacity(scenario)
