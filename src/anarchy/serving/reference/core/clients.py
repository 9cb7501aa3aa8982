"""Where requests come from: a workload is one class, found by the name it is registered under.

A workload submits requests and is told when one is done. It decides how many requests are
dropped as warm-up and how many are measured; the cluster does the rest.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from anarchy.common.errors import InputError
from anarchy.common.registry import Registry
from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop, Custom, Mmpp, Phases, Poisson, Trace, TwinTrace
from anarchy.serving.reference.core.event_queue import Clock
from anarchy.serving.reference.core.prompts import Prompting
from anarchy.serving.reference.core.request import Request
from anarchy.workload.arrivals import faster, mmpp, phases, poisson
from anarchy.workload.random_streams import exponentials
from anarchy.workload.traces import TraceData

Generators = dict[str, np.random.Generator]

OPEN_WARMUP = 0.1
"""Warm-up of an open synthetic run, as a share of the requests measured after it."""


@dataclass(frozen=True)
class Extent:
    """How much of a run counts: completions dropped first, then completions measured."""

    warmup: int
    measured: int


@dataclass(frozen=True)
class Context:
    """What a workload is made from: one run of one scenario."""

    clock: Clock
    submit: Callable[[Request], None]
    scenario: Scenario
    generators: Generators
    requests: int  # to measure, for workloads without an end
    warmup_cycles: float  # completions per client to drop, for closed loops
    trace: TraceData | None
    unloaded: Callable[[int, int], float]  # seconds of a request alone, by prompt and output


class Workload(ABC):
    """A source of requests on a clock."""

    extent: Extent
    block_tokens: int
    largest: tuple[int, int]  # prompt and output tokens of the request that takes most memory

    def __init__(self, context: Context) -> None:
        self.clock = context.clock
        self.submit = context.submit

    @abstractmethod
    def start(self) -> None:
        """Schedule the first arrivals."""

    def completed(self, request: Request) -> None:  # noqa: B027  (open workloads ignore it)
        """A request is done."""

    def _arrive(self, request: Request) -> None:
        request.arrival = self.clock.now
        self.submit(request)


WORKLOADS: Registry[type[Workload]] = Registry("workload")
register = WORKLOADS.register


def make_workload(context: Context) -> Workload:
    """The scenario's workload, found by its kind, or by the name that a plugin gave it."""
    workload = context.scenario.workload
    name = workload.workload if isinstance(workload, Custom) else workload.kind
    return WORKLOADS.find(name, "workload.workload")(context)


@register("closed-loop")
class ClosedLoopWorkload(Workload):
    """C clients: think, send a random template, wait for the last token, think again.

    Clients start at random within one unloaded cycle, so that no burst has to wash out.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        workload = context.scenario.workload
        assert isinstance(workload, ClosedLoop)
        cache, generators = context.scenario.engine.cache, context.generators
        self._prompting = Prompting(workload, cache.block_tokens, generators)
        self.block_tokens = cache.block_tokens
        self.largest = self._prompting.largest
        self.extent = Extent(round(context.warmup_cycles * workload.clients), context.requests)
        cycle = context.unloaded(*self._prompting.typical)
        self.starts = generators["starts"].uniform(0.0, cycle, workload.clients)
        self._thinks = exponentials(generators["think"], workload.think_time)
        self._handlers = (self._arrive,)

    def start(self) -> None:
        for client, start in enumerate(self.starts.tolist()):
            self._send(client, start)

    def completed(self, request: Request) -> None:
        self._send(request.client, self.clock.now + next(self._thinks))

    def _send(self, client: int, at: float) -> None:
        request = self._prompting.request(client)
        request.callbacks = self._handlers
        self.clock.at(at, request)


class OpenWorkload(Workload):
    """Arrivals that heed no completions; they go on until the run has measured enough."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        workload = context.scenario.workload
        assert isinstance(workload, Poisson | Mmpp | Phases)
        cache = context.scenario.engine.cache
        self._prompting = Prompting(workload, cache.block_tokens, context.generators)
        self.block_tokens = cache.block_tokens
        self.largest = self._prompting.largest
        self.extent = Extent(round(OPEN_WARMUP * context.requests), context.requests)
        self.arrivals = self.times(context.scenario, context.generators["arrivals"])
        self._handlers = (self._next,)

    @abstractmethod
    def times(self, scenario: Scenario, rng: np.random.Generator) -> Iterator[float]:
        """The times of arrival, without end."""

    def start(self) -> None:
        self._send()

    def _next(self, request: Request) -> None:
        self._send()
        self._arrive(request)

    def _send(self) -> None:
        request = self._prompting.request(-1)
        request.callbacks = self._handlers
        self.clock.at(next(self.arrivals), request)


@register("poisson")
class PoissonWorkload(OpenWorkload):
    """Poisson arrivals."""

    def times(self, scenario: Scenario, rng: np.random.Generator) -> Iterator[float]:
        assert isinstance(scenario.workload, Poisson)
        return poisson(rng, scenario.workload.rate)


@register("mmpp")
class MmppWorkload(OpenWorkload):
    """Bursts: a Markov-modulated Poisson process."""

    def times(self, scenario: Scenario, rng: np.random.Generator) -> Iterator[float]:
        workload = scenario.workload
        assert isinstance(workload, Mmpp)
        return faster(mmpp(rng, workload.rates, workload.switching), workload.speed)


@register("phases")
class PhasesWorkload(OpenWorkload):
    """Poisson arrivals whose rate steps; the last phase goes on."""

    def times(self, scenario: Scenario, rng: np.random.Generator) -> Iterator[float]:
        workload = scenario.workload
        assert isinstance(workload, Phases)
        steps = [(phase.duration, phase.rate) for phase in workload.phases]
        steps[-1] = (math.inf, steps[-1][1])
        return faster(phases(rng, steps), workload.speed)


@register("trace")
@register("twin")
class TraceWorkload(Workload):
    """The rows of a trace at their recorded times, divided by `speed`; all rows are measured."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        scenario, trace = context.scenario, context.trace
        workload = scenario.workload
        assert isinstance(workload, Trace | TwinTrace)
        if trace is None:
            raise InputError(f"workload.{workload.kind}: the requests were not loaded")
        rows = len(trace.arrival) if workload.rows is None else workload.rows
        if rows > len(trace.arrival):
            raise InputError(
                f"workload.rows: {rows} rows asked for, the {workload.kind} has "
                f"{len(trace.arrival)}"
            )
        self.block_tokens = trace.block_tokens or scenario.engine.cache.block_tokens
        self.extent = Extent(0, rows)
        self.arrivals = iter((trace.arrival[:rows] / workload.speed).tolist())
        self._inputs = trace.input_tokens[:rows].tolist()
        self._outputs = trace.output_tokens[:rows].tolist()
        self._blocks: Sequence[tuple[int, ...]] = trace.blocks
        self.largest = max(zip(self._inputs, self._outputs, strict=True), key=sum)
        self._row = 0
        self._handlers = (self._next,)

    def start(self) -> None:
        self._send()

    def _next(self, request: Request) -> None:
        if self._row < self.extent.measured:
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
        self.clock.at(next(self.arrivals), request)
