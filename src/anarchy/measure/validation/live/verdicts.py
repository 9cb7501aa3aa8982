"""What was measured of the real Dynamo, judged beside the simulator.

**The rule, fixed before the measurement that is kept.** Throughput and mean end-to-end latency
agree within `WITHIN` of the simulated mean, mean TTFT within `TTFT_WITHIN` of it or `TTFT_SECONDS`
by the wall clock, whichever is more. Costs, ties and the busiest worker's share agree if they lie
at most `STANDARD_ERRORS` from the simulator's runs of the same length; the standard error is the
standard deviation over those runs (see `simulated`). So does the number of decisions that took the
first of the cheapest workers: given the costs that the router logged, the law of each choice is
known, and the error with it. At temperature 0 every decision has to take a cheapest worker.

Of tests at three standard errors one in 370 fails by chance where there is nothing to find, as
far as the runs are normal. TTFT of a single client is shown and not judged: from what the frontend
sees of it the host's time per request is taken.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import Any, Literal

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.common.files import Row
from anarchy.config.live import LivePoint
from anarchy.measure.intervals import Interval, mean_interval
from anarchy.measure.validation.live.simulated import (
    Counts,
    busiest_share,
    distance,
    tied_share,
)

WITHIN, TTFT_WITHIN = 0.01, 0.03
TTFT_SECONDS = 0.010
STANDARD_ERRORS = 3.0

Mean = Literal["throughput", "e2e", "ttft"]

MEANS: dict[Mean, tuple[str, str]] = {
    "throughput": ("throughput", "1/s"),
    "e2e": ("mean end-to-end latency", "s"),
    "ttft": ("mean TTFT", "s"),
}
"""Quantities with a tolerance: what they are called, and their unit."""

P99 = 0.99

Judged = dict[str, Any]


def judge_live(
    measured: Sequence[Row], simulated: Sequence[Row], points: Sequence[LivePoint]
) -> list[Judged]:
    """One row for each point and quantity with its verdict, and last what they come to.

    Raises InputError for a point that was measured otherwise than it is configured, or not at all.
    """
    live, ours = _by_point(measured), _by_point(simulated)
    rows = []
    for point in points:
        _check_measured(point, live.get(point.name, []))
        rows += judge_point(point, live[point.name], ours[point.name])
    host = next(float(row["host"]) for row in simulated if row["group"] == "run")
    return [*rows, *_summary(rows), _total("host", host)]


def _check_measured(point: LivePoint, live: Sequence[Row]) -> None:
    asked = (point.requests, point.dilation)
    if [(row["requests"], row["dilation"]) for row in _of_group(live, "point")] != [asked]:
        raise InputError(
            f"{paths.LIVE_REFERENCE}: point '{point.name}' of {paths.LIVE} was not measured, or "
            "not as it stands there; `./reproduce live` measures it"
        )


def judge_point(point: LivePoint, live: Sequence[Row], ours: Sequence[Row]) -> list[Judged]:
    """The verdicts on one point, from its rows of both sides."""
    (head,) = _of_group(live, "point")
    batches, runs = _of_group(live, "batch"), _of_group(ours, "run")
    rows = [_judge_mean(point, name, head, batches, runs) for name in MEANS]
    costs, tied, workers = (_counts(live, group) for group in ("cost", "tied", "worker"))
    simulated_costs = _counts(ours, "simulated-cost", "share")
    rows += [
        _judge_law(point, "cost-distance", distance(costs, simulated_costs), runs, 1),
        _judge_law(point, "tied", tied_share(tied), runs, 2),
        _judge_law(point, "busiest", busiest_share(workers), runs, 2),
        _judge_choices(point, head),
        _judge_cheapest(point, head),
        _tail(point, head, _counts(live, "ttft-at-most"), runs),
    ]
    return rows


def _by_point(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        name = row["id"] if row["group"] == "point" else row["point"]
        found.setdefault(str(name), []).append(row)
    return found


def _of_group(rows: Iterable[Row], group: str) -> list[Row]:
    return [row for row in rows if row["group"] == group]


def _counts(rows: Iterable[Row], group: str, field: str = "count") -> Counts:
    return {float(row["key"]): float(row[field]) for row in _of_group(rows, group)}


def _judged(point: LivePoint, quantity: str, value: float, **fields: Any) -> Judged:
    head = {
        "id": f"{point.name}-{quantity}",
        "group": quantity,
        "series": point.series,
        "clients": point.workload.clients,
        "value": value,
    }
    nothing = dict.fromkeys(("lo", "hi", "expected", "expected_lo", "expected_hi", "z"))
    return {**head, **nothing, "unit": "1", "holds": None, **fields}


def _judge_mean(
    point: LivePoint, name: Mean, head: Row, batches: Sequence[Row], runs: Sequence[Row]
) -> Judged:
    """A mean within its tolerance; its interval is that of means over cycles of the closed loop."""
    value, simulated = float(head[name]), mean_interval([float(run[name]) for run in runs])
    ends = _around(value, mean_interval([float(batch[name]) for batch in batches]))
    allowed = WITHIN * simulated.value
    if name == "ttft":
        allowed = max(TTFT_WITHIN * simulated.value, TTFT_SECONDS / point.dilation)
    alone = name == "ttft" and head["clients"] == 1
    return _judged(
        point,
        name,
        value,
        lo=ends[0],
        hi=ends[1],
        expected=simulated.value,
        expected_lo=simulated.lo,
        expected_hi=simulated.hi,
        unit=MEANS[name][1],
        difference=value / simulated.value - 1,
        seconds=(value - simulated.value) * point.dilation if name == "ttft" else None,
        holds=None if alone else abs(value - simulated.value) <= allowed,
    )


def _around(value: float, batches: Interval) -> tuple[float | None, float | None]:
    """The interval of a value, as wide as that of the mean of its batches."""
    if batches.lo is None or batches.hi is None:
        return None, None
    half = (batches.hi - batches.lo) / 2
    return value - half, value + half


def _judge_law(
    point: LivePoint, quantity: str, value: float, runs: Sequence[Row], sides: Literal[1, 2]
) -> Judged:
    """A statistic that runs of one length vary in; a distance is only ever too large."""
    values = [float(run[quantity.replace("-", "_")]) for run in runs]
    error = stdev(values) * math.sqrt(1 + 1 / len(values))
    mean = fmean(values)
    z = _errors(value - mean, error)
    return _judged(
        point,
        quantity,
        value,
        expected=mean,
        least=min(values),
        most=max(values),
        error=error,
        z=z,
        holds=(abs(z) if sides == 2 else z) <= STANDARD_ERRORS,
    )


def _judge_choices(point: LivePoint, head: Row) -> Judged:
    mean, variance = float(head["first_cheapest_mean"]), float(head["first_cheapest_variance"])
    z = _errors(float(head["first_cheapest"]) - mean, math.sqrt(variance))
    count = head["decisions"]
    return _judged(
        point,
        "choices",
        head["first_cheapest"] / count,
        expected=mean / count,
        n=count,
        weight=head["decode_weight"],
        z=z,
        holds=abs(z) <= STANDARD_ERRORS,
    )


def _judge_cheapest(point: LivePoint, head: Row) -> Judged:
    count, share = head["decisions"], head["cheapest"] / head["decisions"]
    cold = point.scenario.router.temperature == 0
    return _judged(point, "cheapest", share, n=count, holds=share == 1 if cold else None)


def _errors(difference: float, error: float) -> float:
    """A difference in standard errors; where nothing varies any difference is too many."""
    if error:
        return difference / error
    return 0.0 if difference == 0 else math.copysign(math.inf, difference)


def _tail(point: LivePoint, head: Row, at_most: Counts, runs: Sequence[Row]) -> Judged:
    """The P99 of TTFT: the clients', the simulated one, and what the metrics page makes of it."""
    return _judged(
        point,
        "ttft-p99",
        float(head["ttft_p99"]),
        expected=fmean(float(run["ttft_p99"]) for run in runs),
        page=histogram_quantile(P99, at_most) / point.dilation,
        page_mean=head["frontend_ttft"],
        unit="s",
    )


