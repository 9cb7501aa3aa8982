"""What was observed of a point, as flat rows; times are divided by the dilation.

A point has one row of its own, one for each batch of as many completions as it has clients, and
one for each entry of its counts: of costs, of tied decisions, of decisions by worker and of times
to the first token by bucket. Intervals are left to those who judge.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, quantiles

from anarchy.common.files import Row
from anarchy.config.live import LivePoint
from anarchy.live.measuring.load import Answer
from anarchy.live.measuring.metrics import Histogram
from anarchy.live.measuring.router_log import Decision


@dataclass(frozen=True)
class Observation:
    """The window of a point. Times are as they were, in seconds."""

    start: float  # on the clock of the answers
    answers: Sequence[Answer]  # in order of completion
    decisions: Sequence[Decision]  # on decode workers
    prefill_decisions: Sequence[Decision]
    ttft: Histogram  # as the frontend measured it
    requests: float  # that the frontend counted
    free: float  # share of the machine's processors
    lateness: float  # of the engines, the 99th percentile


def point_rows(point: LivePoint, seen: Observation) -> list[Row]:
    """All rows of a point."""
    clients, output = point.workload.clients, point.workload.output_tokens
    seconds = (seen.answers[-1].done - seen.start) / point.dilation
    temperature = point.scenario.router.temperature
    first = [first_cheapest(decision.costs, temperature) for decision in seen.decisions]
    head: Row = {
        "id": point.name,
        "group": "point",
        "series": point.series,
        "clients": clients,
        "dilation": point.dilation,
        "requests": len(seen.answers),
        "seconds": seconds,
        **answer_means(seen.answers, output, point.dilation),
        "throughput": len(seen.answers) / seconds,
        "ttft_p99": p99([a.first - a.sent for a in seen.answers]) / point.dilation,
        "frontend_ttft": seen.ttft.total / seen.ttft.count / point.dilation,
        "frontend_requests": seen.requests,
        "decisions": len(seen.decisions),
        "prefill_decisions": len(seen.prefill_decisions),
        "decode_weight": max(decision.weight for decision in seen.decisions),
        "cheapest": sum(d.costs[d.chosen] == min(d.costs) for d in seen.decisions),
        "first_cheapest": sum(d.chosen == d.costs.index(min(d.costs)) for d in seen.decisions),
        "first_cheapest_mean": math.fsum(first),
        "first_cheapest_variance": math.fsum(p * (1 - p) for p in first),
        "free": seen.free,
        "lateness": seen.lateness,
    }
    return [head, *_batch_rows(point, seen, clients, output), *_count_rows(point, seen)]


def first_cheapest(costs: Sequence[float], temperature: float) -> float:
    """The probability that the router takes the first of the cheapest workers.

    A softmax over costs divided by their range, or a fair draw among the cheapest at temperature 0.
    """
    lowest, spread = min(costs), max(costs) - min(costs)
    if not temperature or not spread:
        return 1 / costs.count(lowest)
    return 1 / math.fsum(math.exp((lowest - cost) / (spread * temperature)) for cost in costs)


def answer_means(answers: Sequence[Answer], output_tokens: int, dilation: float) -> Row:
    """Means over answers, by name."""
    return {
        "e2e": fmean(a.done - a.sent for a in answers) / dilation,
        "ttft": fmean(a.first - a.sent for a in answers) / dilation,
        "itl": fmean(a.done - a.first for a in answers) / max(1, output_tokens - 1) / dilation,
    }


def p99(values: Sequence[float]) -> float:
    """The 99th percentile, linear between order statistics."""
    return quantiles(values, n=100, method="inclusive")[-1]


def _batch_rows(point: LivePoint, seen: Observation, clients: int, output: int) -> list[Row]:
    """One row for each cycle of the closed loop: as many completions as there are clients."""
    ends = [seen.start, *(a.done for a in seen.answers[clients - 1 :: clients])]
    return [
        {
            "id": f"{point.name}-batch-{number}",
            "group": "batch",
            "point": point.name,
            "throughput": clients / (end - begin) * point.dilation,
            **answer_means(seen.answers[number * clients :][:clients], output, point.dilation),
        }
        for number, (begin, end) in enumerate(pairwise(ends))
    ]


def _count_rows(point: LivePoint, seen: Observation) -> list[Row]:
    costs = Counter(cost for decision in seen.decisions for cost in decision.costs)
    tied = Counter(d.costs.count(min(d.costs)) for d in seen.decisions)
    workers = Counter(d.chosen for d in seen.decisions)
    counted: dict[str, Iterable[tuple[float, float]]] = {
        "cost": sorted(costs.items()),
        "tied": sorted(tied.items()),
        "worker": sorted(workers.items()),
        "ttft-at-most": sorted(seen.ttft.counts.items()),
    }
    return [
        {
            "id": f"{point.name}-{group}-{key:g}",
            "group": group,
            "point": point.name,
            "key": key,
            "count": count,
        }
        for group, counts in counted.items()
        for key, count in counts
    ]
