"""Optima with certificates: against enumeration, against lines, and certificates that lie."""

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.games.placement import enumeration, line, topology
from anarchy.games.placement.game import CachingGame, Costs, copies_of
from anarchy.games.placement.lagrangian_bound import (
    Branch,
    Leaf,
    OptimumCertificate,
    Part,
    part_bound,
)
from anarchy.games.placement.local_search import descend
from anarchy.games.placement.optimum import optimum
from tests.games.placement.caching_games import amounts, caching_games
from tests.sandbox import inputs


@pytest.mark.random
@inputs(0.5)
@given(caching_games(bits=8))
def test_optimum_is_that_of_enumeration(game: CachingGame) -> None:
    certificate = optimum(game)
    least = enumeration.solve(game).optimum
    assert certificate.check()
    assert certificate.upper == least
    assert certificate.lower <= least
    assert certificate.proven


@settings(max_examples=60, deadline=None)
@given(caching_games(bits=8), st.data())
def test_any_prices_bound_the_optimum_from_below(game: CachingGame, data: st.DataObject) -> None:
    """Whatever the prices and the branches are, the bound holds, and covers all placements."""

    def tree(depth: int) -> Leaf | Branch:
        if depth and data.draw(st.booleans()):
            place = [data.draw(st.integers(0, n - 1)) for n in (game.nodes, game.objects)]
            return Branch(*place, tree(depth - 1), tree(depth - 1))
        row = st.tuples(*[amounts] * game.objects)
        return Leaf(data.draw(st.tuples(*[row] * game.nodes)))

    part = Part(tuple(range(game.objects)), tree(2))
    assert part_bound(game, part) <= enumeration.solve(game).optimum


@settings(max_examples=60, deadline=None)
@given(caching_games(bits=8), st.data())
def test_descent_ends_where_no_single_step_helps(game: CachingGame, data: st.DataObject) -> None:
    costs = Costs.of(game)
    kept = st.sets(st.integers(0, game.objects - 1), max_size=game.room).map(tuple)
    start = copies_of(data.draw(st.tuples(*[kept] * game.nodes)), game.objects)
    found = descend(costs, start)
    assert costs.social(found) <= costs.social(start)
    assert (found.sum(axis=1) <= game.room).all()
    for node in range(game.nodes):
        for item in range(game.objects):
            changed = found.copy()
            changed[node, item] ^= True
            if changed[node].sum() <= game.room:
                assert costs.social(changed) >= costs.social(found)


@pytest.mark.parametrize(
    ("rows", "columns", "cost", "least"),
    # The smaller two by exhaustive enumeration as well, the last by integer programming.
    [(4, 4, 4, 28), (4, 5, 4, 35), (6, 10, 4, 102)],
)
def test_grids_need_branching_and_are_proven(
    rows: int, columns: int, cost: int, least: int
) -> None:
    certificate = optimum(CachingGame.of(topology.grid(rows, columns), cost))
    assert certificate.check()
    assert certificate.proven
    assert certificate.upper == least


def test_long_line_has_the_same_optimum_by_dynamic_programming() -> None:
    game = CachingGame.of(topology.line(200), 33, [1 + i % 3 for i in range(200)], 20)
    certificate = optimum(game)
    assert certificate.proven
    assert certificate.check()
    exact = line.solve(game.placement_cost, game.demand, game.miss_cost)
    assert certificate.upper == exact.optimum


def test_islands_keep_one_copy_each() -> None:
    certificate = optimum(CachingGame.of(topology.clusters(10, 20, 0, 9), 10))
    assert certificate.proven
    assert certificate.upper == 100


def test_without_work_the_gap_is_told() -> None:
    game = CachingGame.of(topology.grid(8, 8), 2)
    certificate = optimum(game, max_work=0, kicks=0)
    assert certificate.check()
    assert not certificate.proven
    assert certificate.lower < optimum(game).lower == 80 <= certificate.upper


LINE = CachingGame.of(topology.line(6), 3)
PROVEN = optimum(LINE)


def with_prices(value: Fraction) -> OptimumCertificate:
    return replace(PROVEN, parts=(Part((0,), Leaf(((value,),) * 6)),))


