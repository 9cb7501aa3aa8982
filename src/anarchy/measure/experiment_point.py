"""One point of a sweep: its replications simulated and measured.

A point job is self-contained (scenario, options, seeds), so that a job reruns only when something
it uses has changed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from anarchy.common import paths
from anarchy.config.base import Model, Scalar
from anarchy.config.estimator import Estimator
from anarchy.config.experiment import PHASE, Compare
from anarchy.config.scenario import Scenario
from anarchy.config.settings import Bootstrap
from anarchy.config.workload import SyntheticTrace, Trace
from anarchy.measure.bootstrap import difference_interval, measure_interval
from anarchy.measure.bracket.criteria import COMPARED, LOSSES
from anarchy.measure.bracket.phases.by_phase import brackets
from anarchy.measure.bracket.schedules.search import schedules
from anarchy.measure.intervals import Interval
from anarchy.measure.measures import Deployment, get_measure
from anarchy.measure.phases import by_phase
from anarchy.serving.log.request_log import RequestLog, Run
from anarchy.serving.replications import simulate_many
from anarchy.serving.service_times.lookup import Latency, load_service_times
from anarchy.workload.synthetic_trace import generate
from anarchy.workload.synthetic_trace_parameters import TraceParameters, load_trace_parameters
from anarchy.workload.traces import TraceData

OF_SCHEDULES = {name for name, (end, _) in (LOSSES | COMPARED).items() if end in ("lo", "found")}
"""The measures for which schedules are searched; the others need bounds alone."""


class PointJob(Model):
    """What one job simulates and measures."""

    experiment: str
    keys: dict[str, Scalar | None]  # `scenario` and the swept fields
    scenario: Scenario
    measures: list[str]
    phases: list[str]  # those measured one by one; none: the whole run is
    estimators: dict[str, Estimator]
    seed: int
    replications: int
    requests: int
    warmup_cycles: float
    bootstrap: Bootstrap
    plugins: list[str]


def measure_point(
    job: PointJob,
    latency_folder: Path,
    trace: TraceData | None,
    parameters_folder: Path = paths.SYNTHETIC_TRACES,
) -> tuple[list[dict[str, Any]], RequestLog]:
    """Rows {keys, replication, id, label, unit, value, lo, hi, n} and the first run's log.

    A synthetic workload is replicated and its rows carry no interval yet. A recorded trace exists
    once, so it is run once: its per-request measures get a block-bootstrap interval over `n`
    requests, the others none.
    """
    tenants = job.scenario.tenants
    measures = [get_measure(name, job.estimators, tenants) for name in job.measures]
    recorded = isinstance(job.scenario.workload, Trace)
    replications = 1 if recorded else job.replications
    latency = load_service_times(latency_folder, job.scenario.model)
    workload = job.scenario.workload
    source: TraceData | Callable[[int], TraceData] | None = trace
    if isinstance(workload, SyntheticTrace):
        fitted = load_trace_parameters(parameters_folder, workload.parameters)
        source = partial(_synthetic_rows, job, fitted)
    rows: list[dict[str, Any]] = []
    first: RequestLog | None = None
    runs: Iterator[Run] = simulate_many(
        job.scenario,
        latency,
        [{}],
        seed=job.seed,
        replications=replications,
        cores=1,  # the jobs share the machine
        requests=job.requests,
        warmup_cycles=job.warmup_cycles,
        trace=source,
    )
    for replication, run in enumerate(runs):
        first = run.log if first is None else first
        losses = cache(partial(_losses, job, latency, source, replication, run))
        parts: list[tuple[str | None, Run]] = [*by_phase(run, job.scenario, job.phases)]
        for (phase, part), measure in product(parts or [(None, run)], measures):
            deployment = Deployment(latency.itl, tenants, partial(_of_phase, losses, phase))
            row: dict[str, Any] = dict(job.keys) | ({PHASE: phase} if phase else {})
            row |= {"replication": replication, "id": measure.name}
            row |= {"label": measure.label, "unit": measure.unit}
            row["value"] = measure.compute(part, deployment)
            if recorded:
                rng = bootstrap_rng(job.seed, measure.name)
                interval = measure_interval(run, measure.name, job.bootstrap, rng)
                row["lo"] = interval.lo if interval else None
                row["hi"] = interval.hi if interval else None
                row["n"] = int(run.measured.sum())
            rows.append(row)
    assert first is not None  # replications >= 1 by the schema
    return rows, first


def _of_phase(
    losses: Callable[[], list[dict[str, Any]]], phase: str | None
) -> list[dict[str, Any]]:
    """The rows of a phase's bracket, or of the whole run's."""
    return [row for row in losses() if row.get(PHASE) == phase]


def _losses(
    job: PointJob,
    latency: Latency,
    source: TraceData | Callable[[int], TraceData] | None,
    replication: int,
    run: Run,
) -> list[dict[str, Any]]:
    """The brackets of a replication, other schedules being simulated if their best is measured."""
    trace = source(replication) if callable(source) else source
    others: Iterable[RequestLog] = schedules(
        job.scenario,
        latency,
        seed=job.seed,
        replication=replication,
        requests=job.requests,
        warmup_cycles=job.warmup_cycles,
        trace=trace,
    )
    return brackets(
        run.log,
        job.scenario,
        latency,
        seed=job.seed,
        replication=replication,
        schedules=others if OF_SCHEDULES.intersection(job.measures) else (),
        trace=trace,
    )


def _synthetic_rows(job: PointJob, fitted: TraceParameters, replication: int) -> TraceData:
    """The requests of one replication: its own, unless the scenario fixes the seed."""
    workload = job.scenario.workload
    assert isinstance(workload, SyntheticTrace)
    if workload.seed is None:
        return generate(fitted, workload.rows, job.seed, replication)
    return generate(fitted, workload.rows, workload.seed)


def bootstrap_rng(seed: int, measure: str) -> np.random.Generator:
    """The resampling stream of a measure: the same for all points, so that they are comparable."""
    return np.random.default_rng([seed, *measure.encode()])


def compare_logs(
    points: Sequence[tuple[list[dict[str, Any]], RequestLog]],
    keys: Sequence[str],
    options: Compare,
    bootstrap: Bootstrap,
    seed: int,
) -> list[dict[str, Any]]:
    """Paired differences between runs of one recorded trace, with block-bootstrap intervals.

    `points` are (rows of `measure_point`, log). The same requests are resampled on both sides.
    Columns as in `aggregate.compare`; `n` counts requests, and the ratio is that of the values.
    """
    by_key = {tuple(rows[0][key] for key in keys): (rows, log) for rows, log in points}
    position = list(keys).index(options.field)
    result = []
    for point, (rows, log) in by_key.items():
        if point[position] == options.baseline:
            continue
        other = (*point[:position], options.baseline, *point[position + 1 :])
        their_rows, their_log = by_key[other]
        for measure in options.measures:
            ours = next(row for row in rows if row["id"] == measure)
            theirs = next(row for row in their_rows if row["id"] == measure)
            head = {k: v for k, v in zip(keys, point, strict=True) if k != options.field}
            head |= {"alternative": point[position], "baseline": options.baseline}
            head |= {"id": measure, "label": ours["label"], "unit": ours["unit"]}
            rng = bootstrap_rng(seed, measure)
            result.append(
                head
                | _compared(ours["value"], theirs["value"])
                | _interval(difference_interval(log, their_log, measure, bootstrap, rng))
                | {"n": len(log)}
            )
    return result


def _compared(ours: float | None, theirs: float | None) -> dict[str, Any]:
    """Difference and ratio, null where a value is missing."""
    if ours is None or theirs is None:
        return {"value": None, "ratio": None}
    return {"value": ours - theirs, "ratio": ours / theirs if theirs else None}


def _interval(interval: Interval | None) -> dict[str, Any]:
    """Nothing is claimed without an interval."""
    if interval is None:
        return {"lo": None, "hi": None, "differs": False}
    return {"lo": interval.lo, "hi": interval.hi, "differs": interval.excludes(0)}
