"""Reading numbers exactly, and ratios that mean something."""

import math
from fractions import Fraction

import pytest
from hypothesis import given

from anarchy.common.errors import InputError
from anarchy.games.common.rational import MAX_CHARACTERS, exact_text, ratio, rational, root
from tests.games.rationals import fractions


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2, Fraction(2)),
        ("5/2", Fraction(5, 2)),
        ("-1.25", Fraction(-5, 4)),
        (0.1, Fraction(1, 10)),
        ("1e-3", Fraction(1, 1000)),
        (1e22, Fraction(10**22)),
    ],
)
def test_numbers_are_read_exactly(value: object, expected: Fraction) -> None:
    assert rational(value, "x") == expected


@pytest.mark.parametrize(
    "value", [True, None, "x", "", "1/0", "1 /2", math.inf, math.nan, "inf", "0x10", "1e9999", [1]]
)
def test_what_is_no_number_is_refused_by_key(value: object) -> None:
    with pytest.raises(InputError, match="demand"):
        rational(value, "demand")


def test_hundred_thousand_digits_are_refused_politely() -> None:
    for huge in (10**100_000, "9" * 100_000, "1/" + "3" * 100_000):
        with pytest.raises(InputError, match=f"longer than {MAX_CHARACTERS} characters"):
            rational(huge, "x")


def test_ratio_is_refused_for_optimum_of_zero_or_less() -> None:
    assert ratio(Fraction(3), Fraction(0)) == (None, "the optimum is 0, a ratio needs one above 0")
    assert ratio(Fraction(-1), Fraction(-2))[0] is None


def test_ratio_is_refused_without_equilibrium_and_without_finite_outcome() -> None:
    assert ratio(None, Fraction(1)) == (None, "no pure equilibrium")
    assert ratio(math.inf, math.inf) == (None, "every outcome costs infinitely much")


def test_ratio_of_an_infinite_equilibrium_is_infinite() -> None:
    assert ratio(math.inf, Fraction(1)) == (math.inf, None)


def test_exact_text() -> None:
    assert [exact_text(v) for v in (Fraction(5, 2), Fraction(4), math.inf, 1.5, None)] == [
        "5/2",
        "4",
        "inf",
        None,
        None,
    ]


@given(fractions(min_value=0, max_value=10**6))
def test_root_of_a_square_is_exact(value: Fraction) -> None:
    assert root(value * value) == (value, True)


@given(fractions(min_value=0, max_value=10**6, max_denominator=10**6))
def test_root_is_right_to_fifty_digits(value: Fraction) -> None:
    found, exact = root(value)
    assert 0 <= value - found * found < Fraction(1, 10**50)
    assert exact == (found * found == value)
