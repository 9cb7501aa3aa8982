"""Where requests come from: a workload is one class, found by the name it is registered under.

A workload submits requests and is told when one is done. It decides how many requests are
dropped as warm-up and how many are measured; the system does the rest.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat

import numpy as np

from anarchy.common.registry import Registry
from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop, Custom, LengthLaw, Prompts, Synthetic
from anarchy.serving.reference.core.event_queue import EventQueue, Timer
from anarchy.serving.reference.core.request import Request
from anarchy.serving.rules.event_order import END, STEP
from anarchy.workload.demand import ClientStep, Demand, lengths_of, make_demand
from anarchy.workload.lengths import Lengths
from anarchy.workload.random_streams import (
    CHUNK,
    Generators,
    exponentials,
    integers,
    split_streams,
    uniforms,
)
from anarchy.workload.traces import TraceData


@dataclass(frozen=True)
class Context:
    """What a workload is made from: one run of one scenario."""

    events: EventQueue
    submit: Callable[[Request], None]
    scenario: Scenario
    generators: Generators
    requests: int  # to measure, for workloads without an end
    warmup_cycles: float  # completions per client to drop, for closed loops
    trace: TraceData | None
    unloaded: Callable[[int, int], float]  # seconds of a request alone, by prompt and output

    def demand(self) -> Demand:
        """The demand of a workload that is no plugin's."""
        return make_demand(
            self.scenario,
            self.generators,
            self.requests,
            self.warmup_cycles,
            self.trace,
            self.unloaded,
        )


class Workload(ABC):
    """A source of requests; `demand` says how many they are and how large."""

    demand: Demand

    def __init__(self, context: Context) -> None:
        self.events = context.events
        self.submit = context.submit

    @abstractmethod
    def start(self) -> None:
        """Schedule the first arrivals."""

    def completed(self, request: Request) -> None:  # noqa: B027  (open workloads ignore it)
        """A request is done."""

    def _arrive(self, request: Request) -> None:
        request.arrival = self.events.now
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
    """C clients: think, send a random template, wait for the last token, think again."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.demand = context.demand()
        workload = context.scenario.workload
        assert isinstance(workload, ClosedLoop)
        self._prompts = SyntheticPrompts(workload, self.demand.block_tokens, context.generators)
        self._thinks = exponentials(context.generators["think"], workload.think_time)
        self._handlers = (self._arrive,)
        self._clients = 0  # those that go on asking
        self._idle = set(range(workload.clients))

    def start(self) -> None:
        self._step(ClientStep(0.0, len(self.demand.starts), self.demand.starts))
        for step in self.demand.steps:
            Timer(self.events, step.time, partial(self._step, step), STEP)
        if self.demand.until < math.inf:
            Timer(self.events, self.demand.until, self.events.stop, END)

    def _step(self, step: ClientStep) -> None:
        for client, start in enumerate(step.starts.tolist(), self._clients):
            if client in self._idle:  # or it goes on, not having stopped yet
                self._idle.remove(client)
                self._send(client, start)
        self._clients = step.clients

    def completed(self, request: Request) -> None:
        if request.client < self._clients:
            self._send(request.client, self.events.now + next(self._thinks))
        else:
            self._idle.add(request.client)

    def _send(self, client: int, at: float) -> None:
        request = self._prompts.request(client)
        request.callbacks = self._handlers
        self.events.at(at, request)


class OpenWorkload(Workload):
    """Arrivals that heed no completions; they go on until the run has measured enough."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.demand = context.demand()
        workload = context.scenario.workload
        assert isinstance(workload, Synthetic)
        self._prompts = SyntheticPrompts(workload, self.demand.block_tokens, context.generators)
        self._handlers = (self._next,)

    def start(self) -> None:
        self._send()

    def _next(self, request: Request) -> None:
        self._send()
        self._arrive(request)

    def _send(self) -> None:
        request = self._prompts.request(-1)
        request.callbacks = self._handlers
        self.events.at(next(self.demand.arrivals), request)


@register("poisson")
class PoissonWorkload(OpenWorkload):
    """Poisson arrivals."""


@register("mmpp")
class MmppWorkload(OpenWorkload):
    """Bursts: a Markov-modulated Poisson process."""


@register("phases")
class PhasesWorkload(OpenWorkload):
    """Poisson arrivals whose rate steps; the last phase goes on."""


