"""A run's loss in each phase of its clients, and in the whole run, in two limits each.

The loss of a phase is by the requests that are done in it, over any schedule whatever: one may do
well in a phase at the expense of those before. So it says what no controller could have beaten
there, and not that one could have had that in all phases at once.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.config.experiment import PHASE
from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop
from anarchy.measure.bracket.criteria import CRITERIA, Criterion
from anarchy.measure.bracket.phases.crowds import Crowds
from anarchy.measure.bracket.phases.draws import draw_phases
from anarchy.measure.bracket.phases.phase_bounds import PhaseBounds
from anarchy.measure.bracket.phases.windows import Window, windows
from anarchy.measure.bracket.run_bracket import bracket, check_drawn
from anarchy.measure.bracket.service_limits import ServiceLimits, check_bounded
from anarchy.serving.log.request_log import RequestLog
from anarchy.serving.service_times.lookup import Latency
from anarchy.workload.traces import TraceData

MOST_DRAWS = 16_000_000
"""Requests of which any schedule may do some: a few gigabytes, and far more than any log has."""


def brackets(
    log: RequestLog,
    scenario: Scenario,
    latency: Latency,
    *,
    seed: int,
    replication: int = 0,
    schedules: Iterable[RequestLog] = (),
    trace: TraceData | None = None,
) -> list[dict[str, Any]]:
    """The rows of `run_bracket.bracket`, with `phase` where the scenario has phases.

    Each phase has its rows, which goes by its number if it has no name, and so has the whole run,
    whose phase is None. `n` are the requests done in it. Where a run has none, or a schedule can
    have none, what would be of them is None.
    """
    workload = scenario.workload
    if not (isinstance(workload, ClosedLoop) and workload.phases):
        return bracket(
            log,
            scenario,
            latency,
            seed=seed,
            replication=replication,
            schedules=schedules,
            trace=trace,
        )
    check_bounded(scenario)
    latency = Latency(latency.table)
    bounds = _bounds(log, scenario, workload, latency, seed, replication)
    others = [[_values(other, window) for window, _ in bounds] for other in schedules]
    rows = []
    for place, (window, bound) in enumerate(bounds):
        own = _values(log, window)
        found = [own, *(values[place] for values in others)]
        for criterion, value, *values in zip(CRITERIA, own, *found, strict=True):
            row = _row(criterion, value, values, criterion.bound(bound))
            rows.append({PHASE: window.phase, **row, "n": int(_done(log, window).sum())})
    return rows


def _bounds(
    log: RequestLog,
    scenario: Scenario,
    workload: ClosedLoop,
    latency: Latency,
    seed: int,
    replication: int,
) -> list[tuple[Window, PhaseBounds]]:
    """Windows and their bounds, from as many draws as any schedule could need."""
    clients = workload.clients
    limits = ServiceLimits(scenario, latency, clients)
    count = 2 * (len(log) + clients)
    while True:
        draws = draw_phases(scenario, latency, seed, replication, count)
        crowds = Crowds(draws, limits)
        *phases, whole = windows(workload, crowds.longest)
        found = [(window, PhaseBounds(window, draws, crowds, count)) for window in phases]
        together = sum(bound.completions for _, bound in found)
        found.append((whole, PhaseBounds(whole, draws, crowds, together)))
        if found[-1][1].completions + clients < count:
            check_drawn(log, draws.requests)
            return found
        count *= 2
        if count > MOST_DRAWS:
            raise InputError(
                f"bracket: workload.phases: more than {MOST_DRAWS // 4:,} requests could be done; "
                "the bounds are for fewer"
            )


def _done(log: RequestLog, window: Window) -> NDArray[np.bool_]:
    done: NDArray[np.bool_] = (log.done > window.start) & (log.done <= window.end)
    return done


def _values(log: RequestLog, window: Window) -> list[float | None]:
    """What each criterion is of the requests done within a window; rates are over its length."""
    done = _done(log, window)
    part = log.select(done) if window.phase is not None else log
    if not done.any():
        return [None] * len(CRITERIA)
    rate = len(part) / window.duration
    return [criterion.value(part) if criterion.is_cost else rate for criterion in CRITERIA]


def _row(
    criterion: Criterion, value: float | None, values: Sequence[float | None], bound: float
) -> dict[str, Any]:
    """One criterion of one window: as in `run_bracket.bracket`."""
    row: dict[str, Any] = {"id": criterion.name, "unit": criterion.unit, "value": value}
    known = [other for other in values if other is not None]
    best = (min if criterion.is_cost else max)(known, default=None)
    row |= {"found": best, "bound": bound if np.isfinite(bound) else None}
    for limit, other in (("lo", best), ("hi", row["bound"])):
        row[limit] = None if value is None or other is None else criterion.loss(value, other)
    return row
