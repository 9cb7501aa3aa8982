"""The four windows: rows, closed forms at hand-made points, and what the safe weights are."""

import math
from fractions import Fraction

import pytest

from anarchy.common.errors import InputError
from anarchy.games.theorems.plateau import affine_worst_ratio
from anarchy.games.theorems.windows import chains, theorems
from anarchy.games.theorems.windows import closed_forms as forms
from tests.games.theorems.conftest import RowsOf


def test_every_check_holds_under_its_own_name(rows_of: RowsOf) -> None:
    rows = rows_of(theorems)
    assert [row["id"] for row in rows if not row["holds"]] == []
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["id"].startswith("windows-") for row in rows)


def test_two_thirds_too_much_is_safe_for_the_worst_equilibrium_only() -> None:
    """The counterexample to "up to two thirds too much leaves the worst case where it is"."""
    much = Fraction(5, 3)
    assert affine_worst_ratio(much) == affine_worst_ratio(1)
    assert forms.nonatomic_worst(much) == Fraction(100, 51) > forms.nonatomic_worst(1)
    assert forms.one_pass_worst(much) == Fraction(100, 21) > forms.one_pass_worst(1)
    # A stream of small requests on a linear link beside an offset loses this much.
    links = (
        theorems.Link(Fraction(1), Fraction(0), Fraction(0)),
        theorems.Link(Fraction(0), Fraction(0), 1 / much),
    )
    worst, best = theorems.split_costs(links, much)
    assert worst / best == Fraction(100, 51)


def test_the_branches_meet() -> None:
    for worst, ends in forms.CURVES.values():
        for end in ends:
            if end < 1 or worst is not forms.best_worst:
                weight = Fraction(end).limit_denominator(10**9)
                nearby = [float(worst(weight * f)) for f in (1 - Fraction(1, 10**6), Fraction(1))]
                assert nearby[0] == pytest.approx(nearby[1], rel=1e-5)


def test_the_safe_weights_lie_in_every_window() -> None:
    for weight in (*forms.SAFE, Fraction(7, 8)):
        assert forms.nonatomic_worst(weight) == Fraction(4, 3)
        assert affine_worst_ratio(weight) == Fraction(5, 2)
        assert forms.one_pass_worst(weight) == pytest.approx(2 + math.sqrt(5))
        assert forms.best_worst(weight) == pytest.approx(1 + 1 / math.sqrt(3))


def test_a_short_chain_pays_what_the_proof_says() -> None:
    """The first request pays one, all others one more and the offset of one over the weight."""
    gamma = Fraction(1, 4)
    requests = chains.short_chain(10, gamma)
    assert chains.pass_cost(requests, gamma) == 1 + 9 * (1 + 4)
    assert chains.chain_ratio(requests, gamma) == Fraction(46, 10)


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="gamma"):
        forms.nonatomic_worst(0)
    with pytest.raises(ValueError, match="at most 1"):
        forms.best_worst(2)
