"""Small placement games: the costs of all nodes in all placements at once, and then enumeration."""

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.games.common import enumeration as common
from anarchy.games.common.enumeration import (
    MAX_PROFILES,
    CostTable,
    Integers,
    ProfileSpace,
    Scale,
    number_of_profiles,
    solve_by_enumeration,
)
from anarchy.games.common.equilibrium_report import EquilibriumReport
from anarchy.games.placement.game import CachingGame, Objects


def is_enumerable(game: CachingGame) -> bool:
    """Whether `solve` takes a game of this size."""
    return common.is_enumerable((_number_of_holdings(game),) * game.nodes)


def solve(game: CachingGame) -> EquilibriumReport:
    """As `solve_placement`, always by enumeration; raises `InputError` for a larger game."""
    kept = holdings(game)
    return solve_by_enumeration(
        tabulate(game),
        name=lambda profile: tuple(kept[strategy] for strategy in profile),
        with_potential=False,
    )


def tabulate(game: CachingGame) -> CostTable:
    """The costs of all nodes in all placements."""
    choices = holdings(game)
    space = ProfileSpace((len(choices),) * game.nodes)
    scale = Scale.of(_all_terms(game), game.nodes)
    # has[node][item] says in which profiles the node keeps the item; all nodes choose alike.
    has: list[list[NDArray[np.bool_]]] = []
    for node in range(game.nodes):
        chosen = space.strategies(node)
        has.append(
            [np.array([item in kept for kept in choices])[chosen] for item in range(game.objects)]
        )
    costs = [_cost(game, scale, node, has) for node in range(game.nodes)]
    social: Integers = np.zeros(space.size, dtype=scale.dtype)
    for cost in costs:
        social += cost
    return CostTable(space, scale, costs, np.minimum(social, scale.infinite))


def _number_of_holdings(game: CachingGame) -> int:
    """How many sets of objects a node may keep."""
    return sum(math.comb(game.objects, size) for size in range(game.room + 1))


def holdings(game: CachingGame) -> list[Objects]:
    """The sets of objects that a node may keep, the empty one first."""
    # Refuses an instance with too many sets before they are listed.
    if not is_enumerable(game):
        placements = number_of_profiles((_number_of_holdings(game),) * game.nodes)
        raise InputError(
            f"topology: {game.nodes} nodes have {placements} placements, too many to enumerate; "
            f"allowed: {MAX_PROFILES} profiles; method auto solves long lines and bounds the rest"
        )
    sizes = range(game.room + 1)
    return [kept for size in sizes for kept in combinations(range(game.objects), size)]


def _all_terms(game: CachingGame) -> list[Fraction]:
    """Every finite number of which a node's cost may be a sum; they set the scale."""
    terms = [cost for cost in game.placement_cost for _ in range(game.objects)]
    for node, demands in enumerate(game.demand):
        prices = [d for other, d in enumerate(game.distance[node]) if other != node]
        if game.miss_cost is not None:
            prices.append(game.miss_cost[node])
        terms += [demand * price for demand in demands for price in prices]
    return terms


def _cost(
    game: CachingGame, scale: Scale, node: int, has: list[list[NDArray[np.bool_]]]
) -> Integers:
    """Scaled cost of a node in every profile."""
    total: Integers = np.zeros(has[node][0].size, dtype=scale.dtype)
    for item, demand in enumerate(game.demand[node]):
        miss: int = 0
        if demand > 0:
            price = math.inf if game.miss_cost is None else game.miss_cost[node]
            miss = scale.integer(price if price == math.inf else demand * price)
        fetch: Integers = np.full(total.size, miss, dtype=scale.dtype)
        for other in range(game.nodes):
            if other != node:
                price_here = scale.integer(demand * game.distance[node][other])
                copies = has[other][item]
                fetch = np.where(copies, np.minimum(fetch, price_here), fetch)
        placement = scale.integer(game.placement_cost[node])
        total += np.where(has[node][item], placement, fetch)
        total = np.minimum(total, scale.infinite)
    return total
