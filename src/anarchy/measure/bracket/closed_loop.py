"""Bounds of the best schedule of a closed loop: C clients, n completions from an empty system.

All schedules draw the same requests and think times, in the order in which they are sent and
done. Until the n-th completion at most n + C - 1 requests are sent, so any n of these may be the
ones that are done, and at most C - 1 others are in flight. The clients' time C t is thinking, the
done requests' time in the system, and the age of what is in flight: that is Little's law without
its limit, and what the bounds lean on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop
from anarchy.measure.bracket.decode_price import best_price, rent
from anarchy.measure.bracket.longest_stays import LongestStays
from anarchy.measure.bracket.requests import (
    LeastCosts,
    Requests,
    fewest_computed,
    least_costs,
)
from anarchy.measure.bracket.service_limits import ServiceLimits
from anarchy.serving.log.request_log import Floats, Ints
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.unloaded import unloaded_seconds
from anarchy.workload.demand import make_demand
from anarchy.workload.random_streams import Generators, exponentials, streams


@dataclass(frozen=True)
class ClosedLoopDraws:
    """What all schedules of one closed loop share until the n-th completion.

    `requests` are the n + C - 1 that may be sent, after as many pauses: the C `starts` and n - 1
    `thinks`, in seconds. At most C - 1 pauses are not over by then.
    """

    completions: int
    clients: int
    requests: Requests
    starts: Floats
    thinks: Floats

    @property
    def most_thinking(self) -> float:
        """Seconds of all pauses."""
        return float(self.starts.sum() + self.thinks.sum())

    def least_thinking(self, time: float) -> float:
        """Seconds of the pauses that are over, if the n-th completion is not before `time`."""
        pauses, over = self.thinks, float(self.starts.sum())
        if time < self.starts.max():  # somebody may not have begun
            pauses, over = np.concatenate([self.starts, self.thinks]), 0.0
        left = max(0, len(pauses) - self.clients + 1)
        return over + float(np.sort(pauses)[:left].sum())


def draw(
    scenario: Scenario, latency: Latency, seed: int, replication: int, completions: int
) -> ClosedLoopDraws:
    """The draws of a replication, as the simulators make them."""
    workload = scenario.workload
    assert isinstance(workload, ClosedLoop)
    clients, generators = workload.clients, streams(seed, replication)
    demand = make_demand(
        scenario,
        generators,
        completions,
        0.0,
        None,
        lambda prompt, output: unloaded_seconds(scenario, latency, prompt, output),
    )
    thinks = exponentials(generators["think"], workload.think_time)
    return ClosedLoopDraws(
        completions,
        clients,
        drawn_requests(scenario, generators, completions + clients - 1),
        starts=demand.starts,
        thinks=np.fromiter(thinks, float, completions - 1),
    )


def drawn_requests(scenario: Scenario, generators: Generators, count: int) -> Requests:
    """The first requests of a closed loop, in the order in which they are drawn."""
    from anarchy.serving.compiled.core.asks import SyntheticAsks  # which needs numba: not at once

    workload = scenario.workload
    assert isinstance(workload, ClosedLoop)
    asks = SyntheticAsks(workload, scenario.engine.cache.block_tokens, generators).next(count)
    inputs, outputs, tenants = (
        np.array(asks[name], dtype=np.int64) for name in ("input_tokens", "output_tokens", "tenant")
    )
    return Requests(inputs, outputs, fewest_computed(scenario, inputs, tenants))


class ClosedLoopBounds:
    """Lower bounds of the times, an upper bound of the throughput, of every schedule."""

    def __init__(self, draws: ClosedLoopDraws, limits: ServiceLimits) -> None:
        self._draws = draws
        self._limits = limits
        self._costs: LeastCosts = least_costs(draws.requests, limits)
        self._steps = limits.decode_steps(draws.requests.context[0])
        self._stays = LongestStays(draws.requests, limits)
        self._tokens: Ints = draws.requests.output_tokens

    @property
    def throughput(self) -> float:
        """Completions a second."""
        return self._draws.completions / self.least_time

    @cached_property
    def least_time(self) -> float:
        """Seconds until the n-th completion: the busiest station's, or all clients' together."""
        return max(self._busiest, self._over_prices(self._time_at_price))

    @cached_property
    def _busiest(self) -> float:
        """Seconds until the station with most to do has done it and the last request is through."""
        limits, costs, start = self._limits, self._costs, float(self._draws.starts.min())
        frontend = limits.scenario.frontend
        prefill = self._least(costs.work) / sum(limits.prefill_speeds)
        prefilled = start + frontend.overhead + prefill
        busiest = prefilled + float((costs.done - costs.prefilled).min())
        if frontend.serial:
            received = start + frontend.overhead * self._draws.completions
            busiest = max(busiest, received + float(costs.done.min()) - frontend.overhead)
        return busiest

    def _time_at_price(self, price: float) -> float:
        """Seconds in which the clients can have thought, been handed over, and paid for tokens."""
        costs, draws = self._costs, self._draws
        spent = self._thought + self._least(costs.handed_over + price * self._tokens)
        return spent / (draws.clients + self._rent(price))

    @cached_property
    def _thought(self) -> float:
        """Seconds that the clients have thought at least."""
        return self._draws.least_thinking(self._busiest)

    @cached_property
    def e2e_sum(self) -> float:
        """Seconds that the n requests that are done spend in the system."""
        draws = self._draws
        little = draws.clients * self.least_time - draws.most_thinking - self._ages
        return max(self._least(self._costs.done), little, self._over_prices(self._e2e_at_price))

    def _e2e_at_price(self, price: float) -> float:
        """As `_time_at_price`, with the time that Little's law gives for what is spent."""
        draws = self._draws
        share = self._rent(price) / draws.clients
        spent = self._least(self._costs.handed_over + price * self._tokens)
        others = max(0.0, self._stays.step - price) * self._most_in_flight(self._tokens)
        return (spent - share * (draws.most_thinking + self._ages) - others) / (1 + share)

    @property
    def e2e_mean(self) -> float:
        """Mean end-to-end latency, seconds."""
        return self.e2e_sum / self._draws.completions

    @cached_property
    def ttft_sum(self) -> float:
        """Seconds until the first tokens of the n requests: what is not decode is before it."""
        after = self._most(self._stays.after_first_token)
        return max(self._least(self._costs.first_token), self.e2e_sum - after)

    @property
    def ttft_mean(self) -> float:
        """Mean time to first token, seconds."""
        return self.ttft_sum / self._draws.completions

    @property
    def ttft_p99(self) -> float:
        """P99 of the time to first token, seconds.

        By order statistics; and because the few above it are no longer than the longest.
        """
        n = self._draws.completions
        unloaded = np.percentile(np.sort(self._costs.first_token)[:n], 99)
        within = int(0.99 * (n - 1)) + 1
        counted = self.ttft_sum - (n - within) * self._stays.first_token
        return max(float(unloaded), counted / within)

    @property
    def _ages(self) -> float:
        """Seconds that what is in flight at the end can have been there, all together."""
        return self._most_in_flight(self._stays.done)

    def _rent(self, price: float) -> float:
        return rent(price, self._steps, self._limits.decode_speeds)

    def _over_prices(self, bound: Callable[[float], float]) -> float:
        return best_price(bound, self._steps, self._limits.decode_speeds)

    def _least(self, values: Floats) -> float:
        """The least sum over n of the requests that may be sent."""
        return float(values.sum()) - self._most_in_flight(values)

    def _most(self, values: Floats) -> float:
        """The largest sum over n of them."""
        return float(values.sum()) + self._most_in_flight(-values)

    def _most_in_flight(self, values: Floats | Ints) -> float:
        """The largest sum over C - 1 of them."""
        done = self._draws.completions
        return float(np.partition(values, done - 1)[done:].sum())
