"""Constants of the literature."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.common import literature


def test_atomic_polynomials() -> None:
    found = [literature.atomic_polynomial(degree).value for degree in range(4)]
    assert found == [1, Fraction(5, 2), Fraction(115, 12), Fraction(1163, 28)]


@given(st.integers(1, 40))
def test_weighted_constant_solves_its_equation(degree: int) -> None:
    value = literature.weighted_polynomial(degree).value
    phi = value ** (1 / (degree + 1))
    assert math.isclose((phi + 1) ** degree, value, rel_tol=1e-9)


@given(st.integers(1, 40))
def test_weighted_players_are_at_least_as_bad(degree: int) -> None:
    weighted = literature.weighted_polynomial(degree).value
    assert weighted >= literature.atomic_polynomial(degree).value


def test_weighted_affine_is_the_square_of_the_golden_ratio() -> None:
    golden = (1 + math.sqrt(5)) / 2
    assert math.isclose(literature.weighted_polynomial(1).value, golden**2, rel_tol=1e-15)


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_nonatomic_constant_is_the_worst_of_two_links(degree: int) -> None:
    # A constant link beside x^d at demand 1: the equilibrium pays 1, the optimum splits.
    split = (degree + 1) ** (-1 / degree)
    optimum = split ** (degree + 1) + 1 - split
    assert math.isclose(literature.nonatomic_polynomial(degree).value, 1 / optimum, rel_tol=1e-12)


def test_constant_latencies_lose_nothing() -> None:
    for family in (
        literature.atomic_polynomial,
        literature.weighted_polynomial,
        literature.nonatomic_polynomial,
    ):
        assert family(0).value == 1


def test_symmetric_affine_games() -> None:
    assert literature.symmetric_affine(1).value == 1
    assert literature.symmetric_affine(2).value == Fraction(8, 5)


def test_greedy_routers_and_the_best_equilibrium() -> None:
    greedy = literature.greedy_selfish().value
    assert math.isclose((greedy - 2) ** 2, 5, rel_tol=1e-15)
    assert literature.greedy_least_increase().value == Fraction(17, 3)
    best = literature.affine_price_of_stability().value
    assert math.isclose((best - 1) ** 2, 1 / 3, rel_tol=1e-12)
    assert best < literature.atomic_polynomial(1).value < greedy


@pytest.mark.parametrize("degree", [-1, 1.5, True])
def test_bad_degree_is_refused(degree: object) -> None:
    with pytest.raises(InputError, match="degree"):
        literature.atomic_polynomial(degree)


def test_symmetric_game_without_players_is_refused() -> None:
    with pytest.raises(InputError, match="players"):
        literature.symmetric_affine(0)
