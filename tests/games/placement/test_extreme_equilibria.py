"""Extreme equilibria by integer programming: against enumeration and against long lines."""

import pytest
from hypothesis import given

from anarchy.games.common.rational import Extended
from anarchy.games.placement import enumeration, line, topology
from anarchy.games.placement.extreme_equilibria import MAX_NODES, extremes
from anarchy.games.placement.game import CachingGame, Costs, Placement, copies_of
from tests.games.placement.caching_games import caching_games
from tests.sandbox import inputs


def social(game: CachingGame, placement: Placement) -> Extended:
    costs = Costs.of(game)
    return costs.value(costs.social(copies_of(placement, game.objects)))


@pytest.mark.random
@inputs(0.4)
@given(caching_games(bits=8, limited=False))
def test_extremes_are_those_of_enumeration(game: CachingGame) -> None:
    every = enumeration.solve(game)
    found = extremes(game)
    assert found is not None
    if every.equilibria == 0:
        assert found.best is found.worst is None
        return
    assert {found.best, found.worst} <= set(every.profiles)
    assert social(game, found.best) == every.best_equilibrium
    assert social(game, found.worst) == every.worst_equilibrium


@pytest.mark.parametrize(("cost", "miss"), [(3, None), ("7/2", 4), (9, 6)])
def test_extremes_of_a_line_of_thirty(cost: object, miss: object) -> None:
    game = CachingGame.of(topology.line(30), cost, miss_cost=miss)
    exact = line.solve(game.placement_cost, game.demand, game.miss_cost)
    found = extremes(game)
    assert found is not None
    assert social(game, found.best) == exact.best_equilibrium
    assert social(game, found.worst) == exact.worst_equilibrium


def test_search_that_is_cut_off_claims_nothing() -> None:
    assert extremes(CachingGame.of(topology.grid(6, 8), 4), max_branches=1) is None


def test_only_games_that_it_can_tell_apart_are_searched() -> None:
    assert extremes(CachingGame.of(topology.line(4), 3, 1, 2, capacity=0)) is None
    assert extremes(CachingGame.of(topology.line(MAX_NODES + 1), 3)) is None
    assert extremes(CachingGame.of(topology.line(4), "3/1000000000001")) is None
