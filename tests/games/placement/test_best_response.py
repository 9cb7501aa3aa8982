"""Best-response dynamics: what it finds are equilibria, and it says how its runs ended."""

import math
from itertools import product

from hypothesis import given, settings

from anarchy.games.placement import enumeration, topology
from anarchy.games.placement.best_response import is_equilibrium, search, with_known
from anarchy.games.placement.game import CachingGame
from tests.games.placement.caching_games import caching_games

RING = topology.distance([[0, 1, 4], [4, 0, 1], [1, 4, 0]])
"""Directed: each node follows the copy of the next one."""


@settings(max_examples=120, deadline=None)
@given(caching_games(bits=8))
def test_found_equilibria_are_among_the_enumerated(game: CachingGame) -> None:
    every = enumeration.solve(game)
    found = search(game, runs=20)
    assert found.converged + found.cycles + found.unfinished == found.runs == 20
    if found.converged == 0:
        assert found.best is found.worst is found.best_cost is found.worst_cost is None
        return
    assert {found.best, found.worst} <= set(every.profiles)
    assert every.best_equilibrium <= found.best_cost
    assert found.best_cost <= found.worst_cost <= every.worst_equilibrium


@settings(max_examples=60, deadline=None)
@given(caching_games(bits=6))
def test_verification_agrees_with_enumeration_on_every_placement(game: CachingGame) -> None:
    stable = set(enumeration.solve(game).profiles)
    items = range(game.objects)
    sets = [kept for kept in product((False, True), repeat=game.objects) if sum(kept) <= game.room]
    for chosen in product(sets, repeat=game.nodes):
        placement = tuple(tuple(item for item in items if kept[item]) for kept in chosen)
        assert is_equilibrium(game, placement) == (placement in stable)


def test_same_seed_same_result_and_another_seed_another_search() -> None:
    game = CachingGame.of(topology.grid(8, 8), 4)
    assert search(game, seed=3, runs=10) == search(game, seed=3, runs=10)
    assert any(search(game, seed=s, runs=1) != search(game, seed=3, runs=1) for s in range(5))


def test_extremes_of_the_line_of_six_are_found() -> None:
    game = CachingGame.of(topology.line(6), 3)
    every = enumeration.solve(game)
    found = search(game)
    assert (found.best_cost, found.worst_cost) == (every.best_equilibrium, every.worst_equilibrium)


def test_directed_ring_without_equilibrium_meets_cycles() -> None:
    found = search(CachingGame.of(RING, 2), runs=12)
    assert (found.converged, found.cycles, found.unfinished) == (0, 12, 0)


def test_step_limit_is_honest() -> None:
    found = search(CachingGame.of(RING, 2), runs=4, max_rounds=1)
    assert (found.converged, found.cycles, found.unfinished) == (0, 0, 4)


def test_known_equilibrium_is_kept_and_anything_else_is_not() -> None:
    game = CachingGame.of(topology.line(6), 3)
    every = enumeration.solve(game)
    nothing = search(game, runs=1, max_rounds=0)
    assert nothing.worst is None
    assert with_known(game, nothing, ((0,),) * 6) == nothing
    for profile in every.profiles:
        nothing = with_known(game, nothing, profile)
    assert nothing.best_cost == every.best_equilibrium
    assert nothing.worst_cost == every.worst_equilibrium


def test_what_nobody_can_mend_alone_is_an_equilibrium() -> None:
    """Each node misses two objects and has room for one."""
    game = CachingGame.of(topology.complete(3), 1, [[1, 1]] * 3, capacity=1)
    empty = ((), (), ())
    assert is_equilibrium(game, empty)
    assert search(game, [empty], runs=1).worst_cost == math.inf


def test_capacity_zero_leaves_one_placement() -> None:
    found = search(CachingGame.of(topology.line(4), 1, 1, 5, capacity=0), runs=3)
    assert found.best == found.worst == ((),) * 4
    assert found.best_cost == 20


def test_zero_demand_and_zero_placement_cost_is_an_equilibrium_everywhere() -> None:
    game = CachingGame.of(topology.complete(2), 0, 0)
    assert all(is_equilibrium(game, p) for p in product(((), (0,)), repeat=2))


def test_one_node_keeps_its_object() -> None:
    assert search(CachingGame.of(topology.line(1), 3), runs=2).best == ((0,),)
