"""Integer costs of a cache placement game against the definition."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.games.placement import topology
from anarchy.games.placement.game import CachingGame, Costs, copies_of, placement_of
from tests.games.placement.caching_games import caching_games, node_cost
from tests.sandbox import inputs


@pytest.mark.random
@inputs(1)
@given(caching_games(), st.data())
def test_costs_are_those_of_the_definition(game: CachingGame, data: st.DataObject) -> None:
    kept = st.sets(st.integers(0, game.objects - 1), max_size=game.room).map(
        lambda items: tuple(sorted(items))
    )
    placement = data.draw(st.tuples(*[kept] * game.nodes))
    costs = Costs.of(game)
    copies = copies_of(placement, game.objects)
    assert placement_of(copies) == placement
    paid = [costs.value(int(cost)) for cost in costs.of_nodes(copies)]
    assert paid == [node_cost(game, node, placement) for node in range(game.nodes)]
    assert costs.value(costs.social(copies)) == sum(paid)


def test_the_unit_is_the_largest_that_divides_all_costs() -> None:
    costs = Costs.of(CachingGame.of(topology.line(3), "9/2", 3))
    assert costs.unit == Fraction(3, 2)
    assert costs.placement.tolist() == [3, 3, 3]
    assert costs.fetch[0][0].tolist() == [costs.infinite, 2, 4]
    assert costs.miss.tolist() == [[costs.infinite]] * 3


def test_huge_costs_are_kept_as_python_integers() -> None:
    game = CachingGame.of(topology.line(2), Fraction(1, 10**30 + 1), Fraction(7, 10**20 + 3))
    costs = Costs.of(game)
    assert costs.fetch.dtype == object
    assert costs.value(costs.social(np.array([[True], [False]]))) == Fraction(
        1, 10**30 + 1
    ) + Fraction(7, 10**20 + 3)


def test_zero_costs_have_a_unit_too() -> None:
    costs = Costs.of(CachingGame.of(topology.complete(2), 0, 0))
    assert costs.social(np.zeros((2, 1), dtype=bool)) == 0


def test_infinity_does_not_add_up_to_something_finite() -> None:
    costs = Costs.of(CachingGame.of(topology.complete(2), 1, [[1, 1], [1, 1]]))
    assert costs.value(costs.social(np.zeros((2, 2), dtype=bool))) == math.inf
