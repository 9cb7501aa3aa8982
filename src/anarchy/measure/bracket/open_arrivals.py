"""Bounds of the best schedule of requests whose arrivals heed no completion: all are done.

One prefill worker leaves nothing to choose before decode: its queue is first come, first served.
Several are no better than one of all their speeds that may interrupt any prompt at any time; such a
machine serves the shortest remaining prompt first (Schrage 1968), or, to end prompts half their own
time after their mean busy time, the shortest prompt (Goemans, Queyranne, Schulz, Skutella and Wang
2002).
"""

from functools import cached_property
from heapq import heappop, heappush

import numpy as np

from anarchy.measure.bracket.requests import Requests, least_costs
from anarchy.measure.bracket.service_limits import ServiceLimits
from anarchy.serving.log.request_log import Floats


class OpenBounds:
    """Lower bounds of the times, an upper bound of the throughput, of every schedule."""

    def __init__(self, arrival: Floats, requests: Requests, limits: ServiceLimits) -> None:
        """`arrival` ascends, in seconds."""
        self._arrival = arrival
        self._costs = least_costs(requests, limits)
        self._speeds = limits.prefill_speeds
        self._received = arrival + limits.scenario.frontend.overhead

    @property
    def throughput(self) -> float:
        """Requests a second until the last is done."""
        return len(self._arrival) / float((self._arrival + self._costs.done).max())

    @property
    def e2e_mean(self) -> float:
        """Mean end-to-end latency, seconds."""
        return self._mean_prefilled + float((self._costs.done - self._costs.prefilled).mean())

    @property
    def ttft_mean(self) -> float:
        """Mean time to first token, seconds."""
        after = self._costs.first_token - self._costs.prefilled
        return self._mean_prefilled + float(after.mean())

    @property
    def ttft_p99(self) -> float:
        """P99 of the time to first token, seconds: by order statistics of what each takes at least.

        On several workers, whatever few requests are above it, the work of the others that arrive
        in any interval is done no sooner than all workers together can do it.
        """
        after = self._costs.first_token - self._costs.prefilled
        alone = float(np.percentile(self._prefilled + after, 99))
        n, work = len(self._arrival), self._costs.work
        above = n - int(0.99 * (n - 1)) - 1
        backlog = float((_in_turn(self._received, work / sum(self._speeds)) - self._arrival).max())
        spared = float(np.sort(work)[::-1][:above].sum()) / sum(self._speeds)
        return max(alone, backlog - spared + float(after.min()))

    @cached_property
    def _prefilled(self) -> Floats:
        """Seconds from each arrival to the end of prefill."""
        if len(self._speeds) > 1:
            return self._costs.prefilled
        ends = _in_turn(self._received, self._costs.work / self._speeds[0])
        return np.maximum(self._costs.prefilled, ends - self._arrival)

    @cached_property
    def _mean_prefilled(self) -> float:
        """The least mean of these."""
        work, total = self._costs.work, sum(self._speeds)
        alone = float(self._prefilled.mean())
        if len(self._speeds) == 1:
            return alone
        ends, _ = shortest_first(self._received, work / total, remaining=True)
        _, busy = shortest_first(self._received, work / total, remaining=False)
        halves = work / max(self._speeds) / 2
        bounds = [ends - self._arrival, busy + halves - self._arrival]
        return max(alone, *(float(bound.mean()) for bound in bounds))


def _in_turn(release: Floats, work: Floats) -> Floats:
    """When each ends on one machine that serves in order of release (Lindley's recursion)."""
    total = np.cumsum(work)
    ends: Floats = total + np.maximum.accumulate(release - (total - work))
    return ends


def shortest_first(release: Floats, work: Floats, remaining: bool) -> tuple[Floats, Floats]:
    """Ends and mean busy times on one machine that interrupts a job for a shorter one.

    What is compared is the work that remains, or else all the work of each. `release` ascends.
    """
    n = len(release)
    left = work.astype(float).copy()
    ends, moments = np.empty(n), np.zeros(n)
    waiting: list[tuple[float, int]] = []
    now, arrived = 0.0, 0
    while arrived < n or waiting:
        if not waiting:
            now = max(now, float(release[arrived]))
        while arrived < n and release[arrived] <= now:
            heappush(waiting, (float(left[arrived]), arrived))
            arrived += 1
        key, job = heappop(waiting)
        free = float(release[arrived]) - now if arrived < n else np.inf
        spell = min(float(left[job]), free)
        moments[job] += spell * (now + spell / 2)
        now += spell
        if left[job] <= free:
            ends[job] = now
        else:
            left[job] -= spell
            heappush(waiting, (float(left[job]) if remaining else key, job))
    return ends, moments / work
