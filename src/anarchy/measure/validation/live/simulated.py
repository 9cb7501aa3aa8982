"""The simulator's side: the points that were measured live, in the same window, many times.

A live run is one run. What it may differ by from the simulator by chance alone is how much the
simulator's own runs of that length differ from each other: requests in a closed loop meet the same
neighbours again and again, so that errors found within one run would be far too small.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from scipy.stats import wasserstein_distance

from anarchy.common.files import Row
from anarchy.config.live import LivePoint
from anarchy.config.scenario import with_fields
from anarchy.serving.log.request_log import Run
from anarchy.serving.replications import simulate_many
from anarchy.serving.service_times.lookup import Latency, load_latency

Counts = Mapping[float, float]
"""How often each value occurred."""


class Window(NamedTuple):
    """What one run shows in the window: means over requests, and what the router saw."""

    means: dict[str, float]
    costs: Counts  # of all decode workers at all decisions
    tied: Counts  # decisions by the number of cheapest workers
    workers: Counts  # decisions by worker


def distance(one: Counts, other: Counts) -> float:
    """How far two laws of costs are apart: the area between their distribution functions."""
    return float(wasserstein_distance([*one], [*other], [*one.values()], [*other.values()]))


def tied_share(tied: Counts) -> float:
    """The share of decisions in which several workers were the cheapest."""
    return 1 - tied.get(1, 0) / sum(tied.values())


def busiest_share(workers: Counts) -> float:
    """The share of decisions that the most used worker got."""
    return max(workers.values()) / sum(workers.values())


@dataclass(frozen=True)
class Runs:
    """How many runs of a point there are, and what they draw from."""

    seed: int
    replications: int


def simulate_points(
    points: Sequence[LivePoint],
    alone: LivePoint,
    measured: Sequence[Row],
    latency_folder: Path,
    runs: Runs,
) -> list[Row]:
    """One row a run of each point, and one for each cost with its share in all runs.

    The host's time per request is that which the frontend sees at the point `alone`.
    """
    find = cache(partial(load_latency, latency_folder))
    overhead = host_seconds(measured, alone, find(alone.scenario.model.latency), runs)
    return [
        row
        for point in points
        for row in simulate_point(point, find(point.scenario.model.latency), overhead, runs)
    ]


def host_seconds(measured: Sequence[Row], alone: LivePoint, latency: Latency, runs: Runs) -> float:
    """Seconds by the wall clock that the host takes for a request.

    The frontend sees the first token of a client that is alone so much later than simulated.
    """
    rows = simulate_point(alone, latency, 0.0, runs)
    simulated = fmean(float(row["ttft"]) for row in rows if row["group"] == "run")
    seen = next(float(row["frontend_ttft"]) for row in measured if row["id"] == alone.name)
    return max(0.0, seen - simulated) * alone.dilation


def simulate_point(point: LivePoint, latency: Latency, overhead: float, runs: Runs) -> list[Row]:
    """The rows of one point on a host that takes `overhead` seconds by the wall clock a request."""
    values = {"frontend.overhead": overhead / point.dilation}
    windows = list(
        simulate_many(
            with_fields(point.scenario, values, point.name),
            latency,
            [{}],
            seed=runs.seed,
            replications=runs.replications,
            cores=1,  # the jobs share the machine
            reduce=partial(window, point=point),
            # So many more that all that were routed in the window are done.
            requests=point.requests + 2 * point.workload.clients,
            warmup_cycles=point.warmup_cycles,
        )
    )
    costs: Counter[float] = Counter()
    for shown in windows:
        costs.update(shown.costs)
    rows = [
        {**_run_row(point.name, number, shown, costs), "host": overhead}
        for number, shown in enumerate(windows)
    ]
    return [*rows, *_cost_rows(point.name, costs)]


def window(run: Run, point: LivePoint) -> Window:
    """What is measured live, from a run that goes on for a while after the window."""
    log, requests = run.log, point.requests
    warmup = round(point.warmup_cycles * point.workload.clients)
    order = np.argsort(log.done, kind="stable")
    start, end = log.done[order[warmup - 1]], log.done[order[warmup + requests - 1]]
    answered = log.select(np.isin(np.arange(len(log)), order[warmup : warmup + requests]))
    decided = log.select((log.routed > start) & (log.routed <= end))
    lowest = decided.decode_cost.min(axis=1, keepdims=True)
    steps = np.maximum(1, answered.output_tokens - 1)
    means = {
        "throughput": requests / (end - start),
        "e2e": answered.e2e.mean(),
        "ttft": answered.ttft.mean(),
        "itl": ((answered.done - answered.first_token) / steps).mean(),
        "ttft_p99": np.percentile(answered.ttft, 99),
    }
    return Window(
        {name: float(value) for name, value in means.items()},
        Counter(decided.decode_cost.ravel().tolist()),
        Counter((decided.decode_cost == lowest).sum(axis=1).tolist()),
        Counter(decided.decode_worker.tolist()),
    )


def _run_row(point: str, number: int, shown: Window, all_costs: Counter[float]) -> Row:
    others = all_costs - Counter(shown.costs) or all_costs
    return {
        "id": f"{point}-run-{number}",
        "group": "run",
        "point": point,
        **shown.means,
        "tied": tied_share(shown.tied),
        "busiest": busiest_share(shown.workers),
        "cost_distance": distance(shown.costs, others),
    }


def _cost_rows(point: str, costs: Counts) -> list[Row]:
    total = sum(costs.values())
    return [
        {
            "id": f"{point}-simulated-cost-{cost:g}",
            "group": "simulated-cost",
            "point": point,
            "key": cost,
            "share": count / total,
        }
        for cost, count in sorted(costs.items())
    ]
