"""Jobs take the points of an experiment in order, short ones together."""

from dataclasses import replace

import pytest

from anarchy.build_jobs import (
    FEWEST_JOBS,
    MOST_POINTS,
    MOST_REQUESTS,
    SHORT,
    jobs_of,
    point_job,
    split_into_jobs,
)
from anarchy.build_plan import Plan, SweepPoint, load_plan
from anarchy.common import paths
from anarchy.config.scenario import with_fields

LONG = 10 * SHORT


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(root=paths.ROOT)


@pytest.fixture(scope="module")
def point(plan: Plan) -> SweepPoint:
    return plan.points["concurrency"][0]


@pytest.mark.parametrize("requests", [1, 100, SHORT - 1, SHORT, LONG])
@pytest.mark.parametrize("count", [1, 3, 4, 17, 96])
def test_jobs_take_the_points_in_order(count: int, requests: int, point: SweepPoint) -> None:
    points = [replace(point, name=str(number)) for number in range(count)]
    parts = split_into_jobs(points, requests)
    assert [point for part in parts for point in part] == points
    assert max(map(len, parts)) <= max(MOST_POINTS, -(-SHORT // requests))
    if requests >= SHORT:
        assert len(parts) >= min(count, FEWEST_JOBS)
    for part in parts[:-1]:
        assert len(part) * requests >= SHORT


@pytest.mark.parametrize(("requests", "together"), [(1, 3), (2, 2), (3, 1), (100, 1)])
def test_very_long_points_are_shared_out(requests: int, together: int, point: SweepPoint) -> None:
    parts = split_into_jobs([point] * 12, requests * MOST_REQUESTS // 4)
    assert {len(part) for part in parts} == {together}


def test_a_job_replays_one_trace(point: SweepPoint) -> None:
    workloads = [{"kind": "trace", "trace": name} for name in ("a", "a", "b")]
    changes = [{"workload": workload, "assumptions": {}} for workload in workloads * 40]
    scenarios = [with_fields(point.scenario, change, "test") for change in changes]
    points = [replace(point, scenario=scenario) for scenario in scenarios]
    for part in split_into_jobs(points, LONG):
        assert len({point.scenario.workload.trace for point in part}) == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(("rows", "jobs"), [(None, 2), (SHORT, 2), (SHORT - 1, 1)])
def test_the_length_of_a_replay_is_that_of_its_trace(
    rows: int | None, jobs: int, point: SweepPoint
) -> None:
    workload = {"kind": "trace", "trace": "a", "rows": rows}
    scenario = with_fields(point.scenario, {"workload": workload, "assumptions": {}}, "test")
    assert len(split_into_jobs([replace(point, scenario=scenario)] * 2, 1)) == jobs


def test_jobs_of_the_paper_are_as_long_as_is_good(plan: Plan) -> None:
    for name, points in plan.points.items():
        job = point_job(plan, points[0])
        worth = len(points) * job.requests * job.replications // SHORT
        assert len(jobs_of(plan, name)) >= min(len(points), worth, FEWEST_JOBS)
