"""The numeric splits beside the exact solver: they are the judges of the theorems."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.games.queueing.closed_forms import parallel_mm1
from anarchy.games.theorems.queueing import splits
from tests.games.rationals import fractions

RELATIVE = 1e-9
rate_lists = st.lists(st.integers(1, 9), min_size=1, max_size=4)
loads = fractions(min_value=Fraction(1, 20), max_value=Fraction(19, 20), max_denominator=40)


@settings(max_examples=60, deadline=None)
@given(rate_lists, loads)
def test_costs_agree_with_the_exact_solver(rates: list[int], load: Fraction) -> None:
    demand = load * sum(rates)
    exact = parallel_mm1(rates, demand)
    flows = splits.fill([splits.latency(rate, 0) for rate in rates], float(demand))
    assert splits.total_delay(rates, flows) == pytest.approx(
        float(exact.equilibrium_cost), rel=RELATIVE
    )
    least = splits.least_delay(rates, float(demand))
    assert least == pytest.approx(float(exact.optimum_cost), rel=RELATIVE)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 4), min_size=1, max_size=4), st.floats(0.1, 5))
def test_every_proxy_is_equal_on_used_servers(credits: list[float], demand: float) -> None:
    rate = 6.0  # one server alone can carry the demand
    for inverse, proxy in (
        (splits.linear, lambda x, c: x - c),
        (splits.squared, lambda x, c: x**2 - c),
        (lambda c: splits.latency(rate, c), lambda x, c: 1 / (rate - x) - c),
        (lambda c: splits.active_blocks(rate, 2.0, c), lambda x, c: 2 * x / (rate - x) - c),
    ):
        flows = splits.fill([inverse(credit) for credit in credits], demand)
        assert sum(flows) == pytest.approx(demand, rel=RELATIVE)
        seen = [proxy(x, credit) for x, credit in zip(flows, credits, strict=True)]
        used = [level for level, x in zip(seen, flows, strict=True) if x > 0]
        assert max(used) - min(seen) < 1e-8 * (1 + abs(max(used)))


def test_first_overload_is_found_or_one() -> None:
    third = splits.first_overload(lambda load: load >= Fraction(1, 3))
    assert 0 <= third - Fraction(1, 3) <= Fraction(1, 2**splits.HALVINGS)
    assert splits.first_overload(lambda _: False) == 1


def test_a_credit_draws_load() -> None:
    favoured, other = splits.fill([splits.linear(0.25), splits.linear(0.0)], 1.5)
    assert math.isclose(favoured - other, 0.25)
