"""The knee of a closed loop with one prefill worker, by operational laws.

A client's request passes the frontend, takes part in a prefill step, is handed off, decodes and is
followed by the client's next one. Until something is full nobody waits, so C clients pass at the
rate C over the unloaded cycle; later at one over the largest demand. The asymptotes cross at N*
(Denning and Buzen 1978). With batched prefill the worker is full later than that, because full
steps are longer than those of an unloaded prompt: `Cycle.bracket` bounds where.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop
from anarchy.games.queueing.saturation_point import operational_knee
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.unloaded import handoff_seconds

ROUNDS = 100
"""Of a fixed point that converges within a few."""


@dataclass(frozen=True)
class Cycle:
    """What a request takes on its way round, seconds, but for decode, which its length decides.

    step      a prefill step of n prompts
    full      the most prompts of a step
    host      the frontend, where each request passes alone if it is `serial`
    delay     hand-off and think time
    itl       a decode step, by (real) batch and mean context
    prompt    tokens of a prompt
    workers   decode workers
    """

    step: Callable[[int], float]
    full: int
    host: float
    serial: bool
    delay: float
    itl: Callable[[float, float], float]
    prompt: int
    workers: int

    @cached_property
    def demand(self) -> float:
        """A prompt's share of a full prefill step."""
        return self.step(self.full) / self.full

    @property
    def bottleneck(self) -> float:
        """The larger demand, at prefill or at a serial frontend."""
        return max(self.demand, self.host) if self.serial else self.demand

    def elsewhere(self, output_tokens: float) -> float:
        """Seconds of hand-off, decode and thinking when the bottleneck is full.

        Decode time is taken at the mean context of a request. Infinite if decode cannot keep up.
        """
        context = self._context(output_tokens)
        knee = operational_knee(
            self.bottleneck,
            self.delay,
            output_tokens,
            lambda batch: self.itl(batch, context),
            self.workers,
        )
        return (knee.clients - 1) * self.bottleneck

    def output_tokens(self, elsewhere: float) -> float:
        """The output length at which a request is so many seconds `elsewhere`; 0 if there is none.

        By Little's law the seconds of decode alone say how large the batches are.
        """
        decode = elsewhere - self.delay
        if decode <= 0:
            return 0.0
        batch = max(1.0, decode / (self.workers * self.bottleneck))
        tokens = before = 0.0
        for _ in range(ROUNDS):  # the context depends on the length, the ITL little on the context
            before, tokens = tokens, decode / self.itl(batch, self._context(max(tokens, 1.0)))
            if tokens == before:
                break
        return tokens

    def _context(self, output_tokens: float) -> float:
        return self.prompt + (output_tokens - 1) / 2

    @cached_property
    def crossing(self) -> "Clients":
        """N*, where the asymptotes cross."""
        return Clients((self.host + self.step(1)) / self.bottleneck, 1 / self.bottleneck)

    def bound(self, output_tokens: float) -> float:
        """N* of an output length; infinite when decode saturates first."""
        return self.crossing.at(self.elsewhere(output_tokens))

    def bracket(self, busy: float) -> "tuple[Clients, Clients]":
        """Bounds on the fewest clients that load the bottleneck to a share `busy` of its capacity.

        Both follow from Little's law. Full prefill: at the load `busy` each step has at least n
        prompts on average, with n / step(n) that share of the full rate, and all that is elsewhere
        passes at this rate. Conversely no more than `full` prompts beyond this rate's are elsewhere
        at a step's end, so a full step waits if two full steps' prompts are left. A burst that has
        to pass a serial frontend takes as long as so many prompts do there. Where the frontend is
        full, prompts come to prefill one by one, and pass within two steps of as many as come
        during one. Decode counts as a delay.
        """
        sizes = range(1, self.full + 1)
        if self.bottleneck > self.demand:
            fit = next(n for n in sizes if self.step(n) <= n * self.host)
            least, rate = self.crossing, 1 / self.host
            most = Clients(2 + 2 * self.step(fit) * rate, rate)
        else:
            rate = 1 / self.demand
            fewest = next(n for n in sizes if n * self.demand >= busy * self.step(n))
            least = Clients(max(1.0, (fewest - 1) / busy) + self.host * rate, rate)
            burst = self.full * self.host * rate if self.serial else 0.0
            most = Clients(2 * self.full + burst + self.host * rate, rate)
        return Clients(busy * least.idle, busy * least.per_second), most


class Clients(NamedTuple):
    """A number of clients that is linear in the seconds of `Cycle.elsewhere`."""

    idle: float
    per_second: float

    def at(self, elsewhere: float) -> float:
        """The number with requests so many seconds elsewhere."""
        return self.idle + self.per_second * elsewhere

    def longest(self, cycle: Cycle, clients: float) -> float:
        """The longest output with which the number is at most `clients`; 0 if there is none."""
        return cycle.output_tokens((clients - self.idle) / self.per_second)


def cycle_of(scenario: Scenario, latency: Latency) -> Cycle | None:
    """The cycle of a closed loop of equal requests with one prefill worker; None for others."""
    workload, engine = scenario.workload, scenario.engine
    if not isinstance(workload, ClosedLoop) or scenario.topology.prefill != 1:
        return None
    prompt, cached = workload.input_tokens, cached_tokens(scenario)
    uncached = prompt - cached

    def itl(batch: float, context: float) -> float:
        low = math.floor(batch)
        share = batch - low
        at_low = latency.itl(low, context)
        return at_low if share == 0 else at_low + share * (latency.itl(low + 1, context) - at_low)

    return Cycle(
        step=lambda prompts: latency.prefill(prompts * uncached, prompts, prompts * cached),
        full=max(1, min(engine.prefill.batch_requests, engine.prefill.batch_tokens // uncached)),
        host=scenario.frontend.overhead,
        serial=scenario.frontend.serial,
        delay=handoff_seconds(scenario, prompt) + workload.think_time,
        itl=itl,
        prompt=prompt,
        workers=scenario.topology.decode,
    )


def cached_tokens(scenario: Scenario) -> int:
    """Tokens of a prompt of a closed loop that prefill finds in its cache, once all are there."""
    workload, cache = scenario.workload, scenario.engine.cache
    if not isinstance(workload, ClosedLoop) or not cache.enabled:
        return 0
    prompt, block = workload.input_tokens, cache.block_tokens
    return min(prompt // block * block, cache.most_taken(prompt, block))


def operational_bound(scenario: Scenario, latency: Latency) -> float | None:
    """N* (eq:nstar) of a closed loop with one prefill worker, clients; None for other scenarios.

    With batched prefill the demand of a request is its share of a full step, while an unloaded
    request still takes a step of its own. A serial frontend is a station too, and the larger of
    the two demands is the bottleneck; any other is a delay, as is think time. Infinite when decode
    saturates first.
    """
    cycle = cycle_of(scenario, latency)
    if cycle is None:
        return None
    assert isinstance(scenario.workload, ClosedLoop)
    return cycle.bound(scenario.workload.output_tokens)