def histogram_quantile(level: float, at_most: Counts) -> float:
    """The quantile as Prometheus estimates it: linear within the bucket that it falls into.

    `at_most` counts the observations up to each edge. Above the last finite edge it is that edge.
    """
    edges = sorted(at_most)
    rank = level * at_most[edges[-1]]
    below, count = 0.0, 0.0
    for edge in edges:
        if at_most[edge] >= rank:
            if math.isinf(edge):
                return below
            return below + (edge - below) * (rank - count) / (at_most[edge] - count)
        below, count = edge, at_most[edge]
    return below


def _summary(rows: Sequence[Judged]) -> list[Judged]:
    decided = [row for row in rows if row["holds"] is not None]
    groups: dict[str, list[Judged]] = {}
    for row in decided:
        groups.setdefault(row["group"], []).append(row)
    choices = groups["choices"]
    return [
        _counted("checks", decided),
        *(_counted(quantity, of_quantity) for quantity, of_quantity in groups.items()),
        _total("decisions", sum(row["n"] for row in choices)),
        _total("weight", max(row["weight"] for row in choices)),
    ]


def _counted(name: str, rows: Sequence[Judged]) -> Judged:
    """How many hold, and the largest relative difference, distance and seconds of any."""
    largest = {}
    for size in ("difference", "seconds", "z"):
        sizes = [abs(row[size]) for row in rows if row.get(size) is not None]
        largest[f"largest_{size}"] = max(sizes, default=None)
    return {**_total(name, sum(row["holds"] for row in rows)), "n": len(rows), **largest}


def _total(name: str, value: float) -> Judged:
    return {"id": f"summary-{name}", "group": "summary", "value": value, "unit": "1"}
