"""Latency functions of a resource."""

import math
from fractions import Fraction

import pytest

from anarchy.common.errors import InputError
from anarchy.games.common.latency import MM1, Polynomial, Table


def test_polynomial_is_evaluated_exactly() -> None:
    assert Polynomial(("1/2", 0, 3))(2) == Fraction(25, 2)


def test_mm1_is_infinite_from_its_rate_on() -> None:
    latency = MM1("5/2")
    assert [latency(load) for load in (1, 2, 3)] == [Fraction(2, 3), Fraction(2), math.inf]
    assert MM1(4)(4) == math.inf


def test_table_refuses_a_load_beyond_its_end() -> None:
    assert Table((1, 3))(2) == 3
    with pytest.raises(InputError, match="loads 1 to 2, load 3 is needed"):
        Table((1, 3))(3)


def test_empty_polynomial_and_rate_of_zero_are_refused() -> None:
    with pytest.raises(InputError, match="at least one coefficient"):
        Polynomial(())
    with pytest.raises(InputError, match="mm1: must be greater than 0"):
        MM1(0)
