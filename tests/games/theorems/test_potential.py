"""Which overlaps keep a potential; and what a softmax costs."""

import math
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games import poa_table
from anarchy.games.routing import congestion
from anarchy.games.routing.solve import solve_routing
from anarchy.games.theorems import finite, potential, softmax
from anarchy.games.theorems.finite import FiniteGame, largest_defect
from anarchy.games.theorems.potential import common_prefixes, routing_game
from tests.games.rationals import fractions
from tests.games.theorems.conftest import RowsOf

numbers = fractions(min_value=-2, max_value=4, max_denominator=3)
prompts = st.lists(st.text("ab", min_size=1, max_size=5), min_size=2, max_size=4)


@st.composite
def matrices(draw: st.DrawFn, size: int, symmetric: bool) -> potential.Matrix:
    entries = [[draw(numbers) for _ in range(size)] for _ in range(size)]
    if symmetric:
        entries = [[entries[min(i, k)][max(i, k)] for k in range(size)] for i in range(size)]
    return tuple(map(tuple, entries))


def test_every_check_holds_under_an_id_of_its_own(rows_of: RowsOf) -> None:
    rows = rows_of(potential)
    assert [row["id"] for row in rows if not row["holds"]] == []
    assert len({row["id"] for row in rows}) == len(rows)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(2, 4), st.booleans())
def test_credits_that_add_up_keep_a_potential_exactly_if_symmetric(
    data: st.DataObject, size: int, symmetric: bool
) -> None:
    credit = data.draw(matrices(size, symmetric))
    game = routing_game(credit, "sum", Fraction(1))
    defect = largest_defect(FiniteGame.of_congestion(game))
    assert defect == potential.sum_defect(credit)
    assert solve_routing(game).exact_potential == (defect == 0)


@settings(max_examples=60, deadline=None)
@given(matrices(3, symmetric=True))
def test_best_credits_keep_a_potential_exactly_if_the_two_smallest_agree(
    credit: potential.Matrix,
) -> None:
    game = routing_game(credit, "max", Fraction(1))
    smallest, second, _ = sorted((credit[0][1], credit[0][2], credit[1][2]))
    assert solve_routing(game).exact_potential == (smallest == second)
    assert (potential.best_defect(credit) == 0) == (smallest == second)


@settings(max_examples=40, deadline=None)
@given(prompts, st.sampled_from(["sum", "max"]))
def test_common_prefixes_keep_a_potential(texts: list[str], combine: str) -> None:
    assert solve_routing(routing_game(common_prefixes(texts), combine)).exact_potential


def test_common_prefixes_by_hand() -> None:
    assert common_prefixes(["ab", "abb", "b", ""]) == (
        (2, 2, 0, 0),
        (2, 3, 0, 0),
        (0, 0, 1, 0),
        (0, 0, 0, 0),
    )


@settings(max_examples=30, deadline=None)
@given(prompts, numbers, st.sampled_from([max, sum]))
def test_blocks_as_load_and_shares_as_credit_keep_a_weighted_potential(
    texts: list[str], weight: Fraction, combine: object
) -> None:
    game = potential.token_game(texts, weight, True, combine)
    assert largest_defect(game, [Fraction(len(text)) for text in texts]) == 0
    assert game.pure_equilibria()


@given(st.integers(1, 5), st.integers(1, 5), st.data())
def test_two_requests_of_the_router_lack_an_equilibrium_exactly_if_one_flees_and_one_follows(
    one: int, two: int, data: st.DataObject
) -> None:
    shared = data.draw(st.integers(0, min(one, two)))
    weight = data.draw(fractions(min_value=0, max_value=6, max_denominator=4))
    texts = ["s" * shared + tail * (n - shared) for n, tail in ((one, "a"), (two, "b"))]
    game = potential.identical_workers_game(texts, weight)
    flees_and_follows = (one - weight * shared) * (two - weight * shared) < 0
    assert bool(game.pure_equilibria()) == (not flees_and_follows)
    assert game.pure_equilibria() or weight > 1


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text("ab", min_size=3, max_size=3), min_size=2, max_size=4), numbers)
def test_prompts_of_one_length_keep_a_potential_under_the_router_rule(
    texts: list[str], weight: Fraction
) -> None:
    assert largest_defect(potential.identical_workers_game(texts, weight)) == 0


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_profiles_written_out_agree_with_the_array_solver(data: st.DataObject) -> None:
    combine = data.draw(st.sampled_from(["sum", "max"]))
    game = routing_game(data.draw(matrices(3, symmetric=False)), combine)
    written, report = FiniteGame.of_congestion(game), solve_routing(game)
    assert written.optimum == report.optimum
    assert tuple(written.pure_equilibria()) == report.profiles
    assert (largest_defect(written) == 0) == report.exact_potential


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 50), min_size=1, max_size=6),
    st.floats(0.05, 20),
)
def test_a_softmax_regrets_no_more_than_its_factor(costs: list[float], temperature: float) -> None:
    found = finite.softmax_regret(costs, temperature) / temperature
    assert found <= softmax.regret_factor(len(costs)) + 1e-12


@pytest.mark.parametrize("options", [1, 2, 3, 5, 100])
def test_the_factor_solves_its_equation_and_lies_below_the_logarithm(options: int) -> None:
    factor = softmax.regret_factor(options)
    assert math.isclose(factor * math.exp(factor + 1), options - 1, abs_tol=1e-12)
    assert factor <= math.log(options)
    worst = [0.0] + [1 + factor] * (options - 1)
    assert math.isclose(finite.softmax_regret(worst, 1.0), factor, abs_tol=1e-12)


def test_no_option_is_refused() -> None:
    with pytest.raises(InputError, match="options: must be at least 1"):
        softmax.regret_factor(0)


def test_softmax_profile_of_two_equal_requests_is_a_fixed_point_by_hand() -> None:
    # By symmetry both draw evenly; either costs 1 + 1/2 in expectation, the optimum 1 each.
    latency = {"a": potential.polynomial(0, 1), "b": potential.polynomial(0, 1)}
    pair = tuple(congestion.Strategy(frozenset(r)) for r in "ab")
    game = FiniteGame.of_congestion(congestion.CongestionGame(latency, (pair, pair)))
    assert math.isclose(finite.worst_softmax(game, 1.0), 1.5)


def test_a_search_that_does_not_settle_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite, "MAX_STEPS", 1)
    game = FiniteGame.of_congestion(poa_table.two_worker_game(Fraction(2, 3)))
    with pytest.raises(ArithmeticError, match="still moves"):
        finite.worst_softmax(game, 1.0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(1, 9), min_size=8, max_size=8), min_size=2, max_size=2))
def test_worst_coarse_correlated_equilibrium_contains_the_pure_ones(costs: list[list[int]]) -> None:
    profiles = list(product(range(2), range(4)))
    table = {s: [Fraction(player[k]) for player in costs] for k, s in enumerate(profiles)}
    game = FiniteGame.of([2, 4], lambda s: table[s])
    worst = finite.worst_coarse_correlated(game)
    for profile in game.pure_equilibria():
        assert float(game.social[profile] / game.optimum) <= worst * (1 + 1e-9)
    assert worst <= finite.worst_coarse_correlated(game, 1.0) * (1 + 1e-9)
