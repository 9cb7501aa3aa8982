"""What requests take at least and at most where so many clients may be active."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from anarchy.measure.bracket.decode_price import corner_prices, most_tokens, rent
from anarchy.measure.bracket.longest_stays import LongestStays
from anarchy.measure.bracket.phases.draws import Consecutive, PhasedDraws
from anarchy.measure.bracket.requests import LeastCosts, least_costs
from anarchy.measure.bracket.service_limits import ServiceLimits
from anarchy.serving.log.request_log import Floats


@dataclass(frozen=True)
class Crowd:
    """Sums over requests, prices and stays; `whole_run` has the stays among all clients."""

    draws: PhasedDraws
    limits: ServiceLimits
    whole_run: LongestStays

    @cached_property
    def work(self) -> Consecutive:
        """Seconds of prefill work, on a worker of speed 1."""
        return Consecutive(self._costs.work)

    @cached_property
    def handed_over(self) -> Consecutive:
        """Least seconds from arrival to the end of the hand-off."""
        return Consecutive(self._costs.handed_over)

    @cached_property
    def tokens(self) -> Consecutive:
        """Output tokens."""
        return Consecutive(self.draws.requests.output_tokens.astype(float))

    @cached_property
    def first_token(self) -> Consecutive:
        """Least seconds from arrival to the first token."""
        return Consecutive(self._costs.first_token)

    @cached_property
    def first_tokens(self) -> Floats:
        """The same for each request, ascending."""
        return np.sort(self._costs.first_token)

    @cached_property
    def done(self) -> Consecutive:
        """Least seconds from arrival to the last token."""
        return Consecutive(self._costs.done)

    @cached_property
    def after_prefill(self) -> float:
        """Least seconds from the end of prefill to the last token, of any request."""
        return float((self._costs.done - self._costs.prefilled).min())

    @cached_property
    def from_prefill_to_first_token(self) -> float:
        """Least seconds between these two, of any request."""
        return float((self._costs.first_token - self._costs.prefilled).min())

    @cached_property
    def prices(self) -> tuple[Floats, Floats]:
        """Of a token in seconds, and of a second of all decode workers."""
        return self._prices(self._steps)

    @cached_property
    def own_prices(self) -> tuple[Floats, Floats]:
        """The same where only the time of some sequences of a batch is counted, and their tokens.

        So many of them are in steps of as many sequences or more.
        """
        return self._prices(np.minimum.accumulate(self._steps[::-1])[::-1])

    @cached_property
    def token_rate(self) -> float:
        """Most tokens a second."""
        return most_tokens(self._steps, self.limits.decode_speeds)

    @cached_property
    def stays(self) -> LongestStays:
        """Longest stays."""
        return LongestStays(self.draws.requests, self.limits, self.whole_run.step)

    def _prices(self, steps: Floats) -> tuple[Floats, Floats]:
        speeds = self.limits.decode_speeds
        prices = corner_prices(steps, speeds)
        return prices, np.array([rent(price, steps, speeds) for price in prices])

    @cached_property
    def _costs(self) -> LeastCosts:
        return least_costs(self.draws.requests, self.limits)

    @cached_property
    def _steps(self) -> Floats:
        return self.limits.decode_steps(self.draws.requests.context[0])


class Crowds:
    """A crowd for each number of clients, made when it is asked for."""

    def __init__(self, draws: PhasedDraws, limits: ServiceLimits) -> None:
        """`limits` are those of all clients."""
        self._draws = draws
        self._limits = limits
        self._whole_run = LongestStays(draws.requests, limits)
        self._known: dict[int, Crowd] = {}

    @property
    def longest(self) -> float:
        """Seconds from when a request is drawn until it is done, at most."""
        return self._draws.longest_pause + float(self._whole_run.done.max())

    def of(self, clients: int) -> Crowd:
        """That of so many clients, of one at least."""
        clients = max(1, clients)
        if clients not in self._known:
            limits = ServiceLimits(self._limits.scenario, self._limits.latency, clients)
            self._known[clients] = Crowd(self._draws, limits, self._whole_run)
        return self._known[clients]
