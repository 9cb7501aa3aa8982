"""What the bounds know of a deployment: the shortest and longest steps of both pools.

Schedules differ in where requests go and in nothing else: workers, speeds, batch limits, hand-off
and the order of every queue are rules. What holds for a step of any batch holds for all schedules.
A controller only changes where requests go, so what holds for schedules holds for it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop, Custom
from anarchy.serving.log.request_log import Floats
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.unloaded import handoff_seconds


def check_bounded(scenario: Scenario) -> None:
    """Refuse a scenario whose rules the proofs do not cover: one line that names the field."""
    engine, cache = scenario.engine, scenario.engine.cache
    tiers = (cache.host, cache.disk, cache.network)
    closed = isinstance(scenario.workload, ClosedLoop)
    uncovered = {
        "engine.memory.paged": engine.memory.paged,
        "engine.local_prefill_below": engine.local_prefill_below > 0,
        "engine.cache": closed and any(tier.capacity_tokens for tier in tiers),
        "planner.rule": scenario.planner.rule != "none",
        "outages": bool(scenario.outages),
        "workload.kind": isinstance(scenario.workload, Custom),
    }
    for field, is_set in uncovered.items():
        if is_set:
            raise InputError(f"bracket: {field}: no bound is proved for it; allowed: the default")


@dataclass(frozen=True)
class ServiceLimits:
    """One deployment; at most `most` requests are in it at once."""

    scenario: Scenario
    latency: Latency
    most: int

    @cached_property
    def prefill_speeds(self) -> list[float]:
        """One a worker."""
        topology = self.scenario.topology
        return topology.prefill_speed or [1.0] * topology.prefill

    @cached_property
    def decode_speeds(self) -> list[float]:
        """One a worker."""
        topology = self.scenario.topology
        return topology.decode_speed or [1.0] * topology.decode

    @property
    def batch(self) -> int:
        """Most sequences that a decode worker runs at once."""
        return min(self.scenario.engine.decode.slots, self.most)

    # Prefill, at speed 1.

    def shortest_step(self, tokens: int) -> float:
        """Seconds that a prefill step of at least `tokens` tokens takes at least.

        Times of a table are linear between its entries, so the least is at one of these or at
        `tokens`; what is attended to and not computed only adds.
        """
        return min(min(self._steps(at)) for at in [tokens, *self._entries(tokens, math.inf)])

    def longest_step(self, tokens: int, cached: int) -> float:
        """Seconds that a step of at most `tokens` tokens takes at most."""
        steps = [max(self._steps(at)) for at in [tokens, *self._entries(0, tokens)]]
        slopes = self.latency.table.prefill.cached
        more = max(slopes.seconds_per_token) * cached if slopes else 0.0
        return max(steps) + more

    def work(self, tokens: Sequence[int]) -> Floats:
        """Seconds of prefill work of each request that computes so many tokens at least.

        No step is shorter than the work of its prompts: alone they are a step each; together, a
        step is no shorter than its prompts times the least seconds a prompt, nor than its tokens
        times the least seconds a token. The larger of the two sums is taken.
        """
        batches = self.scenario.engine.prefill
        if batches.batch_requests == 1:
            known = {count: self.shortest_step(count) for count in set(tokens)}
            return np.array([known[count] for count in tokens])
        few, many = min(tokens), max(*tokens, batches.batch_tokens)
        prompts = range(1, max(1, min(batches.batch_requests, batches.batch_tokens // few)) + 1)
        each = min(self.shortest_step(k * few) / k for k in prompts)
        at = [few, many, *self._entries(few, many)]
        token = min(min(self._steps(count)) / count for count in at)
        by_prompt, by_token = np.full(len(tokens), each), token * np.asarray(tokens, dtype=float)
        return by_prompt if by_prompt.sum() > by_token.sum() else by_token

    def _steps(self, tokens: int) -> tuple[float, float]:
        """A step of so many tokens, of one prompt and of the shortest ones: others lie between."""
        return self.latency.prefill(tokens), self.latency.prefill(tokens, prompts=tokens)

    def _entries(self, low: float, high: float) -> list[int]:
        """The table's entries between two numbers of tokens."""
        table = self.latency.table.prefill
        axes = [*table.tokens, *(table.batched.tokens if table.batched else [])]
        return [entry for entry in axes if low < entry < high]

    # Hand-off.

    def handoff(self, tokens: int) -> float:
        """Seconds of the hand-off of a prompt that has the link to itself."""
        return handoff_seconds(self.scenario, tokens)

    # Decode, at speed 1.

    def decode_steps(self, context: int) -> Floats:
        """Seconds of a step of 1, 2, ... `batch` sequences of `context` tokens each."""
        lines = [self.latency.itl_line(count) for count in range(1, self.batch + 1)]
        return np.array([value + slope * max(0.0, context - c0) for c0, value, slope in lines])