@register("trace")
class TraceWorkload(Workload):
    """The rows of a trace at their recorded times, divided by `speed`; all rows are measured."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.demand = context.demand()
        trace = context.trace
        assert trace is not None  # or there would be no demand
        rows = self.demand.extent.measured
        self._inputs = trace.input_tokens[:rows].tolist()
        self._outputs = trace.output_tokens[:rows].tolist()
        self._blocks: Sequence[tuple[int, ...]] = trace.blocks
        self._row = 0
        self._handlers = (self._next,)

    def start(self) -> None:
        self._send()

    def _next(self, request: Request) -> None:
        if self._row < self.demand.extent.measured:
            self._send()
        self._arrive(request)

    def _send(self) -> None:
        row = self._row
        self._row = row + 1
        tokens = self._inputs[row]
        prompt_blocks = math.ceil(tokens / self.demand.block_tokens)
        request = Request(row, tokens, self._outputs[row], self._blocks[row], prompt_blocks)
        request.callbacks = self._handlers
        self.events.at(next(self.demand.arrivals), request)


@register("synthetic-trace")
class TwinWorkload(TraceWorkload):
    """A synthetic trace with the statistics of a recorded one, replayed in the same way."""


class SyntheticPrompts:
    """Makes the requests of a synthetic workload, of all its tenants."""

    def __init__(self, workload: Synthetic, block_tokens: int, generators: Generators) -> None:
        parts: list[Prompts] = [*workload.tenants] or [workload]
        streams = split_streams(generators, len(parts))
        fresh = _FreshBlocks()
        self._tenants = [
            _TenantPrompts(index, part, block_tokens, stream, fresh)
            for index, (part, stream) in enumerate(zip(parts, streams, strict=True))
        ]
        shares = np.array([tenant.share for tenant in workload.tenants] or [1.0])
        self._limits = (np.cumsum(shares) / shares.sum()).tolist()
        self._picks = uniforms(generators["tenants"])

    def request(self, client: int) -> Request:
        """A new request."""
        if len(self._tenants) == 1:
            return self._tenants[0].request(client)
        pick = next(self._picks)
        tenant = next((k for k, limit in enumerate(self._limits) if pick < limit), -1)
        return self._tenants[tenant].request(client)


class _FreshBlocks:
    """Hands out block ids that nobody has."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, count: int) -> tuple[int, ...]:
        first = self._next
        self._next = first + count
        return tuple(range(first, self._next))


class _TenantPrompts:
    """The prompts of one tenant: each begins like a template, which has whole blocks of its own."""

    def __init__(
        self,
        tenant: int,
        prompts: Prompts,
        block_tokens: int,
        generators: Generators,
        fresh: _FreshBlocks,
    ) -> None:
        self._tenant = tenant
        self._block_tokens = block_tokens
        self._template = prompts.input_tokens
        self._fresh = fresh
        whole = prompts.input_tokens // block_tokens
        self._blocks = [fresh.take(whole) for _ in range(prompts.templates)]
        self._choices = integers(generators["prompts"], prompts.templates)
        inputs, outputs = generators["input-lengths"], generators["output-lengths"]
        self._inputs = _lengths(prompts.input_lengths, prompts.input_tokens, inputs, "input")
        self._outputs = _lengths(prompts.output_lengths, prompts.output_tokens, outputs, "output")

    def request(self, client: int) -> Request:
        template, tokens = next(self._choices), next(self._inputs)
        blocks = self._blocks[template]
        if tokens != self._template:
            whole = tokens // self._block_tokens
            blocks = blocks[:whole] + self._fresh.take(max(0, whole - len(blocks)))
        prompt_blocks = math.ceil(tokens / self._block_tokens)
        request = Request(template, tokens, next(self._outputs), blocks, prompt_blocks, client)
        request.tenant = self._tenant
        return request


def _lengths(
    law: LengthLaw | None, tokens: int, rng: np.random.Generator, part: str
) -> Iterator[int]:
    """Draws of the law, or always `tokens` if there is none."""
    lengths = lengths_of(law, part)
    return repeat(tokens) if lengths is None else _draws(lengths, rng)


def _draws(lengths: Lengths, rng: np.random.Generator) -> Iterator[int]:
    while True:
        yield from lengths.sample(rng, CHUNK).tolist()
