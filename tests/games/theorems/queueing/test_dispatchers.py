"""Replicas that split selfishly: the bound, its judges, unequal shares and the curves."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq, differential_evolution

from anarchy.games.queueing.dispatchers import equal_dispatchers, worst_ratio
from anarchy.games.theorems.queueing import dispatchers
from tests.games.theorems.conftest import RowsOf

Floats = NDArray[np.float64]


def test_every_check_holds_under_its_own_name(rows_of: RowsOf) -> None:
    rows = rows_of(dispatchers)
    assert [row["id"] for row in rows if not row["holds"]] == []
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["id"].startswith("dispatchers-") for row in rows)


def test_in_turn_nobody_gains_by_moving_a_little() -> None:
    rates, offsets, demands = (4.0, 1.0), (0.0, 0.25), (2.0, 1.0, 0.5)
    total = dispatchers.in_turn(rates, offsets, demands)
    assert sum(total) == pytest.approx(sum(demands))
    # Alone, a dispatcher is at the optimum.
    alone = equal_dispatchers([4, 1], 2, 1, [0, "1/4"])
    assert alone.optimum_flow is not None
    assert dispatchers.in_turn(rates, offsets, [2.0]) == pytest.approx(
        [float(x) for x in alone.optimum_flow]
    )


def test_none_of_the_dispatchers_of_the_worst_instance_would_leave_the_warm_server() -> None:
    """Beside a flat alternative of latency `cold`, one of K who sends all to the warm server."""
    count, slowdown = 4, 9
    demand = 1 - Fraction(1, slowdown)
    cold = dispatchers._pool((1,), (0,), count).marginal(0, demand)
    own, others = demand / count, demand * (count - 1) / count

    def cost(kept: Fraction) -> Fraction:
        return kept / (1 - others - kept) + (own - kept) * cold

    assert all(cost(own) <= cost(own * Fraction(k, 20)) for k in range(20))
    assert cost(own) > cost(own + Fraction(1, 100)) or cold >= 1


def test_the_curves_stay_below_both_bounds_and_grow() -> None:
    rows = dispatchers.curve_rows()
    assert len({row["id"] for row in rows}) == len(rows)
    series = {row["series"] for row in rows}
    assert series > set(dispatchers.CURVE_POOLS)
    by_count = {(row["series"], row["dispatchers"]): row["value"] for row in rows}
    for name in dispatchers.CURVE_POOLS:
        values = [by_count[name, count] for count in dispatchers.COUNTS]
        assert values[0] == 1
        assert values == sorted(values)
    for (name, count), value in by_count.items():
        if name != "upper bound known":
            assert value <= float(worst_ratio(count)) <= by_count["upper bound known", count]


def test_a_search_over_pools_comes_close_to_the_bound_and_never_above() -> None:
    """Two workers, four dispatchers; splits from the quadratic equation of each worker alone."""
    count = 4

    def slacks(rates: Floats, offsets: Floats, level: float, share: float) -> Floats:
        """Where 1/y + b + share (rate - y)/y^2 is the level, y <= rate being what is left free."""
        above, half = np.maximum(level - offsets, 1e-12), (1 - share) / 2
        return np.minimum(rates, (half + np.sqrt(half**2 + above * share * rates)) / above)

    def loss(drawn: Floats) -> float:
        rates, offsets = np.array([1.0, np.exp(drawn[0])]), np.array([0.0, np.exp(drawn[1])])
        level = 1 + np.exp(drawn[2])
        selfish = slacks(rates, offsets, level, 1 / count)
        flow = np.sum(rates - selfish)
        least = brentq(lambda v: np.sum(rates - slacks(rates, offsets, v, 1.0)) - flow, 1, 1e9)
        best = slacks(rates, offsets, least, 1.0)
        worst, optimum = (np.sum((rates - y) * (1 / y + offsets)) for y in (selfish, best))
        return float(-worst / optimum)

    bounds = [(-3, 3), (0, 9), (-3, 9)]
    found = -differential_evolution(loss, bounds, rng=1, maxiter=40, popsize=8).fun
    assert 0.98 * float(worst_ratio(count)) < found < float(worst_ratio(count))
