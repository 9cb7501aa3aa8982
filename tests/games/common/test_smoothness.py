"""Tight bounds: certificates, known values, and games that may not exceed them."""

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games import poa_table
from anarchy.games.common import literature, smoothness
from anarchy.games.common.latency import MM1, Latency, Polynomial, Table
from anarchy.games.common.smoothness import TightBound, tight_poa
from anarchy.games.routing import congestion
from anarchy.games.routing.solve import solve_routing
from tests.games.rationals import fractions

LINEAR = Polynomial((0, 1))


def monomial(degree: int) -> Polynomial:
    return Polynomial((0,) * degree + (1,))


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5])
def test_program_meets_the_closed_form_of_its_degree(degree: int) -> None:
    bound = tight_poa([monomial(degree)], poa_table.PLAYERS)
    assert bound.poa == literature.atomic_polynomial(degree).value
    assert bound.lam / (1 - bound.mu) == bound.poa
    assert bound.certificate.check()


def test_lower_degrees_do_not_raise_the_bound() -> None:
    both = tight_poa([Polynomial((1,)), LINEAR, monomial(2)], 6)
    assert both.poa == tight_poa([monomial(2)], 6).poa
    assert both.certificate.check()


def test_affine_bound_is_attained_by_three_players() -> None:
    bound = tight_poa([LINEAR], 3)
    assert bound.poa == solve_routing(poa_table.three_player_game()).price_of_anarchy


@pytest.mark.parametrize("weight", ["1/3", "2/3", 1, "5/3", 2, 4])
def test_offset_bound_has_its_closed_form(weight: object) -> None:
    # Flat between 2/3 and 5/3, 1 + 1/gamma below, a maximum over whole x above.
    players, gamma = 12, Fraction(weight)
    above = max(gamma * x * x / (gamma + x * x - x - 1) for x in range(2, players + 1))
    expected = max(Fraction(5, 2), 1 + 1 / gamma, above if gamma > Fraction(5, 3) else 0)
    bound = tight_poa([LINEAR], players, weight)
    assert bound.poa == expected
    assert bound.certificate.check()


@pytest.mark.parametrize("weight", ["1/3", "1/2", "2/3"])
def test_offset_bound_below_the_flat_part_is_attained_by_two_requests(weight: str) -> None:
    gamma = Fraction(weight)
    attained = solve_routing(poa_table.two_worker_game(gamma)).price_of_anarchy
    assert attained == tight_poa([LINEAR], 12, gamma).poa == 1 + 1 / gamma


def test_one_player_is_never_worse_than_the_optimum() -> None:
    bound = tight_poa([LINEAR, MM1("3/2")], 1)
    assert (bound.poa, bound.lam, bound.mu) == (1, 1, 0)
    assert bound.certificate.check()


def test_overload_makes_the_bound_infinite() -> None:
    bound = tight_poa([MM1(3)], 3)
    assert bound.poa == math.inf
    assert bound.lam is bound.mu is bound.certificate is None
    assert bound.reason == "a resource is overloaded by at most 3 players"


def test_latency_that_no_single_user_survives_is_left_out() -> None:
    assert tight_poa([LINEAR, MM1("1/2")], 3).poa == tight_poa([LINEAR], 3).poa


def test_infeasible_program_is_an_infinite_bound_with_a_certificate() -> None:
    # Free for one user, not for two: staying together can cost while parting is free.
    bound = tight_poa([Table((0, 1, 2))], 3)
    assert bound.poa == math.inf
    assert bound.lam is bound.mu is None
    assert bound.reason == "no smoothness parameters exist"
    assert bound.certificate.check()


