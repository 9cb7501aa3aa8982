"""A run's loss in two limits: over the best schedule found, and over what no schedule can beat.

A schedule sends the same requests to workers in any way whatever, knowing all that is to come;
the rules of the workers, the requests' sizes, and in a closed loop the clients' starts and think
times are those of the run. The loss of a run is its cost over that of the best schedule, or for
throughput the best over the run's. It is that of the whole run, from the empty system on: a window
within it could be improved at the expense of what lies before.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop
from anarchy.measure.bracket.closed_loop import ClosedLoopBounds, draw
from anarchy.measure.bracket.criteria import CRITERIA, Bounds
from anarchy.measure.bracket.open_arrivals import OpenBounds
from anarchy.measure.bracket.requests import Requests, check_recorded, fewest_computed
from anarchy.measure.bracket.service_limits import ServiceLimits, check_bounded
from anarchy.serving.log.request_log import RequestLog
from anarchy.serving.service_times.lookup import Latency
from anarchy.workload.traces import TraceData


def bracket(
    log: RequestLog,
    scenario: Scenario,
    latency: Latency,
    *,
    seed: int,
    replication: int = 0,
    schedules: Iterable[RequestLog] = (),
    trace: TraceData | None = None,
) -> list[dict[str, Any]]:
    """Rows {id, unit, value, found, bound, lo, hi, n}, one for each criterion.

    `log` has a whole run of `n` requests, `value` is its own, `found` the best of it and of
    `schedules`, logs of the same requests, and `bound` what no schedule beats: the loss lies in
    [`lo`, `hi`]. `seed` and `replication` are the run's: the log of a closed loop lacks when its
    clients began, how long they thought and what they would have asked next. Of a recorded workload
    the `trace` tells what may be cached; without it, all of a prompt but a token may be.
    Raises InputError for a scenario that the bounds do not cover, and for a log that is not its.
    """
    check_bounded(scenario)
    bounds = _bounds(log, scenario, Latency(latency.table), seed, replication, trace)
    own = [criterion.value(log) for criterion in CRITERIA]
    others = [[criterion.value(other) for criterion in CRITERIA] for other in schedules]
    rows = []
    for criterion, value, *found_values in zip(CRITERIA, own, own, *others, strict=True):
        found = min(found_values) if criterion.is_cost else max(found_values)
        bound = criterion.bound(bounds)
        row: dict[str, Any] = {"id": criterion.name, "unit": criterion.unit, "value": value}
        row |= {"found": found, "bound": bound, "n": len(log)}
        row |= {"lo": criterion.loss(value, found), "hi": criterion.loss(value, bound)}
        rows.append(row)
    return rows


def _bounds(
    log: RequestLog,
    scenario: Scenario,
    latency: Latency,
    seed: int,
    replication: int,
    trace: TraceData | None,
) -> Bounds:
    if isinstance(scenario.workload, ClosedLoop):
        draws = draw(scenario, latency, seed, replication, len(log))
        check_drawn(log, draws.requests)
        return ClosedLoopBounds(draws, ServiceLimits(scenario, latency, draws.clients))
    check_recorded(log, trace)
    computed = fewest_computed(scenario, log.input_tokens, log.tenant, trace, log.prompt)
    requests = Requests(log.input_tokens, log.output_tokens, computed)
    return OpenBounds(log.arrival, requests, ServiceLimits(scenario, latency, len(log)))


def check_drawn(log: RequestLog, drawn: Requests) -> None:
    """Refuse a log that has other requests than the scenario draws."""
    base = 1 + max(int(of.output_tokens.max()) for of in (log, drawn))
    sizes = [
        np.unique(of.input_tokens * base + of.output_tokens, return_counts=True)
        for of in (log, drawn)
    ]
    logged, possible = (dict(zip(*map(list, size), strict=True)) for size in sizes)
    for size, count in logged.items():
        if count > possible.get(size, 0):
            prompt, output = divmod(size, base)
            raise InputError(
                f"bracket: the log has {count} requests of {prompt} prompt and {output} output "
                f"tokens, the scenario draws {possible.get(size, 0)} with this seed"
            )
