"""The serving system put together: workers, routers and the way of a request through them.

Arrival -> prefill router -> prefill worker -> KV hand-off -> decode router -> decode worker ->
done. Each leg has its own policy instance and its own random streams.
"""

import gc
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np

from anarchy.config import ClosedLoop, Poisson, Scenario
from anarchy.errors import InputError
from anarchy.serving.clock import Clock
from anarchy.serving.decode import DecodeWorker
from anarchy.serving.kvcache import PrefixCaches, PrefixIndex
from anarchy.serving.latency import Latency
from anarchy.serving.log import Floats, RequestLog, Run
from anarchy.serving.prefill import PrefillWorker
from anarchy.serving.request import Request
from anarchy.serving.router import Policy, View, get_policy
from anarchy.serving.streams import streams, uniforms
from anarchy.serving.workload import (
    ClosedLoopWorkload,
    PoissonWorkload,
    TraceWorkload,
    Workload,
)
from anarchy.traces import TraceData

# Warm-up of a Poisson run, as a share of the requests measured after it.
POISSON_WARMUP = 0.1

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
        self._workload = self._make_workload(requests, warmup_cycles, trace)
        self._arrived: list[Request] = []  # in order of arrival, the order of the log
        self._completions = 0

        topology = scenario.topology
        self._block_tokens = self._workload.block_tokens
        self._queued_tokens = [0] * topology.prefill
        self._prefill_active = [0] * topology.prefill
        self._decode_active = [0] * topology.decode
        self._decode_blocks = [0] * topology.decode
        self._prefill_caches: PrefixIndex | None = None
        self._decode_caches: PrefixIndex | None = None
        self._make_workers()
        self._make_routers()
        self._window_opened = self._meters()

    def _make_workers(self) -> None:
        topology, engine = self._scenario.topology, self._scenario.engine
        tokens = self._block_tokens
        capacity = engine.cache.capacity_tokens // tokens
        prefill_caches = decode_caches = None
        if engine.cache.enabled:
            prefill_caches = PrefixCaches(topology.prefill, capacity)
            if self._scenario.router.decode_overlap:
                decode_caches = PrefixCaches(topology.decode, capacity)
        self._prefill_caches, self._decode_caches = prefill_caches, decode_caches
        self._handed_off = (self._route_decode,)
        self._prefill: list[Any] = [
            PrefillWorker(
                index,
                self.clock,
                engine.prefill,
                self._latency,
                prefill_caches,
                tokens,
                self._queued_tokens,
                self._prefilled,
            )
            for index in range(topology.prefill)
        ]
        self._decode: list[Any] = [
            DecodeWorker(
                self.clock,
                engine.decode.slots,
                self._latency,
                self._done,
                engine.first_token == "decode-step",
            )
            for _ in range(topology.decode)
        ]

    def _make_workload(
        self, requests: int, warmup_cycles: float, trace: TraceData | None
    ) -> Workload:
        scenario, workload = self._scenario, self._scenario.workload
        if isinstance(workload, ClosedLoop):
            cycle = (
                self._latency.prefill(workload.input_tokens)
                + self._handoff_time(workload.input_tokens)
                + workload.output_tokens * self._latency.itl_line(1)[1]
            )
            return ClosedLoopWorkload(
                self.clock,
                self._arrive,
                scenario,
                self._generators,
                cycle,
                requests,
                warmup_cycles,
            )
        if isinstance(workload, Poisson):
            return PoissonWorkload(
                self.clock,
                self._arrive,
                scenario,
                self._generators,
                requests,
                round(POISSON_WARMUP * requests),
            )
        if trace is None:
            raise InputError(f"workload.trace: trace '{workload.trace}' was not loaded")
        return TraceWorkload(self.clock, self._arrive, scenario, trace)

    def _make_routers(self) -> None:
        router = self._scenario.router
        policy = get_policy(router.policy)
        self._prefill_policy = policy(router)
        self._decode_policy = policy(router)
        self._prefill_ties = uniforms(self._generators["prefill-ties"])
        self._decode_ties = uniforms(self._generators["decode-ties"])
        self._prefill_softmax = uniforms(self._generators["prefill-softmax"])
        self._decode_softmax = uniforms(self._generators["decode-softmax"])
        topology, tokens = self._scenario.topology, self._block_tokens
        # One view per leg, renewed in place: its lists are the live state of the pool.
        self._prefill_view = View(
            "prefill",
            tokens,
            0,
            [0] * topology.prefill,
            self._queued_tokens,
            [0] * topology.prefill,
            self._prefill_active,
            self._prefill_caches.sizes if self._prefill_caches else None,
        )
        self._decode_view = View(
            "decode",
            tokens,
            0,
            [0] * topology.decode,
            [0] * topology.decode,
            self._decode_blocks,
            self._decode_active,
            self._decode_caches.sizes if self._decode_caches else None,
        )

    def run(self) -> Run:
        self._workload.start()
        # Nothing in the hot path makes cycles, and tracing millions of live requests costs a
        # quarter of the run.
        collecting = gc.isenabled()
        gc.disable()
        try:
            self.clock.run()
        finally:
            if collecting:
                gc.enable()
        done, wanted = self.progress
        if done < wanted:
            raise InputError(
                f"engine.cache.capacity_tokens: after {done} of {wanted} requests all others wait "
                "for memory that waiting requests hold; give the workers more, or set "
                "engine.memory.preempt to never"
            )
        return self._collect()

    @property
    def progress(self) -> tuple[int, int]:
        """Requests done, and how many have to be."""
        extent = self._workload.extent
        return self._completions, extent.warmup + extent.measured

    # The way of a request, in order.

    def _arrive(self, request: Request) -> None:
        self._route_prefill(request)

    def _route_prefill(self, request: Request) -> None:
        self._arrived.append(request)
        caches = self._prefill_caches
        if len(self._prefill) == 1:  # nothing to decide, so the router has no part in it
            request.prefill_cost = NO_CHOICE
            overlap = 0 if caches is None else caches.overlap(0, request.blocks)
            self._prefill[0].submit(request, overlap)
            return
        view = self._prefill_view
        view.footprint = request.footprint
        if caches is not None:
            view.overlaps = caches.overlaps(request.blocks)
        costs = self._costs(self._prefill_policy, view)
        worker = self._prefill_policy.choose(view, costs, self._prefill_ties, self._prefill_softmax)
        request.prefill_cost = costs
        self._prefill_active[worker] += 1
        self._prefill[worker].submit(request, view.overlaps[worker])

    def _costs(self, policy: Policy, view: View) -> list[float]:
        """The policy's costs as a list of our own: a policy may return live state."""
        costs = list(policy.costs(view))
        if len(costs) != len(view.active):
            raise InputError(
                f"router policy '{policy.name}' gives {len(costs)} costs for "
                f"{len(view.active)} {view.leg} workers; one for each is wanted"
            )
        return costs

    def _prefilled(self, request: Request) -> None:
        if len(self._prefill) > 1:
            self._prefill_active[request.prefill_worker] -= 1
        delay = self._handoff_time(request.input_tokens)
        if delay > 0:
            request.callbacks = self._handed_off
            self.clock.at(self.clock.now + delay, request)
        else:
            self._route_decode(request)

    def _handoff_time(self, tokens: int) -> float:
        handoff = self._scenario.engine.handoff
        if handoff.bandwidth is None:
            return handoff.overhead
        size = tokens * self._scenario.model.kv_bytes_per_token
        return handoff.overhead + size / handoff.bandwidth

    def _route_decode(self, request: Request) -> None:
        request.routed = self.clock.now
        view = self._decode_view
        view.footprint = request.footprint
        caches = self._decode_caches
        if caches is not None:
            view.overlaps = caches.overlaps(request.blocks)
        costs = self._costs(self._decode_policy, view)
        request.decode_active = self._decode_active.copy()
        request.decode_cost = costs
        worker = self._decode_policy.choose(view, costs, self._decode_ties, self._decode_softmax)
        request.decode_worker = worker
        self._decode_active[worker] += 1
        self._decode_blocks[worker] += request.footprint
        self._send_to_decode(request, caches)

    def _send_to_decode(self, request: Request, caches: PrefixIndex | None) -> None:
        worker = request.decode_worker
        if isinstance(caches, PrefixCaches):
            caches.insert(worker, request.blocks)
        self._decode[worker].submit(request)

    def _done(self, request: Request) -> None:
        worker = request.decode_worker
        self._decode_active[worker] -= 1
        self._decode_blocks[worker] -= request.footprint
        count = request.completion = self._completions = self._completions + 1
        extent = self._workload.extent
        if count == extent.warmup:
            self._window_opened = self._meters()
        if count == extent.warmup + extent.measured:
            self.clock.stop()
        self._workload.completed(request)

    # Measuring.

    def _first_token_column(self) -> str:
        events = {"prefill": "prefill_end", "handoff": "routed", "decode-step": "first_token"}
        return events[self._scenario.engine.first_token]

    def _meters(self) -> _Meters:
        now = self.clock.now
        return _Meters(
            time=now,
            prefill_busy=np.array([worker.busy_until(now) for worker in self._prefill]),
            prefill_work=np.array([worker.work_until(now) for worker in self._prefill]),
            decode_busy=np.array([worker.busy_until(now) for worker in self._decode]),
            extrapolated=self._latency.extrapolated
            + sum(worker.extrapolated for worker in self._decode),
        )

    def _collect(self) -> Run:
        begin, end = self._window_opened, self._meters()
        done = [request for request in self._arrived if request.completion]
        warmup = self._workload.extent.warmup
        return Run(
            log=_log(done, self._first_token_column()),
            measured=np.array([request.completion > warmup for request in done], dtype=bool),
            start=begin.time,
            end=end.time,
            prefill_busy=end.prefill_busy - begin.prefill_busy,
            prefill_work=end.prefill_work - begin.prefill_work,
            decode_busy=end.decode_busy - begin.decode_busy,
            extrapolated=end.extrapolated - begin.extrapolated,
            table_context=self._latency.table.itl.context[-1],
        )


def _log(requests: list[Request], first_token: str) -> RequestLog:
    count = len(requests)

    def column(name: str, kind: type) -> Any:
        return np.fromiter(map(attrgetter(name), requests), kind, count)

    def matrix(name: str) -> Any:
        values = chain.from_iterable(map(attrgetter(name), requests))
        return np.fromiter(values, np.float64).reshape(count, -1)

    floats, integers = np.float64, np.int64
    return RequestLog(
        arrival=column("arrival", floats),
        prefill_start=column("prefill_start", floats),
        prefill_end=column("prefill_end", floats),
        routed=column("routed", floats),
        first_token=column(first_token, floats),
        decode_start=column("decode_start", floats),
        done=column("done", floats),
        prefill_worker=column("prefill_worker", integers),
        decode_worker=column("decode_worker", integers),
        prompt=column("prompt", integers),
        input_tokens=column("input_tokens", integers),
        output_tokens=column("output_tokens", integers),
        cached_tokens=column("cached_tokens", integers),
        prefill_cost=matrix("prefill_cost"),
        decode_cost=matrix("decode_cost"),
        decode_active=matrix("decode_active"),
    )
