"""Exact linear programs: optima worked out by hand, degenerate ones, and false proofs."""

from dataclasses import replace
from fractions import Fraction

import pytest

from anarchy.games.common.exact_program import least


def rows(*lines: tuple[int, ...]) -> list[tuple[tuple[Fraction, ...], Fraction]]:
    return [(tuple(map(Fraction, line[:-1])), Fraction(line[-1])) for line in lines]


def test_a_vertex_is_rational_and_proved() -> None:
    found = least(rows((3, 1, 1), (3, -2, 0), (0, 1, 0)))
    assert found.point == (Fraction(2, 9), Fraction(1, 3))
    assert found.check()


def test_more_tight_rows_than_variables() -> None:
    found = least(rows((1, 1, 2), (1, -1, 0), (1, 0, 1), (2, 0, 2), (2, 1, 3)))
    assert found.point == (1, 1)
    assert found.check()


def test_a_false_proof_is_noticed() -> None:
    found = least(rows((1, 1, 2), (1, -1, 0)))
    assert not replace(found, point=(Fraction(2), Fraction(1))).check()
    assert not replace(found, weights={0: Fraction(1)}).check()
    assert not replace(found, point=(Fraction(1, 2), Fraction(1, 2))).check()


def test_no_optimum_is_an_error() -> None:
    with pytest.raises(ArithmeticError):
        least(rows((0, -1, 1)))
