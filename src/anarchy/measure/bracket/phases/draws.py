"""What all schedules of a closed loop with phases draw, and what any stretch of it sums to.

A request is drawn, with the pause before it, when the one before is done or a client is added. So
what is drawn within a window is consecutive, from an unknown place on; all of it is done by the
window's last completion but what the other active clients have in hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop
from anarchy.measure.bracket.closed_loop import drawn_requests
from anarchy.measure.bracket.requests import Requests
from anarchy.serving.log.request_log import Floats
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.unloaded import unloaded_seconds
from anarchy.workload.demand import make_demand
from anarchy.workload.random_streams import exponentials, streams


@dataclass(frozen=True)
class PhasedDraws:
    """The first requests and think times (seconds) of a run.

    `starts` are the pauses of the clients that begin, by the second at which they are added.
    """

    requests: Requests
    thinks: Floats
    starts: Mapping[float, Floats]

    def __len__(self) -> int:
        return len(self.requests)

    @cached_property
    def longest_pause(self) -> float:
        """Seconds."""
        pauses = [self.thinks, *self.starts.values()]
        return max(float(pause.max(initial=0.0)) for pause in pauses)

    def starts_within(self, start: float, end: float) -> Floats:
        """The pauses of those that are added from `start` on and before `end`."""
        pauses = [own for time, own in self.starts.items() if start <= time < end]
        return np.concatenate([np.empty(0), *pauses])


def draw_phases(
    scenario: Scenario, latency: Latency, seed: int, replication: int, count: int
) -> PhasedDraws:
    """The first `count` draws of a replication, as the simulators make them."""
    workload = scenario.workload
    assert isinstance(workload, ClosedLoop)
    generators = streams(seed, replication)
    demand = make_demand(
        scenario,
        generators,
        count,
        0.0,
        None,
        lambda prompt, output: unloaded_seconds(scenario, latency, prompt, output),
    )
    starts = {0.0: demand.starts}
    starts |= {step.time: step.starts - step.time for step in demand.steps}
    thinks = exponentials(generators["think"], workload.think_time)
    return PhasedDraws(
        drawn_requests(scenario, generators, count), np.fromiter(thinks, float, count), starts
    )


class Consecutive:
    """Sums of consecutive values, of which some may be left out: limits over where they begin."""

    def __init__(self, values: Floats) -> None:
        self._values = values
        self._sums = np.concatenate([[0.0], np.cumsum(values)])
        self._smallest = float(values.min())
        self._alike = bool((values == values[0]).all())
        self._largest: dict[int, float] = {}

    @property
    def smallest(self) -> float:
        """The least of all values."""
        return self._smallest

    def least(self, count: int, others: int, are_first: bool) -> float:
        """What `count` of the next `count + others` values sum to at least, wherever these begin.

        `are_first`: they are the first of all.
        """
        if count <= 0 or self._alike:
            return max(0, count) * self._smallest
        length = min(count + others, len(self._values))
        if are_first:
            left_out = _sum_of_largest(self._values[:length], length - count)
            return float(self._sums[length]) - left_out
        if others not in self._largest:
            self._largest[others] = _sum_of_largest(self._values, others)
        together = float((self._sums[length:] - self._sums[: len(self._sums) - length]).min())
        return max(count * self._smallest, together - self._largest[others])

    def most(self, count: int) -> float:
        """What `count` consecutive values sum to at most."""
        length = min(count, len(self._values))
        return float((self._sums[length:] - self._sums[: len(self._sums) - length]).max())


def _sum_of_largest(values: Floats, count: int) -> float:
    first = len(values) - count
    return float(np.partition(values, first)[first:].sum()) if count else 0.0
