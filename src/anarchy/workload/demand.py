"""What a workload asks of the system: how many requests, of which sizes, and when they come.

It is the same for every simulator. What each single request asks, and how the clients of a closed
loop react to completions, is the simulator's part.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.config.workload import (
    ClientPhase,
    ClosedLoop,
    Custom,
    LengthLaw,
    Mmpp,
    Phases,
    Poisson,
    Prompts,
    Synthetic,
    SyntheticTrace,
    Trace,
)
from anarchy.workload.arrivals import faster, mmpp, phases, poisson
from anarchy.workload.lengths import Lengths, make_lengths
from anarchy.workload.random_streams import Generators
from anarchy.workload.traces import TraceData

OPEN_WARMUP = 0.1
"""Warm-up of an open synthetic run, as a share of the requests measured after it."""

UNCOUNTED = 2**62
"""Requests to measure where something else ends the run."""

WHOLE_RUN = ClientPhase(duration=1e9)
"""The phase of a closed loop without phases."""

LONG = 1 - 2**-53
"""The largest level: the quantile there is the longest that a law can draw."""

Size = tuple[int, int]
"""Prompt and output tokens of a request."""


@dataclass(frozen=True)
class Extent:
    """How much of a run counts: completions dropped first, then completions measured."""

    warmup: int
    measured: int


@dataclass(frozen=True)
class ClientStep:
    """From `time` on (seconds) there are `clients`; the new ones among them begin at `starts`."""

    time: float
    clients: int
    starts: NDArray[np.float64]


@dataclass(frozen=True)
class Demand:
    """The requests of one run, before any of them has come.

    `largest` takes most memory, `typical` is of mean size. A closed loop has `starts`, the times in
    seconds at which its clients send their first requests, and `steps` where their number changes;
    an open workload has `arrivals`, in seconds, ascending, of a trace as many as it has rows and
    else without end (`endless`). What a workload lacks is empty. A run ends at `until` (seconds),
    if its extent has not ended it before.
    """

    extent: Extent
    block_tokens: int
    largest: Size
    starts: NDArray[np.float64]
    arrivals: Iterator[float]
    endless: bool = False
    typical: Size | None = None
    steps: Sequence[ClientStep] = ()
    until: float = math.inf


def make_demand(
    scenario: Scenario,
    generators: Generators,
    requests: int,
    warmup_cycles: float,
    trace: TraceData | None,
    unloaded: Callable[[int, int], float],
) -> Demand:
    """The demand of a scenario whose workload is no plugin's.

    `requests` are measured if the workload has no end of its own, in a closed loop after
    `warmup_cycles` completions per client. `unloaded` gives the seconds of a request alone, by
    prompt and output tokens. Draws come from the streams "starts" and "arrivals" alone.
    """
    workload = scenario.workload
    assert not isinstance(workload, Custom)
    if isinstance(workload, Trace | SyntheticTrace):
        return _replayed(workload, trace, scenario.engine.cache.block_tokens)
    parts: list[Prompts] = [*workload.tenants] or [workload]
    sizes = [sizes_of(part) for part in parts]
    largest = max((largest for largest, _ in sizes), key=sum)
    typical = max((typical for _, typical in sizes), key=sum)
    block_tokens = scenario.engine.cache.block_tokens
    if not isinstance(workload, ClosedLoop):
        extent = Extent(round(OPEN_WARMUP * requests), requests)
        arrivals = _arrivals(workload, generators["arrivals"])
        return Demand(extent, block_tokens, largest, np.empty(0), arrivals, True, typical)
    extent = Extent(round(warmup_cycles * workload.clients), requests)
    if workload.phases:
        extent = Extent(0, UNCOUNTED)
    # At random within one unloaded cycle at first, so that no burst has to wash out.
    ramp = unloaded(*typical) if workload.ramp is None else workload.ramp
    first, *steps = _client_steps(workload, generators["starts"], ramp)
    until = sum(phase.duration for phase in workload.phases) or math.inf
    return Demand(
        extent, block_tokens, largest, first.starts, iter(()), False, typical, steps, until
    )


def _client_steps(
    workload: ClosedLoop, rng: np.random.Generator, ramp: float
) -> Iterator[ClientStep]:
    """How many clients there are from when on; the first step is the beginning."""
    time, before = 0.0, 0
    for phase in workload.phases or [WHOLE_RUN]:
        clients = phase.clients or workload.clients
        starts = time + rng.uniform(0.0, ramp, max(0, clients - before))
        yield ClientStep(time, clients, starts)
        time, before = time + phase.duration, clients


def sizes_of(prompts: Prompts) -> tuple[Size, Size]:
    """The largest request that may be drawn, and a typical one."""
    inputs = _longest_and_mean(prompts.input_lengths, prompts.input_tokens, "input")
    outputs = _longest_and_mean(prompts.output_lengths, prompts.output_tokens, "output")
    return (inputs[0], outputs[0]), (inputs[1], outputs[1])


def lengths_of(law: LengthLaw | None, part: str) -> Lengths | None:
    """The law of the lengths of one part, "input" or "output"; None if they never vary."""
    if law is None:
        return None
    return make_lengths(law.kind, law.model_dump(exclude={"kind"}), f"workload.{part}_lengths")


def _longest_and_mean(law: LengthLaw | None, tokens: int, part: str) -> tuple[int, int]:
    lengths = lengths_of(law, part)
    if lengths is None:
        return tokens, tokens
    return int(lengths.quantiles(np.array([LONG]))[0]), max(1, round(lengths.mean))


def _arrivals(workload: Synthetic, rng: np.random.Generator) -> Iterator[float]:
    """The times of arrival of an open workload, without end."""
    if isinstance(workload, Poisson):
        return poisson(rng, workload.rate)
    if isinstance(workload, Mmpp):
        return faster(mmpp(rng, workload.rates, workload.switching), workload.speed)
    assert isinstance(workload, Phases)
    steps = [(phase.duration, phase.rate) for phase in workload.phases]
    steps[-1] = (math.inf, steps[-1][1])
    return faster(phases(rng, steps), workload.speed)


def _replayed(
    workload: Trace | SyntheticTrace, trace: TraceData | None, block_tokens: int
) -> Demand:
    """All rows of a trace at their recorded times, divided by `speed`; none is warm-up."""
    if trace is None:
        raise InputError(f"workload.{workload.kind}: the requests were not loaded")
    rows = len(trace.arrival) if workload.rows is None else workload.rows
    if rows > len(trace.arrival):
        raise InputError(
            f"workload.rows: {rows} rows asked for, the {workload.kind} has {len(trace.arrival)}"
        )
    lengths = zip(
        trace.input_tokens[:rows].tolist(), trace.output_tokens[:rows].tolist(), strict=True
    )
    return Demand(
        Extent(0, rows),
        trace.block_tokens or block_tokens,
        max(lengths, key=sum),
        np.empty(0),
        iter((trace.arrival[:rows] / workload.speed).tolist()),
        typical=(
            max(1, round(float(trace.input_tokens[:rows].mean()))),
            max(1, round(float(trace.output_tokens[:rows].mean()))),
        ),
    )
