"""Checks that bite: a closed form that is five per cent off breaks a check of its theorem."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from fractions import Fraction
from unittest.mock import patch

import pytest

from anarchy.games.common.smoothness import TightBound
from anarchy.games.theorems import delayed_planner, plateau
from anarchy.games.theorems.checks import Row, check
from anarchy.measure.theorem_checks import THEOREMS
from tests.games.theorems.conftest import RowsOf

SHIFT = 0.05
"""Relative error of a mutated closed form."""

LOOSE = {
    # Statements that something exists, or on which side of a number it lies: no value to hit.
    ("prop:tokens", "pure equilibria"),
    ("prop:slope", "spectral radius, on the same side of one as the slope"),
    ("thm:unit-links", "price of anarchy outside the conditions"),
    # Bounds of which the paper says that they are not tight.
    ("prop:softmax", "expected cost of the worst softmax profile found"),
    ("thm:line", "price of anarchy, loosely"),
    ("thm:line", "price of stability, loosely"),
}
"""What no row comes within five per cent of, by theorem and quantity."""

SWING = "GPUs between highest and lowest split"
"""Rows that tell rest from motion: the gains that they are run at are what a mutation moves."""


@pytest.fixture(scope="module")
def rows(rows_of: RowsOf) -> list[Row]:
    return [row for module in THEOREMS for row in rows_of(module)]


def holds(row: Row, factor: float) -> bool:
    """Whether the row would hold if its closed form were wrong by a factor."""
    stated = row["stated"] * factor
    return bool(check("", "", "", "", row["value"], stated, "", row["relation"])["holds"])


def falsifiable(row: Row) -> Iterator[float]:
    """The factors that make a statement stronger, and so can break it."""
    if row["stated"] in (None, 0.0, float("inf")):
        return
    if row["relation"] in ("=", "<="):
        yield 1 - SHIFT
    if row["relation"] in ("=", ">="):
        yield 1 + SHIFT


@pytest.fixture(scope="module")
def groups(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """The checks by theorem and quantity, which tell closed forms and their branches apart."""
    found = defaultdict(list)
    for row in rows:
        if not row["quantity"].startswith(SWING):
            found[row["theorem"], row["quantity"]].append(row)
    return dict(found)


def slips_through(group: list[Row]) -> bool:
    """Whether some strengthening of the closed form breaks no row, though one could."""
    factors = {factor for row in group for factor in falsifiable(row)}
    return any(
        all(holds(row, factor) for row in group if factor in falsifiable(row)) for factor in factors
    )


def test_every_closed_form_is_held_to_five_per_cent(
    groups: dict[tuple[str, str], list[Row]],
) -> None:
    assert {key for key, group in groups.items() if slips_through(group)} == LOOSE


def test_every_theorem_has_a_check_that_a_mutation_breaks(rows: list[Row]) -> None:
    breaks: dict[str, bool] = defaultdict(bool)
    for row in rows:
        breaks[row["theorem"]] |= any(not holds(row, factor) for factor in falsifiable(row))
    assert [theorem for theorem, broken in breaks.items() if not broken] == []
    assert len(breaks) > 35


def test_a_formula_that_is_off_is_noticed_and_a_right_one_is_not() -> None:
    """The test of the test: three rows, of which a mutation must break the first two."""
    near = check("a", "t", "q", "s", Fraction(97), Fraction(100), "m", "<=")
    far = check("b", "t", "q", "s", Fraction(50), Fraction(100), "m", "<=")
    same = check("c", "t", "q", "s", Fraction(100), Fraction(100), "m")
    assert [slips_through([row]) for row in (near, same, far)] == [False, False, True]
    assert not slips_through([far, near])


@pytest.mark.parametrize("factor", [1 - SHIFT, 1 + SHIFT])
def test_a_shifted_gain_would_let_planners_rest_or_swing(factor: float) -> None:
    right = delayed_planner.gain_threshold
    with patch.object(delayed_planner, "gain_threshold", lambda d, s: factor * right(d, s)):
        for delay in (0, 1, 2):
            assert not all(row["holds"] for row in delayed_planner._orbit_rows(delay))


@pytest.mark.parametrize("factor", [1 - SHIFT, 1 + SHIFT])
@pytest.mark.parametrize("end", [0, 1])
def test_a_shifted_end_of_a_window_would_be_noticed(end: int, factor: float) -> None:
    right: Callable[[TightBound], tuple[Fraction, Fraction]] = plateau.window

    def shifted(bound: TightBound) -> tuple[Fraction, ...]:
        ends = list(right(bound))
        ends[end] *= Fraction(factor).limit_denominator(100)
        return tuple(ends)

    # The first class, quadratic latencies, suffices.
    with (
        patch.object(plateau, "window", shifted),
        patch.object(plateau, "CLASSES", plateau.CLASSES[:1]),
    ):
        found = [*plateau._window_rows(), *plateau._outside_rows()]
    assert not all(row["holds"] for row in found)
