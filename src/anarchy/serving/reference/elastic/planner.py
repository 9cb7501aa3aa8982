"""The planner's rules: from what was observed in an interval to how many workers each pool gets.

Source: the planner of NVIDIA Dynamo. Its load rule compares the use of the decode workers' KV
memory and the length of the prefill queue with thresholds; its SLA rule divides the forecast load
by what one worker does within the promised latency, after correcting for how far latencies were
from what the table says.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from anarchy.config.scenario import Planner, Scenario
from anarchy.serving.reference.elastic.forecast import make_forecast
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.unloaded import handoff_seconds


@dataclass(frozen=True)
class Sizes:
    """Workers of the two pools."""

    prefill: int
    decode: int


@dataclass(frozen=True)
class Means:
    """Means over the requests that were done in an interval; times in seconds."""

    input_tokens: float
    output_tokens: float
    ttft: float
    itl: float


@dataclass(frozen=True)
class Observed:
    """What a planner knows of an interval that has ended."""

    seconds: float
    arrived: int  # requests
    done: Means | None  # None if nothing was done
    kv_load: float  # tokens of the decode workers' requests over their capacity
    batch: float  # requests on a decode worker
    queue: float  # requests that wait for prefill, per prefill worker


class Rule(ABC):
    """How many workers there should be, whatever there is room for."""

    @abstractmethod
    def target(self, observed: Observed, now: Sizes, budget: int) -> Sizes:
        """The sizes to move to, at most `budget` workers if the rule does not go step by step."""


class LoadRule(Rule):
    """A step up above one threshold, a step down below another, for each pool by itself."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def target(self, observed: Observed, now: Sizes, budget: int) -> Sizes:
        planner = self._planner
        prefill = planner.step * crossed(observed.queue, planner.queue_down, planner.queue_up)
        decode = planner.step * crossed(observed.kv_load, planner.kv_down, planner.kv_up)
        return Sizes(now.prefill + prefill, now.decode + decode)


def crossed(value: float, down: float, up: float) -> int:
    """1 above `up`, -1 below `down`, 0 between."""
    return (value > up) - (value < down)


class SlaRule(Rule):
    """As many workers as the forecast load needs to keep the promised ITL.

    A prefill worker computes one prompt after another, so the load is the prompts' time, reduced
    if TTFT was shorter than expected (cached prefixes); queueing, which makes it longer, does not
    raise it. A decode worker takes the largest batch whose ITL, corrected likewise but both ways,
    keeps the promise; if none does, one request.
    """

    def __init__(self, scenario: Scenario, service: Latency) -> None:
        """`service` is for predictions only, so not the one whose look-ups are counted."""
        self._scenario = scenario
        self._service = service
        planner = scenario.planner
        self._rate = make_forecast(planner)
        self._inputs = make_forecast(planner)
        self._outputs = make_forecast(planner)
        self._known: tuple[float, float] | None = None  # forecast input and output tokens
        self._prefill_correction = self._decode_correction = 1.0

    def target(self, observed: Observed, now: Sizes, budget: int) -> Sizes:
        rate = self._rate.update(observed.arrived / observed.seconds)
        done = observed.done
        if done is not None:
            if self._scenario.planner.correction:
                self._correct(done, max(1, round(observed.batch)))
            inputs = self._inputs.update(done.input_tokens)
            self._known = (inputs, self._outputs.update(done.output_tokens))
        if self._known is None:
            return now
        inputs, outputs = self._known
        seconds = self._service.prefill(round(inputs)) * min(1.0, self._prefill_correction)
        promise = self._scenario.planner.itl / self._decode_correction
        throughput = self.tokens_per_second(promise, inputs + outputs / 2)
        prefill = max(1, math.ceil(rate * seconds))
        decode = max(1, math.ceil(rate * outputs / throughput))
        if prefill + decode > budget:
            prefill = min(budget - 1, max(1, round(prefill * budget / (prefill + decode))))
            decode = budget - prefill
        return Sizes(prefill, decode)

    def tokens_per_second(self, itl: float, context: float) -> float:
        """The most output of one decode worker with an ITL of at most `itl` seconds."""
        service = self._service
        best = 1.0 / service.itl(1, context)
        for batch in range(2, self._scenario.engine.decode.slots + 1):
            step = service.itl(batch, context)
            if step <= itl:
                best = max(best, batch / step)
        return best

    def _correct(self, done: Means, batch: int) -> None:
        """Learn how far the latencies were from what the table says."""
        service, engine = self._service, self._scenario.engine
        expected = service.prefill(round(done.input_tokens))
        if engine.first_token != "prefill":
            expected += handoff_seconds(self._scenario, done.input_tokens)
        self._prefill_correction = done.ttft / expected
        context = done.input_tokens + done.output_tokens / 2
        self._decode_correction = done.itl / service.itl(batch, context)


def make_rule(scenario: Scenario, service: Latency) -> Rule:
    """The rule that the scenario asks for."""
    if scenario.planner.rule == "load":
        return LoadRule(scenario.planner)
    return SlaRule(scenario, service)


def within_step(target: Sizes, now: Sizes, step: int) -> Sizes:
    """The nearest sizes at most `step` away in each pool, never below one worker."""
    return Sizes(
        max(1, now.prefill + max(-step, min(step, target.prefill - now.prefill))),
        max(1, now.decode + max(-step, min(step, target.decode - now.decode))),
    )
