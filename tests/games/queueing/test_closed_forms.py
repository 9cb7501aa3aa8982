"""Parallel M/M/1 servers, Erlang C and exact mean value analysis."""

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.queueing.closed_forms import (
    erlang_c,
    mm1_latency,
    mmc_latency,
    mva,
    parallel_mm1,
    saturation_limit,
)
from tests.games.rationals import fractions

ROUNDING = 1e-12

rates = fractions(min_value=Fraction(1, 5), max_value=20, max_denominator=12)
rate_lists = st.lists(rates, min_size=1, max_size=5)
loads = fractions(min_value=Fraction(1, 100), max_value=Fraction(99, 100))


@settings(max_examples=80, deadline=None)
@given(rate_lists, loads)
def test_equilibrium_leaves_no_faster_server(mu: list[Fraction], load: Fraction) -> None:
    demand = load * sum(mu)
    flow = parallel_mm1(mu, demand).equilibrium_flow
    assert sum(flow) == demand
    assert min(flow) >= 0
    times = [1 / (rate - x) for rate, x in zip(mu, flow, strict=True)]
    used = {time for time, x in zip(times, flow, strict=True) if x > 0}
    assert len(used) == 1
    assert min(times) == used.pop()


@settings(max_examples=80, deadline=None)
@given(rate_lists, loads)
def test_optimum_has_one_marginal_cost_and_is_no_dearer(mu: list[Fraction], load: Fraction) -> None:
    demand = load * sum(mu)
    report = parallel_mm1(mu, demand)
    flow = report.optimum_flow
    assert math.isclose(sum(flow), demand, rel_tol=ROUNDING)
    marginal = [float(rate / (rate - x) ** 2) for rate, x in zip(mu, flow, strict=True)]
    used = [cost for cost, x in zip(marginal, flow, strict=True) if x > 0]
    # Near capacity a rounded flow leaves few digits of the slack, hence the wide tolerance.
    assert max(used) <= min(marginal) * (1 + 1e-6)
    servers = sum(x > 0 for x in flow)
    assert 1 - ROUNDING <= report.price_of_anarchy <= servers * (1 + ROUNDING)


@settings(max_examples=40, deadline=None)
@given(rates, st.integers(1, 6), loads)
def test_equal_servers_have_price_one_at_every_load(
    rate: Fraction, servers: int, load: Fraction
) -> None:
    report = parallel_mm1([rate] * servers, load * servers * rate)
    assert report.price_of_anarchy == 1
    assert report.equilibrium_flow == report.optimum_flow


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), loads)
def test_square_rates_give_rational_optima(roots: list[int], load: Fraction) -> None:
    mu = [2 * Fraction(value * value) for value in roots]
    report = parallel_mm1(mu, load * sum(mu))
    assert all(isinstance(x, Fraction) for x in report.optimum_flow)
    assert isinstance(report.price_of_anarchy, Fraction)


@settings(max_examples=40, deadline=None)
@given(rate_lists)
def test_price_tends_to_its_saturation_limit(mu: list[Fraction]) -> None:
    near = parallel_mm1(mu, sum(mu) * (1 - Fraction(1, 10**12)))
    assert math.isclose(near.price_of_anarchy, saturation_limit(mu), rel_tol=1e-9)
    assert 1 <= saturation_limit(mu) <= len(mu)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=2, max_size=4), loads, loads)
def test_price_falls_once_the_equilibrium_uses_every_server(
    roots: list[int], one: Fraction, two: Fraction
) -> None:
    mu = [Fraction(value * value) for value in roots]
    entry = sum(mu) - len(mu) * min(mu)
    low, high = (entry + (sum(mu) - entry) * load for load in sorted((one, two)))
    assume(low < high)
    before, after = (parallel_mm1(mu, demand).price_of_anarchy for demand in (low, high))
    assert before == after == 1 if len(set(mu)) == 1 else before > after


def test_irrational_optimum_is_right_to_the_last_digits_near_capacity() -> None:
    slack = Fraction(1, 10**15)
    report = parallel_mm1([2, 3], 5 - slack)
    expected = (math.sqrt(2) + math.sqrt(3)) ** 2 / float(slack) - 2
    assert math.isclose(report.optimum_cost, expected, rel_tol=1e-14)


def test_rational_optimum_on_one_of_two_incommensurable_servers() -> None:
    report = parallel_mm1([9, 2], 1)
    assert report.optimum_flow == (1, 0)
    assert report.price_of_anarchy == Fraction(1)


def test_zero_demand_has_no_ratio() -> None:
    report = parallel_mm1([4, 1], 0)
    assert report.equilibrium_flow == report.optimum_flow == (0, 0)
    assert report.equilibrium_cost == 0
    assert report.price_of_anarchy is None
    assert report.reason == "the optimum is 0, a ratio needs one above 0"


