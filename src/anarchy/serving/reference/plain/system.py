"""The serving system put together: workers, routers and the way of a request through them.

Arrival -> prefill router -> prefill worker -> KV hand-off -> decode router -> decode worker ->
done. Each leg has its own policy instance and its own random streams.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from anarchy.common.garbage_collection import no_collection
from anarchy.config.scenario import Scenario
from anarchy.serving import feasibility
from anarchy.serving.log.request_log import ROWS, Floats, Run
from anarchy.serving.log.sinks import Sink
from anarchy.serving.reference.core.clients import Context, make_workload
from anarchy.serving.reference.core.event_queue import Clock
from anarchy.serving.reference.core.request import Request, request_log
from anarchy.serving.reference.kv_cache.lagged_tiers import has_tiers, tiered_caches
from anarchy.serving.reference.kv_cache.prefix_index import BlockCaches, PrefixCaches, PrefixIndex
from anarchy.serving.reference.kv_cache.stale_view import ReportedCaches
from anarchy.serving.reference.kv_cache.tiers import NO_HIT, TieredCaches
from anarchy.serving.reference.plain.decode import DecodeWorker
from anarchy.serving.reference.plain.kv_transfer import Links
from anarchy.serving.reference.plain.local_prefill import LOCAL, PrefillingDecodeWorker
from anarchy.serving.reference.plain.prefill import PrefillWorker
from anarchy.serving.reference.router.dispatch import Leg, Place
from anarchy.serving.reference.router.policy import get_policy
from anarchy.serving.reference.router.worker_loads import RouterState
from anarchy.serving.service_times import unloaded
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.worker_speeds import Services
from anarchy.workload.random_streams import streams, uniforms
from anarchy.workload.traces import TraceData

# Imported from here by the compiled simulator until it takes them from where they are.
all_wait, unloaded_seconds = feasibility.all_wait, unloaded.unloaded_seconds

NO_CHOICE = [0.0]
"""The cost vector of a pool of one worker."""


@dataclass(frozen=True)
class _Meters:
    """Readings of the running totals at one moment."""

    time: float
    prefill_busy: Floats
    prefill_work: Floats
    decode_busy: Floats
    extrapolated: int


class System:
    """One run of a scenario whose running requests take no memory."""

    _state_type: type[RouterState] = RouterState
    _leg_type: type[Leg] = Leg
    # The time of a request that ends its TTFT; a worker that knows it has set it already.
    _first_tokens: ClassVar = {
        "prefill": "prefill_end",
        "handoff": "routed",
        "decode-step": "first_token",
    }

    def __init__(
        self,
        scenario: Scenario,
        latency: Latency,
        seed: int,
        replication: int,
        requests: int,
        warmup_cycles: float,
        trace: TraceData | None,
    ) -> None:
        self.clock = Clock()
        self._scenario = scenario
        self._latency = latency
        self._generators = streams(seed, replication)
        self._workload = make_workload(
            Context(
                self.clock,
                self._arrive,
                scenario,
                self._generators,
                requests,
                warmup_cycles,
                trace,
                lambda prompt, output: unloaded_seconds(scenario, latency, prompt, output),
            )
        )
        self._arrived: list[Request] = []  # in order of arrival, the order of the log
        self._completions = 0

        self._block_tokens = self._workload.demand.block_tokens
        self._replicas = scenario.router.tracking.replicas
        self._prefill_index: PrefixIndex | None = None  # what the routers know of the caches
        self._decode_index: PrefixIndex | None = None
        self._prefill_caches: BlockCaches | None = None
        self._decode_caches: BlockCaches | None = None
        self._services = Services(scenario.topology, latency)
        self._first_token = self._first_tokens[scenario.engine.first_token]
        self._links: Links | None = None  # if any, KV caches share them
        self._local_below = scenario.engine.local_prefill_below
        self._one_prefill = scenario.topology.prefill == 1
        self._make_workers()
        self._make_routers()
        self._window_opened = self._meters()

    def _make_workers(self) -> None:
        topology = self._scenario.topology
        if self._scenario.engine.cache.enabled:
            self._prefill_caches, self._prefill_index = self._make_caches(topology.prefill, False)
            if self._scenario.router.decode_overlap:
                self._decode_caches, self._decode_index = self._make_caches(topology.decode, True)
        self._handed_off = (self._route_decode,)
        self._links = self._make_links()
        self._prefill: list[Any] = [self._prefill_worker(i) for i in range(topology.prefill)]
        self._decode: list[Any] = [self._decode_worker(i) for i in range(topology.decode)]

    def _prefill_worker(self, index: int) -> PrefillWorker:
        return PrefillWorker(
            index,
            self.clock,
            self._scenario.engine.prefill,
            self._services.prefill[index],
            self._prefill_caches,
            self._block_tokens,
            self._prefilled,
        )

    def _decode_worker(self, index: int) -> DecodeWorker:
        engine = self._scenario.engine
        worker = PrefillingDecodeWorker if engine.local_prefill_below else DecodeWorker
        return worker(
            self.clock,
            engine.decode.slots,
            self._services.decode[index],
            self._done,
            engine.first_token == "decode-step",
        )

    def _make_links(self) -> Links | None:
        """What carries KV caches; transfers that never meet need nothing."""
        return None if self._scenario.engine.handoff.link == "none" else self._new_links()

    def _new_links(self) -> Links:
        return Links(
            self._scenario.topology.prefill,
            self.clock,
            self._scenario.engine.handoff,
            self._scenario.model.kv_bytes_per_token,
            self._delivered,
        )

    def _make_caches(self, workers: int, device_only: bool) -> tuple[BlockCaches, PrefixIndex]:
        """The caches of a pool and what the routers see of them."""
        lag = self._scenario.router.tracking.cache_lag
        cache, tokens = self._scenario.engine.cache, self._block_tokens
        if has_tiers(cache, device_only):
            size = tokens * self._scenario.model.kv_bytes_per_token
            return tiered_caches(workers, cache, tokens, size, self.clock, lag, device_only)
        capacity = cache.capacity_tokens // tokens
        if not lag:
            caches = PrefixCaches(workers, capacity)
            return caches, caches
        reported = ReportedCaches(workers, capacity, self.clock, lag)
        return reported, reported.seen

    def _make_routers(self) -> None:
        # Predictions must not count as look-ups beyond the table.
        service = Latency(self._latency.table)
        topology = self._scenario.topology
        self._prefill_state, self._prefill_leg = self._make_leg(
            "prefill", topology.prefill, self._prefill_index, service, self._place_prefill
        )
        self._decode_state, self._decode_leg = self._make_leg(
            "decode", topology.decode, self._decode_index, service, self._place_decode
        )

    def _make_leg(
        self,
        leg: Literal["prefill", "decode"],
        workers: int,
        index: PrefixIndex | None,
        service: Latency,
        place: Place,
    ) -> tuple[RouterState, Leg]:
        scenario = self._scenario
        state = self._state_type(
            self.clock,
            leg,
            workers,
            self._block_tokens,
            scenario.router,
            service,
            scenario.engine.decode.slots,
            index,
            lambda: [worker.outputs(self.clock.now) for worker in self._decode],
        )
        policy = get_policy(scenario.router.policy)
        return state, self._leg_type(
            self.clock,
            [policy(scenario.router) for _ in range(self._replicas)],
            state,
            uniforms(self._generators[f"{leg}-ties"]),
            uniforms(self._generators[f"{leg}-softmax"]),
            place,
        )

    def run(self) -> Run:
        self._workload.start()
        with no_collection():
            self.clock.run()
        done, wanted = self.progress
        if done < wanted:
            raise all_wait(done, wanted)
        return self._collect()

    def stream(self, sink: Sink) -> dict[str, Any]:
        """Run, give all rows to `sink` at the end, and return the other fields of the run."""
        run = self.run()
        sink.take(run.log, run.measured)
        return {name: value for name, value in vars(run).items() if name not in ROWS}

    @property
    def progress(self) -> tuple[int, int]:
        """Requests done, and how many have to be."""
        extent = self._workload.demand.extent
        return self._completions, extent.warmup + extent.measured

    # The way of a request, in order.

    def _arrive(self, request: Request) -> None:
        if self._local_below and self._is_local(request):
            request.replica = len(self._arrived) % self._replicas
            self._arrived.append(request)
            request.prefill_worker = LOCAL
            request.cached_by_tier = NO_HIT.by_tier
            request.prefill_cost = [math.nan] * len(self._prefill)
            self._route_decode(request)
            return
        self._route_prefill(request)

    def _is_local(self, request: Request) -> bool:
        """Whether so little is to compute that a decode worker does it."""
        index = self._decode_index
        overlap = 0 if index is None else max(index.overlaps(request.blocks))
        return request.input_tokens - overlap * self._block_tokens < self._local_below

    def _route_prefill(self, request: Request) -> None:
        request.replica = len(self._arrived) % self._replicas
        self._arrived.append(request)
        if self._one_prefill:  # nothing to decide, so the router has no part in it
            request.prefill_cost = NO_CHOICE
            self._prefill[0].submit(request)
            return
        self._prefill_leg.route(request)

    def _place_prefill(
        self, request: Request, worker: int, overlap: int, costs: list[float]
    ) -> None:
        request.prefill_cost = costs
        uncached = request.input_tokens - overlap * self._block_tokens
        request.promised = uncached if uncached > 1 else 1
        self._prefill_state.placed(request, worker)
        self._prefill[worker].submit(request)

    def _prefilled(self, request: Request) -> None:
        if not self._one_prefill:
            self._prefill_state.ended(request, request.prefill_worker)
        if self._links is not None:
            self._links.send(request)
            return
        delay = self._handoff_time(request.input_tokens)
        if delay > 0:
            request.callbacks = self._handed_off
            self.clock.at(self.clock.now + delay, request)
        else:
            self._route_decode(request)

    def _delivered(self, request: Request) -> None:
        """A link has carried the prompt's KV."""
        self._route_decode(request)

    def _handoff_time(self, tokens: int) -> float:
        handoff = self._scenario.engine.handoff
        if handoff.bandwidth is None:
            return handoff.overhead
        size = tokens * self._scenario.model.kv_bytes_per_token
        return handoff.overhead + size / handoff.bandwidth

    def _route_decode(self, request: Request) -> None:
        request.routed = self.clock.now
        self._decode_leg.route(request)

    def _place_decode(
        self, request: Request, worker: int, _overlap: int, costs: list[float]
    ) -> None:
        request.decode_active = self._decode_state.active.copy()
        request.decode_cost = costs
        request.decode_worker = worker
        self._decode_state.placed(request, worker)
        self._send_to_decode(request, worker)

    def _send_to_decode(self, request: Request, worker: int) -> None:
        caches = self._decode_caches
        if caches is not None:
            if self._local_below and request.prefill_worker == LOCAL:
                cached = caches.overlap(worker, request.blocks) * self._block_tokens
                request.cached_tokens = min(cached, request.input_tokens - 1)
                request.cached_by_tier = (request.cached_tokens, *NO_HIT.by_tier[1:])
            caches.insert(worker, request.blocks)
        self._decode[worker].submit(request)

    def _done(self, request: Request) -> None:
        self._decode_state.ended(request, request.decode_worker)
        request.first_token = getattr(request, self._first_token)
        count = request.completion = self._completions = self._completions + 1
        extent = self._workload.demand.extent
        if count == extent.warmup:
            self._window_opened = self._meters()
        if count == extent.warmup + extent.measured:
            self.clock.stop()
        self._workload.completed(request)

    # Measuring.

    def _meters(self) -> _Meters:
        now = self.clock.now
        return _Meters(
            time=now,
            prefill_busy=np.array([worker.busy_until(now) for worker in self._prefill]),
            prefill_work=np.array([worker.work_until(now) for worker in self._prefill]),
            decode_busy=np.array([worker.busy_until(now) for worker in self._decode]),
            extrapolated=self._services.extrapolated
            + sum(worker.extrapolated for worker in self._decode),
        )

    def _collect(self) -> Run:
        begin, end = self._window_opened, self._meters()
        done = [request for request in self._arrived if request.completion]
        warmup = self._workload.demand.extent.warmup
        return Run(
            log=request_log(done, isinstance(self._prefill_caches, TieredCaches)),
            measured=np.array([request.completion > warmup for request in done], dtype=bool),
            start=begin.time,
            end=end.time,
            prefill_busy=end.prefill_busy - begin.prefill_busy,
            prefill_work=end.prefill_work - begin.prefill_work,
            decode_busy=end.decode_busy - begin.decode_busy,
            extrapolated=end.extrapolated - begin.extrapolated,
            table_context=self._latency.table.itl.context[-1],
        )
