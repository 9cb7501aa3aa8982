"""The serving system fed so that it is one queue of the textbooks.

One second is the mean service time. A mean request is `TOKENS` tokens long, so that service times
are whole multiples of 1e-5 s; stations that the queue does not have take `INSTANT` per request. A
step boundary comes every 1e-5 s, or every N times 1e-5 s where N requests share a worker, and a
request joins at the next one: the sojourn grows by less than 1e-5 of itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anarchy.config.engine import Decode, Engine, PrefixCache
from anarchy.config.router import Router
from anarchy.config.scenario import Hardware, Scenario, ServedModel, Topology
from anarchy.config.workload import (
    ClosedLoop,
    FixedLengths,
    GeometricLengths,
    LengthLaw,
    Poisson,
    QuantileLengths,
    Trace,
)
from anarchy.serving.log.request_log import RequestLog
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.provenance import Derivation
from anarchy.serving.service_times.table import ItlTimes, LatencyTable, PrefillTimes
from anarchy.serving.simulate import simulate

Floats = NDArray[np.float64]

TOKENS = 100_000
"""Tokens of a mean request."""

TOKEN = 1 / TOKENS
"""Seconds that one token takes."""

INSTANT = 1e-10
"""Seconds of a step that the queue does not have."""

LONGEST = 10**8
"""Last token count of the latency table, beyond any length."""

WIDEST = 10**6
"""Slots of a worker that takes everybody, and last batch of the latency table."""

SETTLING = 5.0
"""Relaxation times that pass before measuring, and that are left unmeasured at the end."""


@dataclass(frozen=True)
class Service:
    """A law of service times of mean 1: that of the token lengths, and its second moment."""

    law: LengthLaw
    second_moment: float

    @property
    def random(self) -> bool:
        """Whether service times vary."""
        return self.second_moment > 1


def _mixed(levels: Sequence[float], values: Sequence[float]) -> Service:
    """Service times whose quantiles are linear between `values` at `levels`."""
    second_moment = sum(
        (high - low) * (a * a + a * b + b * b) / 3
        for (low, a), (high, b) in pairwise(zip(levels, values, strict=True))
    )
    tokens = [TOKENS * value for value in values]
    law = QuantileLengths(kind="quantiles", levels=list(levels), values=tokens)
    return Service(law, second_moment)


EXPONENTIAL = Service(GeometricLengths(kind="geometric", mean_tokens=TOKENS), 2 - 1 / TOKENS)
"""Geometric with steps of 1e-5, which no check can tell from exponential."""

DETERMINISTIC = Service(FixedLengths(kind="fixed", tokens=TOKENS), 1.0)

MIXED = _mixed((0.0, 0.75, 1.0), (0.2, 0.6, 5.0))
"""Three quarters are short, one quarter lies between short and five times the mean."""


@dataclass(frozen=True)
class Queue:
    """One textbook queue.

    station   "prefill": one queue per server; "decode": one queue before all servers;
              "shared": one server that all requests present share equally
    servers   prefill workers, or slots of the decode worker
    choices   different random prefill workers of which each arrival joins the shortest
    """

    name: str
    station: Literal["prefill", "decode", "shared"]
    service: Service
    servers: int = 1
    choices: int = 1


@dataclass(frozen=True)
class Sample:
    """n consecutive arrivals of one run in its steady state, times in mean services.

    service, gap   its service time and the time to the next arrival, both length n
    wait           time before its service begins; 0 for a shared server
    sojourn        time from arrival to departure
    work           total service still to be done that it finds; length n + 1
    """

    service: Floats
    gap: Floats
    wait: Floats
    sojourn: Floats
    work: Floats


def settling(queue: Queue, load: float) -> int:
    """Requests that pass in `SETTLING` relaxation times, the longest of the queue's modes.

    Of M/M/1 it is 1 / (1 - sqrt(rho))^2 services. The total work of many servers relaxes as that
    of one fast server; with a choice of queues the servers' own relaxation, about as many services
    at a time, comes on top.
    """
    services = 1 / (1 - math.sqrt(load)) ** 2
    waits = 1 / (1 - load)
    own = queue.servers * waits if queue.station == "prefill" else 0.0
    return math.ceil(SETTLING * (max(services, own) + queue.servers))


def run_queue(queue: Queue, load: float, requests: int, rng: np.random.Generator) -> Sample:
    """Simulate one run from empty and cut out `requests` arrivals of its steady state."""
    settle = settling(queue, load)
    total = requests + 2 * settle + 1
    times = (INSTANT, TOKEN) if queue.station != "prefill" else (TOKEN, INSTANT)
    run = simulate(
        _scenario(queue, load),
        latency(*times, shared=queue.station == "shared"),
        seed=int(rng.integers(2**31)),
        requests=total,
    )
    return _cut(queue, run.log, settle, requests)


def _cut(queue: Queue, log: RequestLog, settle: int, requests: int) -> Sample:
    tokens = log.input_tokens if queue.station == "prefill" else log.output_tokens
    service = tokens / TOKENS
    gap = np.diff(log.arrival)
    if queue.station == "shared":
        start = log.arrival
        work = _unfinished(service, gap)
    else:
        start = log.prefill_start if queue.station == "prefill" else log.decode_start
        work = _work_found(log, service, start)
    measured = slice(settle, settle + requests)
    return Sample(
        service=service[measured],
        gap=gap[measured],
        wait=(start - log.arrival)[measured],
        sojourn=log.e2e[measured],
        work=work[settle : settle + requests + 1],
    )


def _unfinished(service: Floats, gap: Floats) -> Floats:
    """Work that arrivals find at a server that never rests while there is any (Lindley 1952)."""
    walk = np.concatenate([[0.0], np.cumsum(service[:-1] - gap)])
    found: Floats = walk - np.minimum.accumulate(walk)
    return found


def _work_found(log: RequestLog, service: Floats, start: Floats) -> Floats:
    """Work that arrivals find at servers that serve one request at a time: come less done."""
    done = _time_since(start, log.arrival) - _time_since(log.done, log.arrival)
    come = np.concatenate([[0.0], np.cumsum(service[:-1])])
    found: Floats = come - done
    return found


def _time_since(events: Floats, now: Floats) -> Floats:
    """The sum over the events before `now` of the time that has passed since."""
    ordered = np.sort(events)
    count = np.searchsorted(ordered, now, side="right")
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    passed: Floats = count * now - sums[count]
    return passed


def _scenario(queue: Queue, load: float) -> Scenario:
    many = queue.servers > 1 and queue.station == "prefill"
    law = queue.service.law
    prefill = queue.station == "prefill"
    return scenario(
        Poisson(
            kind="poisson",
            rate=load * queue.servers,
            templates=1,
            input_tokens=TOKENS if prefill else 1,
            output_tokens=1 if prefill else TOKENS,
            input_lengths=law if prefill else None,
            output_lengths=None if prefill else law,
        ),
        topology=Topology(prefill=queue.servers if many else 1, decode=1),
        slots=queue.servers if queue.station == "decode" else WIDEST,
        router=Router(policy="power-of-two") if many else None,
    )


def scenario(
    workload: ClosedLoop | Poisson | Trace,
    topology: Topology,
    slots: int = WIDEST,
    router: Router | None = None,
) -> Scenario:
    """A system without caches, hand-off times and batching of prefill."""
    workers = topology.prefill + topology.decode
    return Scenario(
        description="a queue of the textbooks",
        model=ServedModel(name="none", latency="none", kv_bytes_per_token=1),
        hardware=Hardware(gpu="none", gpus=workers, gpus_per_worker=1),
        topology=topology,
        engine=Engine(
            decode=Decode(slots=slots), cache=PrefixCache(enabled=False, block_tokens=LONGEST)
        ),
        router=router or Router(),
        workload=workload,
    )


def latency(prefill: float, decode: float, shared: bool = False) -> Latency:
    """Service times in proportion to the tokens: seconds of one at prefill and at decode.

    A decode step takes `decode` seconds, or as many times as it has requests if `shared`.
    """
    tokens = [1, LONGEST // 2, LONGEST]
    together = decode * WIDEST if shared else decode
    return Latency(
        LatencyTable(
            model="none",
            system="none",
            backend="none",
            backend_version="none",
            tensor_parallel=1,
            provenance=Derivation(
                kind="assumed",
                source="definition",
                version="none",
                licence="none",
                call="none",
                note="none",
            ),
            prefill=PrefillTimes(tokens=tokens, seconds=[prefill * count for count in tokens]),
            itl=ItlTimes(batch=[1, WIDEST], context=[LONGEST], seconds=[[decode, together]]),
        )
    )