def test_certificate_of_a_wrong_bound_is_rejected() -> None:
    certificate = tight_poa([LINEAR], 4).certificate
    assert certificate.check()
    (first, key), *others = certificate.weights
    for forged in (
        replace(certificate, rho=certificate.rho - Fraction(1, 10**9)),
        replace(certificate, rho=certificate.rho + 1),
        replace(certificate, nu=certificate.nu + 1),
        replace(certificate, weights=((first * 2, key), *others)),
        replace(certificate, weights=((first, (0, 9, 9, 9)), *others)),
        replace(certificate, weights=((-first, key), *others)),
        replace(certificate, latencies=(monomial(2),)),
        replace(certificate, players=2),
        replace(certificate, rho=None, nu=None),
    ):
        assert not forged.check()


def test_certificate_of_a_feasible_but_needlessly_large_bound_is_rejected() -> None:
    # The point (4, 2) meets every row, so only the weights can give the forgery away.
    loose = replace(tight_poa([LINEAR], 4).certificate, rho=Fraction(4), nu=Fraction(2))
    keeps_some_nu = ((Fraction(1), (0, 1, 0, 1)),)
    negative = ((3, (0, 1, 0, 1)), (-2, (0, 0, 1, 0)), (-8, (0, 1, 0, 0)))
    for weights in (keeps_some_nu, tuple((Fraction(w), key) for w, key in negative)):
        assert not replace(loose, weights=weights).check()


def test_exact_optimum_is_found_even_when_the_floats_give_no_active_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smoothness, "_active_rows", lambda rows: [smoothness._floor_of_rho(rows)])
    for degree, value in ((1, Fraction(5, 2)), (3, Fraction(1163, 28))):
        bound = tight_poa([monomial(degree)], 6)
        assert bound.poa == value
        assert bound.certificate.check()


def test_forged_infeasibility_is_rejected() -> None:
    certificate = tight_poa([Table((0, 1, 2))], 3).certificate
    assert not replace(certificate, latencies=(LINEAR,)).check()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([LINEAR], 0), "players: must be a whole number"),
        (([LINEAR], 61), "allowed: 1 to 60"),
        (([Polynomial((0, -1))], 2), "latency: must not be negative"),
        (([Polynomial((0,))], 2), "latency: at least one"),
        (([], 2), "latency: at least one"),
        (([MM1(1)], 2), "latency: at least one"),
        (([LINEAR], 2, 0), "perceived_offset_weight: must be greater than 0"),
    ],
)
def test_bad_input_is_refused_by_key(arguments: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tight_poa(*arguments)


tables = st.lists(
    fractions(min_value=0, max_value=5, max_denominator=4), min_size=3, max_size=3
).map(lambda values: Table(tuple(sorted(values))))
polynomials = st.lists(
    fractions(min_value=0, max_value=3, max_denominator=3), min_size=2, max_size=3
).map(lambda values: Polynomial(tuple(values)))


def usable(latency: Latency) -> bool:
    return latency(3) > 0


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_small_game_exceeds_its_bound(data: st.DataObject) -> None:
    basis = data.draw(st.lists((tables | polynomials).filter(usable), min_size=1, max_size=2))
    weight = data.draw(st.none() | fractions(min_value=Fraction(1, 4), max_value=4))
    bound: TightBound = tight_poa(basis, 3, weight)
    assert bound.certificate.check()
    names = ["a", "b", "c"]
    offsets = st.just(0) if weight is None else fractions(min_value=0, max_value=4)
    strategies = st.builds(
        congestion.Strategy, st.frozensets(st.sampled_from(names), min_size=1), offsets
    )
    players = data.draw(
        st.lists(st.lists(strategies, min_size=2, max_size=3).map(tuple), min_size=3, max_size=3)
    )
    latency = {name: data.draw(st.sampled_from(basis)) for name in names}
    game = congestion.CongestionGame(latency, tuple(players), 1 if weight is None else weight)
    report = solve_routing(game)
    if report.price_of_anarchy is not None:
        assert report.price_of_anarchy <= bound.poa


@settings(max_examples=30, deadline=None)
@given(tables.filter(usable), st.integers(1, 3))
def test_bound_grows_with_the_players(latency: Latency, players: int) -> None:
    if latency(players) > 0:
        assert tight_poa([latency], players).poa <= tight_poa([latency], 3).poa
