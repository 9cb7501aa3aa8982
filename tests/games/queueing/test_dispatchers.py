"""K dispatchers: exact splits, certificates, limits of one and of many, and another way to each."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize

from anarchy.common.errors import InputError
from anarchy.games.queueing import dispatchers
from anarchy.games.queueing.closed_forms import parallel_mm1
from anarchy.games.queueing.dispatchers import (
    Pool,
    equal_dispatchers,
    residual,
    saturation_loss,
    slowdown_ratio,
    worst_ratio,
)
from tests.games.rationals import fractions

rate_lists = st.lists(st.integers(1, 9), min_size=1, max_size=4)
loads = fractions(min_value=Fraction(1, 20), max_value=Fraction(19, 20), max_denominator=40)


def test_a_split_that_is_rational_is_found_exactly() -> None:
    """At marginal cost 1/2 two dispatchers leave y^2 - y = mu: 25 and 3 for rates 600 and 6."""
    report = equal_dispatchers([600, 6], 578, 2)
    assert report.equilibrium_flow == (575, 3)
    assert report.optimum_flow == (600 - Fraction(280, 11), 6 - Fraction(28, 11))
    assert (report.equilibrium_cost, report.optimum_cost) == (24, Fraction(335, 14))
    assert report.price_of_anarchy == Fraction(336, 335)
    assert (report.marginal_cost, report.residual, report.exact) == (Fraction(1, 2), 0, True)


@settings(max_examples=30, deadline=None)
@given(rate_lists, loads)
def test_one_dispatcher_finds_the_optimum(rates: list[int], load: Fraction) -> None:
    demand = load * sum(rates)
    report, known = equal_dispatchers(rates, demand, 1), parallel_mm1(rates, demand)
    assert report.price_of_anarchy in (1, 1.0)
    assert report.equilibrium_cost == pytest.approx(known.optimum_cost, rel=1e-14)
    assert report.optimum_flow == pytest.approx(known.optimum_flow, rel=1e-14)


@settings(max_examples=30, deadline=None)
@given(rate_lists, loads)
def test_very_many_dispatchers_are_a_stream_of_single_requests(
    rates: list[int], load: Fraction
) -> None:
    demand = load * sum(rates)
    report, known = equal_dispatchers(rates, demand, 10**15), parallel_mm1(rates, demand)
    assert report.price_of_anarchy == pytest.approx(known.price_of_anarchy, rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(rate_lists, loads, st.integers(1, 40), st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_certificate_and_bound_hold_and_the_loss_grows_with_dispatchers(
    rates: list[int], load: Fraction, count: int, offsets: list[int]
) -> None:
    demand = load * sum(rates)
    fewer, more = (
        equal_dispatchers(rates, demand, k, offsets[: len(rates)]) for k in (count, count + 1)
    )
    assert fewer.residual is not None
    assert fewer.residual < 1e-25
    assert fewer.price_of_anarchy is not None
    assert more.price_of_anarchy is not None
    assert 1 <= fewer.price_of_anarchy <= more.price_of_anarchy + 1e-12
    assert fewer.price_of_anarchy <= fewer.worst_case


def test_the_certificate_notices_flows_that_are_off() -> None:
    pool = Pool(((Fraction(600), Fraction(0)), (Fraction(6), Fraction(0))), (1, 1), 2)
    right = [Fraction(575), Fraction(3)]
    assert residual(pool, Fraction(578), Fraction(1, 2), right) == 0
    for wrong in ([574, 3], [574, 4], [578, 0]):
        off = residual(pool, Fraction(578), Fraction(1, 2), [Fraction(x) for x in wrong])
        assert off > Fraction(1, 1000)


def test_an_idle_server_that_would_be_cheaper_is_noticed() -> None:
    pool = Pool(((Fraction(2), Fraction(0)),) * 2, (1, 1), 3)
    level = pool.marginal(0, Fraction(1))
    assert residual(pool, Fraction(1), level, [Fraction(1), Fraction(0)]) > Fraction(1, 2)


@pytest.mark.parametrize("count", [2, 7])
def test_the_equilibrium_minimises_the_potential(count: int) -> None:
    """The integral of the marginal cost of a symmetric split, minimised without knowing it."""
    rates, offsets, demand = np.array([4.0, 2.0, 1.0]), np.array([1.0, 0.0, 0.5]), 4.5

    def potential(flow: np.ndarray) -> float:
        slack = rates - flow
        each = rates / (count * slack) - (1 - 1 / count) * np.log(slack) + offsets * flow
        return float(each.sum())

    found = minimize(
        potential,
        x0=demand * rates / rates.sum(),
        bounds=[(0, rate - 1e-9) for rate in rates],
        constraints=LinearConstraint(np.ones(3), demand, demand),
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    report = equal_dispatchers(rates.tolist(), demand, count, offsets.tolist())
    assert report.equilibrium_flow is not None
    assert found.x == pytest.approx([float(x) for x in report.equilibrium_flow], abs=1e-5)


def test_random_splits_in_these_shares_cost_what_the_game_says() -> None:
    """Three Poisson streams, each split by coin flips as at the equilibrium, over FIFO queues."""
    rates, demand, count, requests = [2.0, 1.0], 2.0, 3, 400_000
    report = equal_dispatchers(rates, demand, count)
    assert report.equilibrium_flow is not None
    flows = [float(x) for x in report.equilibrium_flow]
    rng = np.random.default_rng(5)
    arrivals = np.cumsum(rng.exponential(1 / demand, requests))
    sender = rng.integers(count, size=requests)  # a stream split by coin flips is Poisson again
    server = (rng.random(requests) * demand > flows[0]).astype(int)
    spent = np.zeros(requests)
    for number, rate in enumerate(rates):
        mine = server == number
        work = rng.exponential(1 / rate, mine.sum())
        ready = np.cumsum(work) - work
        # Lindley: a request starts when it has come and all before it are done.
        starts = np.maximum.accumulate(arrivals[mine] - ready) + ready
        spent[mine] = starts + work - arrivals[mine]
    wanted = float(report.equilibrium_cost) / demand
    for dispatcher in range(count):
        assert spent[sender == dispatcher].mean() == pytest.approx(wanted, rel=0.03)


def test_bounds_at_rational_points() -> None:
    assert [worst_ratio(k) for k in (1, 4, 9)] == [1, Fraction(4, 3), Fraction(9, 5)]
    assert worst_ratio(2) == pytest.approx(2 / (2 * math.sqrt(2) - 1))
    assert slowdown_ratio(3, 1) == 1
    assert slowdown_ratio(1, 7) == 1
    # 9 times 1 + 8/K is a square for K = 1 alone; 5 times 1 + 4/16 is one.
    assert slowdown_ratio(16, 5) == Fraction(4) / (2 * Fraction(5, 2) - 1 - Fraction(5, 4))
    assert slowdown_ratio(10**15, 100) == pytest.approx((1 + 10) / 2)
    steps = [float(slowdown_ratio(4, a)) for a in (1, 2, 5, 50, 5000)]
    assert all(low < high < 4 / 3 for low, high in pairwise(steps))


def test_towards_capacity_nothing_is_lost() -> None:
    losses = []
    for digits in (2, 4, 6):
        slack = Fraction(1, 10**digits)
        report = equal_dispatchers([4, 1], 5 - slack, 3)
        losses.append(float((report.equilibrium_cost - report.optimum_cost) / slack))
    assert losses[2] == pytest.approx(saturation_loss([4, 1], 3), rel=0.01)
    assert saturation_loss([2, 2, 2], 9) == pytest.approx(0, abs=1e-15)


def test_equal_servers_one_server_and_idle_servers_lose_nothing() -> None:
    for rates, demand in (([2, 2, 2], 5), ([3], 2)):
        assert equal_dispatchers(rates, demand, 9).price_of_anarchy == 1
    idle = equal_dispatchers([4, "1/10"], 1, 3)
    assert idle.equilibrium_flow == (1, 0)
    assert idle.price_of_anarchy == 1


def test_no_demand_and_overload_have_a_reason() -> None:
    still = equal_dispatchers([4, 1], 0, 3)
    assert (still.price_of_anarchy, still.equilibrium_flow) == (None, (0, 0))
    assert "the optimum is 0" in str(still.reason)
    full = equal_dispatchers([4, 1], 5, 3)
    assert (full.price_of_anarchy, full.equilibrium_flow) == (None, None)
    assert full.equilibrium_cost == math.inf
    assert "infinitely" in str(full.reason)


@pytest.mark.parametrize(
    ("rates", "demand"),
    [
        (["4e300", "1e300"], "45e299"),
        ([4, 1], "1e-300"),
        ([4, 1], f"4.{'9' * 60}"),
        ([4, 1], "3.123456789012345678901234567"),
        ([4, 1] * 500, 2000),
    ],
)
def test_extreme_numbers_are_enclosed_all_the_same(rates: list[object], demand: object) -> None:
    report = equal_dispatchers(rates, demand, 5)
    assert report.residual is not None
    assert report.residual < 1e-25
    assert report.price_of_anarchy is not None
    assert 1 <= report.price_of_anarchy <= report.worst_case


def test_an_exact_result_does_not_depend_on_the_length_of_the_numbers() -> None:
    long = Fraction("1.12345678901234567890123456789")
    report = equal_dispatchers([600 * long, 6 * long], 578 * long, 2)
    assert (report.exact, report.price_of_anarchy) == (True, Fraction(336, 335))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (([], 1, 2), "service_rates: at least one"),
        (([1, 0], 1, 2), "service_rates: must be greater than 0"),
        (([1], -1, 2), "demand: must be at least 0"),
        (([1], "1/2", 0), "dispatchers: must be a whole number of at least 1"),
        (([1], "1/2", True), "dispatchers: must be a whole number of at least 1"),
        (([1, 1], 1, 2, [1]), "offsets: needs 2 numbers"),
        (([1, 1], 1, 2, [1, -1]), "offsets: must be at least 0"),
        ((list(range(1, 1003)), 1, 2), "1002 different servers; allowed: 1000"),
    ],
)
def test_nonsense_is_refused(arguments: tuple[object, ...], fault: str) -> None:
    with pytest.raises(InputError, match=fault.replace("(", r"\(")):
        equal_dispatchers(*arguments)  # type: ignore[arg-type]


def test_many_long_numbers_are_refused() -> None:
    rates = [Fraction(10**900 + k, 10**899) for k in range(100)]
    with pytest.raises(InputError, match="fewer digits"):
        dispatchers.equal_dispatchers(rates, 900, 2)
