"""Where requests come from: closed loops, Poisson arrivals, traces.

A workload submits requests and is told when one is done. It decides how many requests are
dropped as warm-up and how many are measured; the cluster does the rest.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from anarchy.config import ClosedLoop, Poisson, PrefixCache, Scenario, Trace
from anarchy.errors import InputError
from anarchy.serving.clock import Clock
from anarchy.serving.request import Request
from anarchy.serving.streams import exponentials, integers
from anarchy.traces import TraceData

Generators = dict[str, np.random.Generator]


@dataclass(frozen=True)
class Extent:
    """How much of a run counts: completions dropped first, then completions measured."""

    warmup: int
    measured: int


class Workload(ABC):
    """A source of requests on a clock."""

    extent: Extent
    block_tokens: int
    largest: tuple[int, int]  # prompt and output tokens of the request that takes most memory

    def __init__(self, clock: Clock, submit: Callable[[Request], None]) -> None:
        self.clock = clock
        self.submit = submit

    @abstractmethod
    def start(self) -> None:
        """Schedule the first arrivals."""

    def completed(self, request: Request) -> None:  # noqa: B027  (open workloads ignore it)
        """A request is done."""

    def _arrive(self, request: Request) -> None:
        request.arrival = self.clock.now
        self.submit(request)


class Templates:
    """Prompts from a few templates of equal length, each with whole prefix blocks of its own."""

    def __init__(self, workload: ClosedLoop | Poisson, cache: PrefixCache) -> None:
        whole = workload.input_tokens // cache.block_tokens
        self.blocks = [
            tuple(range(template * whole, (template + 1) * whole))
            for template in range(workload.templates)
        ]
        self.input_tokens = workload.input_tokens
        self.output_tokens = workload.output_tokens
        self.footprint = math.ceil(workload.input_tokens / cache.block_tokens)

    def request(self, template: int, client: int) -> Request:
        """A new request with the template's prompt."""
        return Request(
            template,
            self.input_tokens,
            self.output_tokens,
            self.blocks[template],
            self.footprint,
            client,
        )


class ClosedLoopWorkload(Workload):
    """C clients: think, send a random template, wait for the last token, think again.

    Clients start at random within one unloaded cycle, so that no burst has to wash out.
    """

    def __init__(
        self,
        clock: Clock,
        submit: Callable[[Request], None],
        scenario: Scenario,
        generators: Generators,
        unloaded_cycle: float,
        requests: int,
        warmup_cycles: float,
    ) -> None:
        super().__init__(clock, submit)
        workload = scenario.workload
        assert isinstance(workload, ClosedLoop)
        self._templates = Templates(workload, scenario.engine.cache)
        self.block_tokens = scenario.engine.cache.block_tokens
        self.largest = (workload.input_tokens, workload.output_tokens)
        self.extent = Extent(round(warmup_cycles * workload.clients), requests)
        self._starts = generators["starts"].uniform(0.0, unloaded_cycle, workload.clients)
        self._thinks = exponentials(generators["think"], workload.think_time)
        self._prompts = integers(generators["prompts"], workload.templates)
        self._handlers = (self._arrive,)

    def start(self) -> None:
        for client, start in enumerate(self._starts.tolist()):
            self._send(client, start)

    def completed(self, request: Request) -> None:
        self._send(request.client, self.clock.now + next(self._thinks))

    def _send(self, client: int, at: float) -> None:
        request = self._templates.request(next(self._prompts), client)
        request.callbacks = self._handlers
        self.clock.at(at, request)


class PoissonWorkload(Workload):
    """Poisson arrivals of random templates; arrivals go on until the run has measured enough."""

    def __init__(
        self,
        clock: Clock,
        submit: Callable[[Request], None],
        scenario: Scenario,
        generators: Generators,
        requests: int,
        warmup_requests: int,
    ) -> None:
        super().__init__(clock, submit)
        workload = scenario.workload
        assert isinstance(workload, Poisson)
        self._templates = Templates(workload, scenario.engine.cache)
        self.block_tokens = scenario.engine.cache.block_tokens
        self.largest = (workload.input_tokens, workload.output_tokens)
        self.extent = Extent(warmup_requests, requests)
        self._gaps = exponentials(generators["arrivals"], 1.0 / workload.rate)
        self._prompts = integers(generators["prompts"], workload.templates)
        self._handlers = (self._next,)

    def start(self) -> None:
        self._send()

    def _next(self, request: Request) -> None:
        self._send()
        self._arrive(request)

    def _send(self) -> None:
        request = self._templates.request(next(self._prompts), -1)
        request.callbacks = self._handlers
        self.clock.at(self.clock.now + next(self._gaps), request)


class TraceWorkload(Workload):
    """The rows of a trace at their recorded times, divided by `speed`; all rows are measured."""

    def __init__(
        self,
        clock: Clock,
        submit: Callable[[Request], None],
        scenario: Scenario,
        trace: TraceData,
    ) -> None:
        super().__init__(clock, submit)
        workload = scenario.workload
        assert isinstance(workload, Trace)
        rows = len(trace.arrival) if workload.rows is None else workload.rows
        if rows > len(trace.arrival):
            raise InputError(
                f"workload.rows: {rows} rows asked for, trace '{workload.trace}' has "
                f"{len(trace.arrival)}"
            )
        self.block_tokens = trace.block_tokens or scenario.engine.cache.block_tokens
        self.extent = Extent(0, rows)
        self._times = (trace.arrival[:rows] / workload.speed).tolist()
        self._inputs = trace.input_tokens[:rows].tolist()
        self._outputs = trace.output_tokens[:rows].tolist()
        self._blocks: Sequence[tuple[int, ...]] = trace.blocks
        self.largest = max(zip(self._inputs, self._outputs, strict=True), key=sum)
        self._row = 0
        self._handlers = (self._next,)

    def start(self) -> None:
        self._send()

    def _next(self, request: Request) -> None:
        if self._row < len(self._times):
            self._send()
        self._arrive(request)

    def _send(self) -> None:
        row = self._row
        self._row = row + 1
        request = Request(
            row,
            self._inputs[row],
            self._outputs[row],
            self._blocks[row],
            math.ceil(self._inputs[row] / self.block_tokens),
        )
        request.callbacks = self._handlers
        self.clock.at(self._times[row], request)
