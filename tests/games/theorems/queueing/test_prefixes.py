"""Selfish routing with prefixes: no bound by the number of servers, its peak, and the toll."""

from fractions import Fraction

import pytest

from anarchy.common.errors import InputError
from anarchy.games.queueing.prefix_routing import mistuned_toll_ratio, prefix_bound, slowdown_bound
from anarchy.games.theorems.queueing import prefixes, splits
from tests.games.theorems.conftest import RowsOf


def test_every_check_holds_under_its_own_name(rows_of: RowsOf) -> None:
    rows = rows_of(prefixes)
    assert [row["id"] for row in rows if not row["holds"]] == []
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["id"].startswith("prefix-") for row in rows)


def cost(flows: list[Fraction], offsets: list[int]) -> Fraction:
    """Requests present and offsets a second, on servers of rate 1, exactly."""
    return sum(
        (x / (1 - x) + b * x for x, b in zip(flows, offsets, strict=True)), start=Fraction(0)
    )


def test_two_servers_with_prefixes_lose_more_than_a_factor_of_two() -> None:
    """The counterexample to "selfishness alone is bounded by the number of servers"."""
    offsets, demand = [0, 24], Fraction(24, 25)
    # All on the warm server is an equilibrium: its latency is 25, that of the idle one 1 + 24.
    assert 1 / (1 - demand) == 1 + offsets[1]
    equilibrium = cost([demand, Fraction(0)], offsets)
    alternative = cost([Fraction(4, 5), demand - Fraction(4, 5)], offsets)
    assert equilibrium / alternative == Fraction(12600, 4216) > 2


def test_the_share_that_selfish_routing_loses_falls_but_the_loss_grows() -> None:
    """On rates 4 and 1 the loss is exactly 1 over the slack once both servers are used."""
    for demand in (Fraction(3), Fraction(9, 2), Fraction(499, 100)):
        slack = 5 - demand
        loss = 2 * demand / slack - (9 / slack - 2)
        assert loss == 1 / slack
        flows = prefixes.selfish_flows([4.0, 1.0], [0.0, 0.0], demand)
        least = splits.least_delay([4.0, 1.0], float(demand))
        assert splits.total_delay([4.0, 1.0], flows) - least == pytest.approx(float(loss))


def test_the_loss_peaks_where_the_warm_server_is_as_slow_as_a_cold_one() -> None:
    ratios = {
        k: prefixes.selfish_ratio([1.0, 1.0], [0.0, 24.0], Fraction(k, 25)) for k in range(5, 50)
    }
    assert max(ratios, key=lambda k: ratios[k]) == 24
    assert ratios[49] < 1.05
    assert max(ratios.values()) > 0.99 * float(prefix_bound(1, 24))


def test_a_saving_that_is_counted_costs_less_than_a_bias() -> None:
    """Credits 3 and 0 at demand 3/2 lose 7/6 as a bias and less as what they are worth."""
    assert prefixes.selfish_ratio([1.0, 1.0], [0.0, 3.0], Fraction(3, 2)) == pytest.approx(
        1.093, abs=5e-4
    )


def test_bounds_at_rational_points() -> None:
    assert slowdown_bound(100) == Fraction(11, 2)
    assert prefix_bound(2, 4) == 2
    assert mistuned_toll_ratio([4, 1], 3, 1) == 1
    assert mistuned_toll_ratio([4, 1], 3, 0) == pytest.approx(6 / 5)
    assert mistuned_toll_ratio([4, 1], 3, 3) == pytest.approx(
        mistuned_toll_ratio([4, 1], 3, Fraction(1, 3))
    )


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="slowdown"):
        slowdown_bound(Fraction(1, 2))
    with pytest.raises(InputError, match="demand"):
        mistuned_toll_ratio([1, 1], 2, 1)
