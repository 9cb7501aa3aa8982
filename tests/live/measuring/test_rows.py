"""Rows are flat, add up, and are in the scenario's own time."""

import math

import pytest

from anarchy.config.live import LivePoint
from anarchy.live.measuring.load import Answer
from anarchy.live.measuring.metrics import Histogram
from anarchy.live.measuring.router_log import Decision
from anarchy.live.measuring.rows import Observation, first_cheapest, point_rows
from tests.live.measuring.conftest import CLIENTS, OUTPUT

DILATION = 4.0


def observation() -> Observation:
    """Two cycles of three clients; each request takes 8 s and its first token 2 s."""
    answers = [Answer(t - 8.0, t - 6.0, t) for t in (11.0, 12.0, 13.0, 15.0, 17.0, 19.0)]
    decisions = [Decision((8.0, 16.0), 0.0, 0), Decision((8.0, 8.0), 0.0, 1)]
    ttft = Histogram({1.0: 0.0, 2.2: 6.0, math.inf: 6.0}, 12.0)
    return Observation(10.0, answers, decisions, [], ttft, 6.0, 0.5, 0.001)


def rows(point: LivePoint) -> list[dict]:
    slow = point.model_copy(update={"dilation": DILATION})
    return [dict(row) for row in point_rows(slow, observation())]


def of_group(point: LivePoint, group: str) -> list[dict]:
    return [row for row in rows(point) if row["group"] == group]


def test_ids_are_unique_and_values_flat(point: LivePoint) -> None:
    found = rows(point)
    assert len({row["id"] for row in found}) == len(found)
    assert all(isinstance(value, str | int | float) for row in found for value in row.values())


def test_times_are_divided_by_the_dilation(point: LivePoint) -> None:
    (head,) = of_group(point, "point")
    assert head["seconds"] == 9 / DILATION
    assert head["throughput"] == pytest.approx(6 / 9 * DILATION)
    assert (head["e2e"], head["ttft"], head["frontend_ttft"]) == (2.0, 0.5, 0.5)
    assert head["itl"] == pytest.approx(6 / (OUTPUT - 1) / DILATION)


def test_a_batch_is_one_cycle(point: LivePoint) -> None:
    batches = of_group(point, "batch")
    assert [b["throughput"] for b in batches] == pytest.approx([CLIENTS / 3 * 4, CLIENTS / 6 * 4])


def test_counts_add_up(point: LivePoint) -> None:
    assert {row["key"]: row["count"] for row in of_group(point, "cost")} == {8.0: 3, 16.0: 1}
    assert {row["key"]: row["count"] for row in of_group(point, "tied")} == {1: 1, 2: 1}
    assert {row["key"]: row["count"] for row in of_group(point, "worker")} == {0: 1, 1: 1}
    (head,) = of_group(point, "point")
    assert (head["cheapest"], head["first_cheapest"]) == (2, 1)
    assert (head["first_cheapest_mean"], head["first_cheapest_variance"]) == (1.5, 0.25)


def test_the_router_law_of_two_workers() -> None:
    """With two workers the better one is taken with 1/(1 + e^(-1/tau)), whatever the gap."""
    for gap in (1.0, 8.0, 80.0):
        assert first_cheapest((4.0, 4.0 + gap), 0.7) == pytest.approx(1 / (1 + math.exp(-1 / 0.7)))
    assert first_cheapest((4.0, 4.0, 9.0), 0.0) == 0.5
    assert first_cheapest((4.0, 4.0, 4.0), 0.7) == pytest.approx(1 / 3)
