"""Shares of the decode workers: the best batches by trying all, and even turns."""

from itertools import product

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.config.settings import load_scenario
from anarchy.measure.bracket.schedules.search import schedules
from anarchy.measure.bracket.schedules.shares import best_batches, in_turn
from anarchy.serving.service_times.lookup import load_service_times

STEPS = np.array([1.0, 1.4, 1.5, 2.6, 2.5])
"""Uneven in the batch."""


def made(batches: tuple[int, ...], speeds: list[float]) -> float:
    """Tokens a second."""
    pairs = zip(batches, speeds, strict=True)
    return sum(batch * speed / STEPS[batch - 1] for batch, speed in pairs if batch)


@pytest.mark.parametrize("speeds", [[1.0], [1.0, 1.0], [1.0, 0.3, 2.0]])
@pytest.mark.parametrize("total", [1, 4, 7, 30])
def test_no_other_batches_make_more(speeds: list[float], total: int) -> None:
    found = best_batches(total, STEPS, speeds)
    every = product(range(len(STEPS) + 1), repeat=len(speeds))
    room = min(total, len(STEPS) * len(speeds))
    assert sum(found) == room
    most = max(made(other, speeds) for other in every if sum(other) == room)
    assert made(found, speeds) == pytest.approx(most, rel=1e-12)


def test_turns_are_as_even_as_shares_allow() -> None:
    shares = np.array([0.5, 0.0, 0.2, 0.3])
    workers = in_turn(shares, 1000)
    assert len(workers) == 1000
    counts = np.cumsum(workers[:, None] == np.arange(4), axis=0)
    due = np.arange(1, 1001)[:, None] * shares
    assert np.abs(counts - due).max() < 2


def test_an_uneven_table_is_found_out() -> None:
    """A batch of 64 takes no longer than one of 32, so two workers had better differ."""
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "340b-1p2d-v09")
    latency = load_service_times(paths.ROOT / paths.LATENCY, scenario.model)
    logs = list(schedules(scenario, latency, seed=1, requests=3000))
    in_turn, shortest, *_ = logs
    planned = min(log.e2e.mean() for log in logs[-2:])
    assert planned < 0.985 * min(in_turn.e2e.mean(), shortest.e2e.mean())
