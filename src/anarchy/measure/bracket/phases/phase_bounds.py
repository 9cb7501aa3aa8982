"""Bounds of any schedule over the requests that are done within a window of a closed loop.

How many these are is the schedule's doing. So first comes the most that they can be, then what
n of them take at least, and a bound is the least over all n. What a window finds in the system
may be nearly done and so costs it nothing; what it leaves there may be as old as can be.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from anarchy.measure.bracket.phases.crowds import Crowds
from anarchy.measure.bracket.phases.draws import Consecutive, PhasedDraws
from anarchy.measure.bracket.phases.windows import Window
from anarchy.serving.log.request_log import Floats

CUTS = 1 - np.concatenate([[0.0], np.geomspace(0.002, 0.95, 24), [1.0]])
"""Where the numbers of completions are cut into ranges, as shares of the most."""


@dataclass(frozen=True)
class _Part:
    """At least and at most so many completions, and the seconds that they sum to at least."""

    least: int
    most: int
    e2e: float
    ttft: float


class PhaseBounds:
    """Lower bounds of the times, an upper bound of the throughput, of every schedule.

    Means and percentiles are over the requests that are done within the window, in schedules that
    have some; where none can be done there, they are infinite.
    """

    def __init__(self, window: Window, draws: PhasedDraws, crowds: Crowds, at_most: int) -> None:
        """It is known that `at_most` so many requests are done within the window."""
        self._window = window
        self._draws = draws
        self._at_most = at_most
        self._crowd = crowds.of(window.within)
        self._served = crowds.of(window.crowd)
        self._left = crowds.of(window.last_crowd).stays
        self._starts = draws.starts_within(window.start, window.end)
        self._thinks = Consecutive(draws.thinks)

    @cached_property
    def completions(self) -> int:
        """How many requests are done at most; nearly as many as are drawn, if it could be more."""
        least, most = 0, min(self._at_most, len(self._draws) - self._window.within)
        while least < most:
            middle = (least + most + 1) // 2
            if self._can_be_done(middle):
                least = middle
            else:
                most = middle - 1
        return least

    @property
    def throughput(self) -> float:
        """Completions a second."""
        return self.completions / self._window.duration

    @property
    def e2e_mean(self) -> float:
        """Mean end-to-end latency, seconds."""
        mean = min((part.e2e / part.most for part in self._parts), default=np.inf)
        return max(self._served.done.smallest, mean)

    @property
    def ttft_mean(self) -> float:
        """Mean time to first token, seconds."""
        mean = min((part.ttft / part.most for part in self._parts), default=np.inf)
        return max(self._served.first_token.smallest, mean)

    @property
    def ttft_p99(self) -> float:
        """P99 of the time to first token, seconds."""
        return min(map(self._ttft_p99, self._parts), default=np.inf)

    def _can_be_done(self, count: int) -> bool:
        """Whether nothing is known against so many completions."""
        begun = count - self._window.before
        if begun <= 0:
            return True
        limits, crowd, duration = self._crowd.limits, self._crowd, self._window.duration
        frontend = limits.scenario.frontend
        free = duration - frontend.overhead - crowd.after_prefill
        tokens = self._least(crowd.tokens, begun)
        if self._least(crowd.work, begun) > free * sum(limits.prefill_speeds):
            return False
        received = (begun - 1) * frontend.overhead if frontend.serial else 0.0
        if received > duration - crowd.done.smallest:
            return False
        if tokens > crowd.token_rate * duration:
            return False
        spent = self._least_thinking(begun) + self._least(crowd.handed_over, begun)
        return all(
            bool((spent + prices * tokens <= seconds + rents * duration).all())
            for seconds, (prices, rents) in self._budgets
        )

    @cached_property
    def _budgets(self) -> list[tuple[float, tuple[Floats, Floats]]]:
        """Client-seconds that there are, and the prices: of all that is done, of what is begun."""
        budgets = [(self._window.active, self._crowd.prices)]
        if self._window.phase is not None:  # then all that is begun is by those that ask
            budgets.append((self._window.asked, self._crowd.own_prices))
        return budgets

    @cached_property
    def _parts(self) -> list[_Part]:
        """Ranges that together have 1 to the most completions."""
        ends = np.unique(np.ceil(CUTS * self.completions).astype(int)).tolist()
        return [self._part(before + 1, last) for before, last in pairwise(ends)]

    def _part(self, least: int, most: int) -> _Part:
        """Alone each takes something; Little's law says more, and what is not decode is TTFT."""
        left = self._window.after * min(self._window.duration, float(self._left.done.max()))
        little = self._window.asked - self._most_thinking(most) - left
        e2e = max(self._alone(self._served.done, least), little)
        after = most * float(self._served.stays.after_first_token.max())
        ttft = max(self._alone(self._served.first_token, least), e2e - after)
        return _Part(least, most, e2e, ttft)

    def _ttft_p99(self, part: _Part) -> float:
        """By order statistics, by what the few above it can be at most, and by a burst."""
        within = _within_p99(part.most)
        above = part.most - within
        counted = part.ttft - above * self._served.stays.first_token
        in_order = float(self._served.first_tokens[_within_p99(part.least) - 1])
        return max(in_order, counted / within, self._last_of_burst(above))

    def _last_of_burst(self, spared: int) -> float:
        """Seconds to the first token of all but so many of those that are added at once.

        They are clients that cannot have been active, and all of them are done within the window.
        """
        window, starts = self._window, self._draws.starts.get(self._window.start, np.empty(0))
        counted = min(len(starts), window.within - window.before) - spared
        if counted <= 0 or starts.max() + self._served.stays.done.max() > window.duration:
            return 0.0
        limits = self._crowd.limits
        work = self._least(self._crowd.work, counted) / sum(limits.prefill_speeds)
        computed = limits.scenario.frontend.overhead + work - float(np.ptp(starts))
        return computed + self._crowd.from_prefill_to_first_token

    def _alone(self, costs: Consecutive, count: int) -> float:
        """What so many requests take at least, those included that the window finds begun."""
        found = min(count, self._window.before)
        return found * costs.smallest + self._least(costs, count - found)

    def _least_thinking(self, begun: int) -> float:
        """Seconds of the pauses before so many requests, those of starts being left out."""
        return self._least(self._thinks, begun - len(self._starts))

    def _most_thinking(self, done: int) -> float:
        """Seconds of all pauses within the window."""
        before = self._window.before * self._draws.longest_pause
        return before + float(self._starts.sum()) + self._thinks.most(done)

    def _least(self, values: Consecutive, count: int) -> float:
        """The least sum over so many that are drawn and done within the window."""
        return values.least(count, self._window.within - 1, self._window.start == 0)


def _within_p99(count: int) -> int:
    """How many of so many values are at or below their P99, interpolated linearly, at least."""
    return int(0.99 * (count - 1)) + 1