@pytest.mark.parametrize("demand", [5, 6])
def test_overload_costs_infinitely_much(demand: int) -> None:
    for credit in (None, [0, 1]):
        report = parallel_mm1([4, 1], demand, credit)
        assert report.equilibrium_cost == report.optimum_cost == math.inf
        assert report.equilibrium_flow is report.optimum_flow is report.price_of_anarchy is None
        assert report.reason == "every outcome costs infinitely much"


@settings(max_examples=60, deadline=None)
@given(st.data(), rate_lists, loads)
def test_proxy_router_fills_to_one_level(
    data: st.DataObject, mu: list[Fraction], load: Fraction
) -> None:
    credits = data.draw(
        st.lists(
            fractions(min_value=-5, max_value=5, max_denominator=6),
            min_size=len(mu),
            max_size=len(mu),
        )
    )
    demand = load * sum(mu)
    report = parallel_mm1(mu, demand, credits)
    flow = report.equilibrium_flow
    assert sum(flow) == demand
    assert min(flow) >= 0
    seen = [x - c for x, c in zip(flow, credits, strict=True)]
    used = {level for level, x in zip(seen, flow, strict=True) if x > 0}
    assert len(used) == 1
    assert min(seen) == used.pop()
    assert report.price_of_anarchy >= 1 - ROUNDING


def test_proxy_router_can_overload_a_server_below_capacity() -> None:
    report = parallel_mm1([1, 1], "7/4", ["1/4", 0])
    assert report.equilibrium_flow == (1, Fraction(3, 4))
    assert report.equilibrium_cost == report.price_of_anarchy == math.inf
    assert report.optimum_cost == 14


def test_bad_queue_input_is_refused_by_key() -> None:
    for arguments, message in [
        (([], 1), "service_rates: at least one server"),
        (([0], 1), "service_rates: must be greater than 0"),
        (([1], -1), "demand: must be at least 0"),
        (([1], "1/2", [0, 0]), "credit: needs 1 numbers"),
    ]:
        with pytest.raises(InputError, match=message):
            parallel_mm1(*arguments)
    with pytest.raises(InputError, match="at least one server"):
        saturation_limit([])


def test_erlang_c_of_one_server_is_its_load() -> None:
    assert erlang_c(1, "2/7") == Fraction(2, 7)


def test_erlang_c_of_two_servers() -> None:
    # a^2/2 * 2/(2-a) over 1 + a + that, at a = 1.
    assert erlang_c(2, 1) == Fraction(1, 3)


@given(st.integers(1, 12), fractions(min_value=0, max_value=1))
def test_erlang_c_agrees_with_the_sum_of_state_probabilities(c: int, share: Fraction) -> None:
    assume(share < 1)
    load = share * c
    waiting = load**c / math.factorial(c) / (1 - share)
    total = sum(load**k / math.factorial(k) for k in range(c)) + waiting
    assert erlang_c(c, load) == waiting / total


def test_erlang_c_at_saturation_and_without_arrivals() -> None:
    assert erlang_c(3, 3) == erlang_c(3, 5) == 1
    assert erlang_c(3, 0) == 0
    with pytest.raises(InputError, match="servers"):
        erlang_c(0, 1)


def test_one_server_mmc_is_mm1() -> None:
    rate, arrivals = Fraction(5, 2), Fraction(2)
    assert mmc_latency(1, rate, arrivals) == mm1_latency(rate, arrivals) == 2
    assert mmc_latency(2, Fraction(1), Fraction(2)) == mm1_latency(rate, rate) == math.inf


demands = st.lists(fractions(min_value=0, max_value=5, max_denominator=6), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(demands, st.integers(1, 12), fractions(min_value=0, max_value=5, max_denominator=6))
def test_mva_keeps_little_and_stays_under_both_asymptotes(
    work: list[Fraction], clients: int, think: Fraction
) -> None:
    assume(any(work))
    report = mva(work, clients, think)
    assert clients == report.throughput * (report.residence_time + think)
    assert sum(report.queue_lengths) == report.throughput * report.residence_time
    assert report.throughput <= min(1 / max(work), clients / (think + sum(work)))
    assert max(report.utilisation) <= 1
    assert report.saturation_point == (think + sum(work)) / max(work)


def test_mva_throughput_tends_to_the_bottleneck() -> None:
    report = mva([1, 2], 40)
    assert Fraction(1, 2) * (1 - Fraction(1, 10**9)) < report.throughput < Fraction(1, 2)


def test_mva_of_one_client_waits_for_nobody() -> None:
    assert mva(["1/2", 3], 1, 4).residence_time == Fraction(7, 2)


def test_bad_network_is_refused_by_key() -> None:
    for arguments, message in [
        (([0, 0], 1), "service_demands: at least one"),
        (([], 1), "service_demands: at least one"),
        (([1], 0), "clients: must be a whole number"),
        (([1], True), "clients: must be a whole number"),
        (([1], 1, -1), "think_time: must be at least 0"),
        (([-1], 1), "service_demands: must be at least 0"),
    ]:
        with pytest.raises(InputError, match=message):
            mva(*arguments)
