"""Runs beside a live one: the same window, and how much they differ by chance."""

import pytest

from anarchy.config.live import LivePoint
from anarchy.config.scenario import with_fields
from anarchy.measure.validation.live.simulated import (
    Runs,
    busiest_share,
    distance,
    host_seconds,
    simulate_point,
    tied_share,
)
from anarchy.serving.service_times.lookup import Latency
from tests.measure.validation.live.conftest import pretend


def test_a_window_is_what_a_campaign_would_have_seen(point: LivePoint, latency: Latency) -> None:
    """Two ways to the same numbers: the simulator's window, and the campaign's rows."""
    (run, *costs) = simulate_point(point, latency, 0.0, Runs(1, 1))
    rows = pretend(point, latency, 1)
    (head,) = (row for row in rows if row["group"] == "point")
    for name in ("throughput", "e2e", "ttft", "itl", "ttft_p99"):
        assert run[name] == pytest.approx(head[name])
    tied = {row["key"]: row["count"] for row in rows if row["group"] == "tied"}
    workers = {row["key"]: row["count"] for row in rows if row["group"] == "worker"}
    assert run["tied"] == tied_share(tied)
    assert run["busiest"] == busiest_share(workers)
    counts = {row["key"]: row["count"] for row in rows if row["group"] == "cost"}
    assert {row["key"]: row["share"] for row in costs} == pytest.approx(
        {cost: count / sum(counts.values()) for cost, count in counts.items()}
    )


def test_runs_differ_and_are_repeatable(point: LivePoint, latency: Latency) -> None:
    rows = simulate_point(point, latency, 0.0, Runs(1, 3))
    assert rows == simulate_point(point, latency, 0.0, Runs(1, 3))
    assert len({row["ttft"] for row in rows if row["group"] == "run"}) == 3


def test_the_distance_is_in_blocks() -> None:
    assert distance({8.0: 3}, {8.0: 1}) == 0
    assert distance({8.0: 1, 16.0: 1}, {8.0: 2}) == pytest.approx(4.0)


def test_the_hosts_time_is_what_a_client_alone_waits(point: LivePoint, latency: Latency) -> None:
    fields = {"workload.clients": 1}
    alone = point.model_copy(
        update={"scenario": with_fields(point.scenario, fields, "test"), "requests": 8}
    )
    host = 0.012
    measured = pretend(alone, latency, 1, frontend__overhead=host / alone.dilation)
    assert host_seconds(measured, alone, latency, Runs(2, 4)) == pytest.approx(host, rel=0.02)
    assert host_seconds(pretend(alone, latency, 1), alone, latency, Runs(2, 4)) < 0.0005


def test_the_hosts_time_is_divided_by_the_dilation(point: LivePoint, latency: Latency) -> None:
    quick, slow = (
        next(iter(simulate_point(point, latency, host, Runs(1, 1))))["ttft"] for host in (0.0, 0.02)
    )
    assert slow - quick == pytest.approx(0.02 / point.dilation, rel=0.2)
