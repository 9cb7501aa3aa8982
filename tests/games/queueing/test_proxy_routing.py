"""Closed forms of proxy routers beside the exact solver and values worked out by hand."""

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.queueing.closed_forms import parallel_mm1
from anarchy.games.queueing.proxy_routing import (
    critical_demand,
    latency_aware_bound,
    latency_aware_ratio,
    linear_proxy_ratio,
)
from tests.games.rationals import fractions

shares = fractions(min_value=Fraction(1, 100), max_value=Fraction(99, 100), max_denominator=100)
rates = fractions(min_value=Fraction(1, 2), max_value=5, max_denominator=6)
credit_lists = st.lists(
    fractions(min_value=-1, max_value=3, max_denominator=8), min_size=2, max_size=5
)


@settings(max_examples=100, deadline=None)
@given(rates, credit_lists, shares)
def test_saturation_law_is_the_solvers_ratio_where_all_servers_are_used(
    rate: Fraction, credits: list[Fraction], load: Fraction
) -> None:
    demand = load * rate * len(credits)
    assume(demand >= sum(credit - min(credits) for credit in credits))
    solved = parallel_mm1([rate] * len(credits), demand, credits)
    assert linear_proxy_ratio(rate, demand, credits) == solved.price_of_anarchy


@settings(max_examples=100, deadline=None)
@given(st.data(), st.lists(rates, min_size=1, max_size=5))
def test_a_server_overloads_from_the_critical_demand_on_and_not_before(
    data: st.DataObject, mu: list[Fraction]
) -> None:
    credit = fractions(min_value=-2, max_value=6, max_denominator=8)
    credits = data.draw(st.lists(credit, min_size=len(mu), max_size=len(mu)))
    critical = critical_demand(mu, credits)
    assert 0 < critical <= sum(mu)
    assert parallel_mm1(mu, critical, credits).equilibrium_cost == math.inf
    below = critical * (1 - Fraction(1, 10**9))
    assert parallel_mm1(mu, below, credits).equilibrium_cost < math.inf


@given(st.lists(rates, min_size=1, max_size=5), fractions(min_value=-3, max_value=3))
def test_capacity_is_kept_exactly_by_proxies_that_agree_at_capacity(
    mu: list[Fraction], level: Fraction
) -> None:
    credits = [rate - level for rate in mu]
    assert critical_demand(mu, credits) == sum(mu)
    credits[0] += 1
    assert (critical_demand(mu, credits) < sum(mu)) == (len(mu) > 1)


def test_critical_demand_falls_linearly_until_a_server_idles_and_then_more_slowly() -> None:
    weights = [Fraction(step, 4) for step in range(9)]
    critical = [critical_demand([1, 1, 1], [2 * weight, weight, 0]) for weight in weights]
    assert critical == [3, Fraction(9, 4), Fraction(3, 2), Fraction(5, 4), *[1] * 5]


@given(shares)
def test_no_credit_costs_nothing(load: Fraction) -> None:
    assert linear_proxy_ratio(2, 6 * load, [1, 1, 1]) == 1
    assert latency_aware_ratio(2, 4 * load, 0) == 1
    assert latency_aware_bound(2, 6 * load, [1, 1, 1]) == 1


@pytest.mark.parametrize(
    ("rate", "credits"),
    [
        (Fraction(1), [Fraction(1, 4), Fraction(0)]),
        (Fraction(2), [Fraction(1, 2), Fraction(1, 2), Fraction(0)]),
        (Fraction(3), [Fraction(2), Fraction(1), Fraction(0), Fraction(0)]),
    ],
)
def test_ratio_near_the_pole_is_its_residue_over_the_distance(
    rate: Fraction, credits: list[Fraction]
) -> None:
    critical = critical_demand([rate] * len(credits), credits)
    slack = len(credits) * rate - critical
    residue = credits.count(max(credits)) * rate * slack / critical
    errors = []
    for digits in (4, 5):
        distance = Fraction(1, 10**digits)
        found = distance * linear_proxy_ratio(rate, critical - distance, credits)
        errors.append(abs(found / residue - 1))
    # The error is of first order in the distance.
    assert errors[1] < Fraction(1, 10**4)
    assert errors[0] / errors[1] == pytest.approx(10, rel=1e-2)


@settings(max_examples=60, deadline=None)
@given(credit_lists, shares, shares, shares)
def test_loss_of_the_linear_proxy_is_log_convex_in_the_demand(
    credits: list[Fraction], one: Fraction, two: Fraction, rate: Fraction
) -> None:
    mu = max(credits) - min(credits) + rate
    low = sum(credit - min(credits) for credit in credits)
    high = critical_demand([mu] * len(credits), credits)
    demands = sorted(low + (high - low) * share for share in (one, two))
    left, middle, right = (
        linear_proxy_ratio(mu, demand, credits) - 1
        for demand in (demands[0], sum(demands) / 2, demands[1])
    )
    assert middle**2 <= left * right


def test_latency_aware_ratio_worked_out_by_hand() -> None:
    # S = 1/2, credit S/2 = 3/4, sqrt(1 + 9/16) = 5/4: 1 + (1/4)/(3/2).
    assert latency_aware_ratio(1, "3/2", 3) == Fraction(7, 6)
    # One server is used up to 1/5: cost 1/4 against 2/9 at demand 1/5.
    assert latency_aware_ratio(1, "1/5", "1/4") == Fraction(9, 8)
    assert latency_aware_ratio(1, "1/6", "1/4") == Fraction(11, 10)


@given(rates, shares, fractions(min_value=0, max_value=4, max_denominator=8))
def test_latency_aware_ratio_keeps_its_bound_at_every_load(
    rate: Fraction, load: Fraction, credit: Fraction
) -> None:
    demand = 2 * rate * load
    found = latency_aware_ratio(rate, demand, credit)
    assert 1 <= found <= latency_aware_bound(rate, demand, [credit, 0])


@pytest.mark.parametrize("k", [2, 10, 1000])
def test_latency_aware_loss_is_its_bound_to_second_order(k: int) -> None:
    """With x = credit S/2 = 2k/(k^2 - 1) the root is rational and the gap below x^2/4."""
    x, slack = Fraction(2 * k, k * k - 1), Fraction(1, 10)
    credit = 2 * x / slack
    loss = latency_aware_ratio(1, 2 - slack, credit) - 1
    bound = latency_aware_bound(1, 2 - slack, [credit, 0]) - 1
    assert isinstance(loss, Fraction)
    assert 0 < 1 - loss / bound < x**2 / 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: critical_demand([], []), "credits: needs one number per server"),
        (lambda: critical_demand([1], [0, 0]), "credits: needs one number per server, 1"),
        (lambda: critical_demand([0], [0]), "service_rates: must be greater than 0"),
        (lambda: linear_proxy_ratio(1, 2, [0, 0]), "demand: must be below the total"),
        (lambda: linear_proxy_ratio(1, 1, []), "demand: must be below the total"),
        (lambda: linear_proxy_ratio(1, "1/8", ["1/4", 0]), "demand: too low"),
        (lambda: linear_proxy_ratio(1, 0, [0]), "demand: must be greater than 0"),
        (lambda: latency_aware_ratio(1, 2, 0), "demand: must be below the total"),
        (lambda: latency_aware_ratio(1, 1, -1), "credit: must be at least 0"),
        (lambda: latency_aware_bound(1, 3, [0, 0, 0]), "demand: must be below the total"),
    ],
)
def test_bad_input_is_refused_by_key(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
