"""Two stages: rows, the refuted conjecture by hand, and the instances of the proofs."""

from fractions import Fraction
from itertools import product

import pytest

from anarchy.games.poa_table import four_request_game
from anarchy.games.routing import two_stage
from anarchy.games.theorems.stages import instances, theorems
from anarchy.games.theorems.windows.closed_forms import nonatomic_worst
from tests.games.theorems.conftest import RowsOf


def test_every_check_holds_under_its_own_name(rows_of: RowsOf) -> None:
    rows = rows_of(theorems)
    assert [row["id"] for row in rows if not row["holds"]] == []
    assert len({row["id"] for row in rows}) == len(rows) > 20
    assert all(row["id"].startswith("stages-") for row in rows)


def test_identical_requests_with_hand_offs_lose_more_than_four_thirds() -> None:
    """The counterexample to the conjecture of 4/3, costs added up by hand.

    Workers of slopes two and one in each stage; from the second to the second a hand-off of three.
    """
    slopes, link = (2, 1), {(1, 1): 3}

    def costs(profile: tuple[tuple[int, int], ...]) -> list[int]:
        loads = [[sum(pair[side] == w for pair in profile) for w in (0, 1)] for side in (0, 1)]
        return [
            slopes[p] * loads[0][p] + slopes[q] * loads[1][q] + link.get((p, q), 0)
            for p, q in profile
        ]

    pairs = [*product((0, 1), repeat=2)]
    bad = ((0, 0), (1, 1))
    assert costs(bad) == [4, 5]
    assert all(costs((pair, bad[1]))[0] >= 4 and costs((bad[0], pair))[1] >= 5 for pair in pairs)
    assert min(sum(costs(profile)) for profile in product(pairs, repeat=2)) == 6
    assert two_stage.solve(instances.mismatched(2)).price_of_anarchy == Fraction(9, 6)


def test_three_identical_requests_on_equal_workers_lose_as_much() -> None:
    game = instances.mismatched(3)
    assert len(set(game.prefill.values())) == len(set(game.decode.values())) == 1
    assert two_stage.solve(game).price_of_anarchy == Fraction(3, 2)


def test_four_requests_attain_the_affine_bound_only_with_free_workers() -> None:
    found = two_stage.solve(four_request_game())
    assert found.profiles is not None
    assert ("a>c", "free>c", "b>d", "free>d") in found.profiles
    assert (found.worst_equilibrium, found.optimum) == (10, 4)


def test_the_tree_closes_in_on_the_affine_bound() -> None:
    ratios = []
    for levels in (2, 4, 6):
        game, stable, better = instances.tree(levels, 3)
        ratios.append(theorems.equilibrium_cost(game, stable) / theorems.profile_cost(game, better))
        assert all(latency(1) > 0 for latency in game.prefill.values())
    assert 2 < ratios[0] < ratios[1] < ratios[2] < Fraction(5, 2)
    with pytest.raises(ArithmeticError, match="would rather move"):
        theorems.equilibrium_cost(game, [better[0], *stable[1:]])


@pytest.mark.parametrize("gamma", [Fraction(1, 2), Fraction(4, 5), Fraction(2)])
def test_identical_requests_lose_in_two_stages_what_small_ones_do(gamma: Fraction) -> None:
    found = two_stage.solve(instances.identical(gamma))
    assert found.price_of_anarchy == nonatomic_worst(gamma)
