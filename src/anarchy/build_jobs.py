"""The points of a plan as the jobs of a build take them."""

from collections.abc import Sequence
from itertools import groupby

from anarchy.build_plan import Plan, SweepPoint
from anarchy.config.workload import Trace
from anarchy.measure.experiment_point import PointJob

FEWEST_JOBS, MOST_POINTS = 4, 12
"""An experiment of long points has at least so many jobs if it has as many points; a job has at
most so many of them."""

SHORT = 40_000
"""Requests that take about as long as a job takes to start: a second or two."""

MOST_REQUESTS = 1_000_000
"""Of several points a job has no more: with many more replications than the paper has, it is for
many cores to share."""


def split_into_jobs(points: Sequence[SweepPoint], requests: int) -> list[tuple[SweepPoint, ...]]:
    """The points of an experiment as its jobs take them, in order.

    A job starts for longer than it simulates a short point, so it takes as many as are worth the
    start; of long points a few jobs remain for the cores to share. The points of one job replay
    one trace. `requests` is how many are simulated for a point that replays none.
    """
    parts: list[tuple[SweepPoint, ...]] = []
    for _, alike in groupby(points, lambda point: getattr(point.scenario.workload, "trace", None)):
        rest = tuple(alike)
        length = _length(rest[0], requests)
        together = -(-SHORT // length)
        few = min(MOST_POINTS, len(points) // FEWEST_JOBS, MOST_REQUESTS // length)
        size = max(together, few)
        parts += [rest[start : start + size] for start in range(0, len(rest), size)]
    return parts


def _length(point: SweepPoint, requests: int) -> int:
    """How many requests are simulated for a point, as far as the configuration says."""
    workload = point.scenario.workload
    return (workload.rows or SHORT) if isinstance(workload, Trace) else requests


def jobs_of(plan: Plan, name: str) -> list[tuple[SweepPoint, ...]]:
    """The points of a planned experiment as its jobs take them."""
    points = plan.points[name]
    job = point_job(plan, points[0])
    return split_into_jobs(points, job.requests * job.replications)


def point_job(plan: Plan, point: SweepPoint) -> PointJob:
    """What the job of a point needs to know, and nothing else."""
    settings, experiment = plan.settings, plan.experiments[point.experiment]
    return PointJob(
        experiment=point.experiment,
        keys={"scenario": point.scenario_name, **point.values},
        scenario=point.scenario,
        measures=experiment.measures,
        phases=experiment.phases,
        estimators=experiment.estimators,
        seed=settings.seed,
        replications=experiment.replications or settings.replications,
        requests=experiment.requests or settings.requests,
        warmup_cycles=settings.warmup_cycles,
        bootstrap=settings.bootstrap,
        plugins=experiment.plugins,
    )
