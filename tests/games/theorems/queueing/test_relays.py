"""Pools under normalised costs: a cycle worked out by hand, and what no pool exceeds."""

import math

import numpy as np
import pytest

from anarchy.games.queueing.stale_loads import relay_cycle, swing_bound
from anarchy.games.theorems.queueing import relays
from tests.games.theorems.conftest import RowsOf


def test_every_check_holds_under_its_own_name(rows_of: RowsOf) -> None:
    rows = rows_of(relays)
    assert [row["id"] for row in rows if not row["holds"]] == []
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["id"].startswith("stale-") for row in rows)


def test_one_worker_against_two_by_hand() -> None:
    """At tau = 1/ln 2 a worker seen as loaded weighs one half: shares 1/2, 1/4, 1/4 or 1/5, 2/5."""
    cycle = relay_cycle(20, 0, 1 / math.log(2), 1, group=1, others=2)
    assert cycle.above == pytest.approx(20 * (1 / 2 - 1 / 4))
    assert cycle.below == pytest.approx(20 * (2 / 5 - 1 / 5))
    # It falls to -4 in a second, climbs back at 5 a second, goes on for one, and falls at 4.
    assert cycle.period == pytest.approx(1 + 4 / 5 + 1 + 5 / 4)


def test_two_workers_are_a_special_case() -> None:
    for rate in (0.0, 0.5):
        cycle = relay_cycle(20, rate, 2, 1)
        assert cycle.above == cycle.below == swing_bound(20, 2, rate, 2, 1)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 5.0])
def test_the_bound_is_that_of_the_most_unequal_groups(temperature: float) -> None:
    extremes = [max(relay_cycle(20, 0.5, temperature, 1, k, 5 - k)[:2]) for k in range(1, 5)]
    assert max(extremes) == swing_bound(20, 5, 0.5, temperature, 1) == extremes[0] == extremes[-1]


def test_what_a_busy_pool_swings_grows_with_the_age_alone() -> None:
    """Without a rate of service by itself, time and requests scale together."""
    assert swing_bound(20, 6, 0, 1, 3) == pytest.approx(3 * swing_bound(20, 6, 0, 1, 1))


def test_no_pool_that_starts_unequal_comes_to_rest() -> None:
    start = np.array([0.01, -0.01, 0.004, 0.0, 0.0])
    bound = swing_bound(relays.ARRIVALS, 5, relays.RATE, 0.5, 1 + 1 / relays.POOL_STEPS)
    assert 0.3 * bound < relays.widest_gaps(5, 0.5, relays.RATE, start).max() <= bound