@pytest.mark.parametrize(
    "tampered",
    [
        replace(PROVEN, placement=((0,), *PROVEN.placement[1:])),
        replace(PROVEN, placement=PROVEN.placement[1:]),
        replace(PROVEN, placement=((1,), *PROVEN.placement[1:])),
        replace(PROVEN, upper=PROVEN.upper - 1, lower=PROVEN.lower - 1),
        replace(PROVEN, lower=PROVEN.lower + 1),
        replace(PROVEN, game=CachingGame.of(topology.line(6), 2)),
        replace(PROVEN, parts=()),
        replace(PROVEN, parts=(), lower=math.inf),
        replace(PROVEN, parts=PROVEN.parts * 2, lower=PROVEN.lower * 2),
        replace(PROVEN, parts=(Part((0,), Leaf(())),)),
        replace(PROVEN, parts=(Part((0,), Branch(6, 0, Leaf(()), Leaf(()))),)),
        with_prices(Fraction(-1)),
        with_prices(Fraction(0)),
        with_prices(Fraction(3)),
    ],
)
def test_tampered_certificate_is_refused(tampered: OptimumCertificate) -> None:
    assert PROVEN.proven
    assert PROVEN.check()
    assert not tampered.check()


def test_prices_too_high_only_weaken_the_bound() -> None:
    game = CachingGame.of(topology.line(6), 3)
    part = Part((0,), Leaf(((Fraction(10**40),),) * 6))
    assert part_bound(game, part) == 0


def test_one_node() -> None:
    certificate = optimum(CachingGame.of(topology.line(1), 3))
    assert (certificate.placement, certificate.upper) == (((0,),), 3)
    assert certificate.proven


def test_zero_demand_needs_no_copy() -> None:
    certificate = optimum(CachingGame.of(topology.grid(5, 5), 1, 0))
    assert (certificate.placement, certificate.upper) == (((),) * 25, 0)
    assert certificate.proven


def test_zero_placement_cost_has_optimum_zero() -> None:
    certificate = optimum(CachingGame.of(topology.grid(5, 5), 0))
    assert certificate.upper == certificate.lower == 0


def test_no_room_without_a_miss_cost_is_infinite() -> None:
    certificate = optimum(CachingGame.of(topology.grid(5, 5), 1, capacity=0))
    assert certificate.upper == certificate.lower == math.inf
    assert certificate.check()
    assert not replace(certificate, game=CachingGame.of(topology.grid(5, 5), 1)).check()


def test_no_room_with_a_miss_cost_is_a_miss_everywhere() -> None:
    certificate = optimum(CachingGame.of(topology.grid(5, 5), 1, 2, 3, capacity=0))
    assert certificate.upper == certificate.lower == 25 * 6


def test_room_for_exactly_one_copy_of_each_object() -> None:
    """Every finite placement is a permutation, and only one is free of fetches."""
    demand = [[int(i == j) for j in range(5)] for i in range(5)]
    certificate = optimum(CachingGame.of(topology.complete(5), 1, demand, capacity=1))
    assert certificate.placement == tuple((i,) for i in range(5))
    assert certificate.proven


def test_ties_everywhere() -> None:
    certificate = optimum(CachingGame.of(topology.complete(30), 1))
    assert certificate.upper == certificate.lower == 30


def test_detours_that_violate_the_triangle_inequality_are_not_taken() -> None:
    detour = topology.distance([[0, 1, 9], [1, 0, 1], [9, 1, 0]])
    assert optimum(CachingGame.of(detour, [20, 20, 0])).upper == 9 + 1


def test_huge_denominators_keep_the_bound_below_the_optimum() -> None:
    costs = [Fraction(3, 10**25 + 1 + i) * 10**25 for i in range(6)]
    game = CachingGame.of(topology.line(6), costs, miss_cost=Fraction(10**30, 10**30 + 57))
    certificate = optimum(game)
    least = enumeration.solve(game).optimum
    assert certificate.check()
    assert certificate.lower <= least == certificate.upper
    assert certificate.upper - certificate.lower < least / 10**6


def test_tiny_and_huge_costs_together() -> None:
    game = CachingGame.of(topology.line(5), [10**12, 1, 10**12, 1, 10**12], "1/1000000")
    certificate = optimum(game)
    assert certificate.check()
    assert certificate.lower <= certificate.upper == enumeration.solve(game).optimum
