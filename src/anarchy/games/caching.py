"""Game 2, cache placement: which nodes keep a copy when each minds only its own cost.

A node pays its placement cost for every object that it keeps, and for every other object its
demand times the distance to the nearest copy, capped by the miss cost (recomputing the KV blocks)
where there is one. Without a miss cost an object that nobody keeps costs infinitely much.

Source: the basic game and the capacitated and demand variants of Chun et al. (PODC 2004).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from anarchy.errors import InputError
from anarchy.games import lines
from anarchy.games.enumeration import (
    MAX_PROFILES,
    Integers,
    ProfileSpace,
    Scale,
    solve_by_enumeration,
)
from anarchy.games.rational import at_least, rational
from anarchy.games.report import EquilibriumReport
from anarchy.games.topology import Distances, distance

Objects = tuple[int, ...]


@dataclass(frozen=True)
class CachingGame:
    """A cache placement game of n nodes and k objects.

    distance        n x n, what node i pays per unit of demand to fetch from node j (i's own copy
                    is always free, so the diagonal is not read)
    placement_cost  per node, for each object kept
    demand          n x k
    miss_cost       per node and unit of demand, or None: a fetch never costs more
    capacity        most objects that a node may keep, or None for no limit

    `CachingGame.of` builds one from scalars as well.
    """

    distance: Distances
    placement_cost: tuple[Fraction, ...]
    demand: tuple[tuple[Fraction, ...], ...]
    miss_cost: tuple[Fraction, ...] | None = None
    capacity: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "distance", distance(self.distance))
        nodes = len(self.distance)
        object.__setattr__(
            self, "placement_cost", _per_node(self.placement_cost, "placement_cost", nodes)
        )
        rows = tuple(tuple(at_least(d, "demand", 0) for d in row) for row in self.demand)
        if len(rows) != nodes or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
            raise InputError(f"demand: must be {nodes} rows of one number per object")
        object.__setattr__(self, "demand", rows)
        if self.miss_cost is not None:
            object.__setattr__(self, "miss_cost", _per_node(self.miss_cost, "miss_cost", nodes))
        if self.capacity is not None and (
            isinstance(self.capacity, bool)
            or not isinstance(self.capacity, int)
            or self.capacity < 0
        ):
            raise InputError(f"capacity: must be a whole number >= 0, got {self.capacity!r}")

    @classmethod
    def of(
        cls,
        distance: Distances,
        placement_cost: object,
        demand: object = 1,
        miss_cost: object = None,
        capacity: int | None = None,
    ) -> "CachingGame":
        """Build a game; scalars hold for every node, a vector of demands is for one object."""
        nodes = len(distance)
        demands = demand if isinstance(demand, list | tuple) else [demand] * nodes
        matrix = [d if isinstance(d, list | tuple) else [d] for d in demands]
        return cls(
            distance=distance,
            placement_cost=_spread(placement_cost, "placement_cost", nodes),
            demand=tuple(tuple(rational(d, "demand") for d in row) for row in matrix),
            miss_cost=None if miss_cost is None else _spread(miss_cost, "miss_cost", nodes),
            capacity=capacity,
        )

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.distance)

    @property
    def objects(self) -> int:
        """Number of objects."""
        return len(self.demand[0])


def solve(game: CachingGame) -> EquilibriumReport:
    """All pure equilibria, the optimum and their ratios, exactly.

    By exhaustive enumeration, or, for a line that is too long for that, by dynamic programming
    (`anarchy.games.lines`) if the capacity leaves room for every object. Profiles in the report
    hold one tuple of object numbers per node. Raises `InputError` for any other game with more
    placements than `enumeration.MAX_PROFILES` allows (18 nodes with one object).
    """
    if (
        (game.capacity is None or game.capacity >= game.objects)
        and 2 ** (game.nodes * game.objects) > MAX_PROFILES
        and lines.is_line(game.distance)
    ):
        return lines.solve(game.placement_cost, game.demand, game.miss_cost)
    return solve_by_exhaustion(game)


def solve_by_exhaustion(game: CachingGame) -> EquilibriumReport:
    """As `solve`, always by exhaustive enumeration."""
    holdings = _holdings(game)
    space = ProfileSpace((len(holdings),) * game.nodes)
    scale = Scale.of(_all_terms(game), game.nodes)
    # has[node][item] says in which profiles the node keeps the item; all nodes choose alike.
    has: list[list[NDArray[np.bool_]]] = []
    for node in range(game.nodes):
        chosen = space.strategies(node)
        has.append(
            [np.array([item in kept for kept in holdings])[chosen] for item in range(game.objects)]
        )
    costs = [_cost(game, scale, node, has) for node in range(game.nodes)]
    social: Integers = np.zeros(space.size, dtype=scale.dtype)
    for cost in costs:
        social += cost
    social = np.minimum(social, scale.infinite)
    return solve_by_enumeration(
        space,
        scale,
        costs,
        social,
        name=lambda profile: tuple(holdings[strategy] for strategy in profile),
        with_potential=False,
    )


def _holdings(game: CachingGame) -> list[Objects]:
    """The sets of objects that a node may keep, the empty one first."""
    most = game.objects if game.capacity is None else min(game.capacity, game.objects)
    count = sum(math.comb(game.objects, size) for size in range(most + 1))
    # Refuses an instance with too many sets before they are listed.
    try:
        ProfileSpace((count,) * game.nodes)
    except InputError:
        raise InputError(
            f"topology: {game.nodes} nodes have too many placements to enumerate; allowed: "
            f"{MAX_PROFILES} profiles, or any line whose capacity has room for every object"
        ) from None
    return [kept for size in range(most + 1) for kept in combinations(range(game.objects), size)]


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


def _spread(value: object, key: str, nodes: int) -> tuple[Fraction, ...]:
    values = value if isinstance(value, list | tuple) else [value] * nodes
    return tuple(rational(v, key) for v in values)


def _per_node(values: Sequence[object], key: str, nodes: int) -> tuple[Fraction, ...]:
    if len(values) != nodes:
        raise InputError(f"{key}: needs {nodes} numbers, one per node, got {len(values)}")
    return tuple(at_least(value, key, 0) for value in values)
