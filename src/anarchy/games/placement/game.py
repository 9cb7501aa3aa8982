"""What a cache placement game is, and its costs as integers.

Every solver of the game reads the same integers, so their results can be compared exactly:
costs are whole multiples of one unit, the largest rational that divides all of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.games.common.rational import Extended, at_least, rational
from anarchy.games.placement.topology import Distances, distance

Objects = tuple[int, ...]
Placement = tuple[Objects, ...]
"""The objects that each node keeps, each in ascending order."""

Copies = NDArray[np.bool_]
"""The same as a matrix, shape (nodes, objects)."""

Integers = NDArray[Any]

_LARGEST = 2**62
"""Sums of costs below this fit an int64."""


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

    @property
    def room(self) -> int:
        """Most objects that one node may keep, at most all of them."""
        return self.objects if self.capacity is None else min(self.capacity, self.objects)

    @property
    def decoupled(self) -> bool:
        """Whether objects do not compete for space, so that each may be solved by itself."""
        return self.room == self.objects

    def only(self, items: Sequence[int]) -> "CachingGame":
        """The game of some of the objects, in the order given."""
        demand = tuple(tuple(row[item] for item in items) for row in self.demand)
        return CachingGame(
            self.distance, self.placement_cost, demand, self.miss_cost, self.capacity
        )


@dataclass(frozen=True, eq=False)
class Costs:
    """The costs of a game in whole multiples of `unit`, for n nodes and k objects.

    unit       what an integer cost of 1 stands for
    placement  shape (n,): what a copy costs its owner
    fetch      shape (k, n, n): what node i pays if its nearest copy is another node's, j;
               `infinite` on the diagonal, because an own copy is no fetch
    miss       shape (n, k): what a node pays without any copy, `infinite` where that is so
    infinite   more than any finite sum of costs; infinite sums are cut to it
    """

    unit: Fraction
    placement: Integers
    fetch: Integers
    miss: Integers
    infinite: int
    room: int

    @classmethod
    def of(cls, game: CachingGame) -> "Costs":
        """Scale the costs of a game; int64 where every sum fits, Python integers where not."""
        nodes = game.nodes
        steps, step_unit = _whole(game.distance)
        demand, demand_unit = _whole(game.demand)
        placement, placement_unit = _whole([game.placement_cost])
        fetch = demand.T[:, :, None] * steps
        own = np.arange(nodes)
        fetch[:, own, own] = 0
        missing = [game.miss_cost] if game.miss_cost is not None else [(Fraction(0),) * nodes]
        prices, miss_unit = _whole(missing)
        miss = demand * prices.T
        common = math.lcm(step_unit * demand_unit, miss_unit * demand_unit, placement_unit)
        placement = placement[0] * (common // placement_unit)
        fetch *= common // (step_unit * demand_unit)
        miss *= common // (miss_unit * demand_unit)
        parts = (placement, fetch.ravel(), miss.ravel())
        divisor = math.gcd(*(entry for part in parts for entry in part.tolist())) or 1
        placement, fetch, miss = placement // divisor, fetch // divisor, miss // divisor
        # Every node pays at most its dearest fetch or miss and one copy for each object.
        dearest = np.maximum(fetch.max(axis=2).T, miss).sum()
        infinite = int(dearest + placement.sum() * game.objects) + 1
        if game.miss_cost is None:
            miss = np.where(demand > 0, np.array(infinite, dtype=object), 0)
        fetch[:, own, own] = infinite
        fits = infinite * max(game.nodes * game.objects, 8) < _LARGEST
        dtype = np.int64 if fits else object
        return cls(
            unit=Fraction(divisor, common),
            placement=placement.astype(dtype),
            fetch=fetch.astype(dtype),
            miss=miss.astype(dtype),
            infinite=infinite,
            room=game.room,
        )

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return int(self.miss.shape[0])

    @property
    def objects(self) -> int:
        """Number of objects."""
        return int(self.miss.shape[1])

    def without_own(self, copies: Copies, item: int) -> Integers:
        """What every node pays for an object if it keeps no copy itself; shape (n,)."""
        owners = np.flatnonzero(copies[:, item])
        if owners.size == 0:
            cheapest: Integers = self.miss[:, item].copy()
            return cheapest
        nearest = self.fetch[item][:, owners].min(axis=1)
        capped: Integers = np.minimum(nearest, self.miss[:, item])
        return capped

    def of_nodes(self, copies: Copies) -> Integers:
        """What every node pays; shape (n,)."""
        columns = [self.without_own(copies, item) for item in range(self.objects)]
        fetched = np.stack(columns, axis=1)
        paid = np.where(copies, self.placement[:, None], fetched).sum(axis=1)
        capped: Integers = np.minimum(paid, self.infinite)
        return capped

    def social(self, copies: Copies) -> int:
        """What all nodes pay together."""
        return min(int(self.of_nodes(copies).sum()), self.infinite)

    def value(self, integer: int) -> Extended:
        """The cost behind an integer."""
        return math.inf if integer >= self.infinite else integer * self.unit


def copies_of(placement: Placement, objects: int) -> Copies:
    """A placement as a matrix."""
    copies = np.zeros((len(placement), objects), dtype=bool)
    for node, kept in enumerate(placement):
        copies[node, list(kept)] = True
    return copies


def placement_of(copies: Copies) -> Placement:
    """A matrix as a placement."""
    return tuple(tuple(map(int, np.flatnonzero(row))) for row in copies)


def _whole(rows: Sequence[Sequence[Fraction]]) -> tuple[Integers, int]:
    """Rational rows as Python integers over one denominator, and the denominator."""
    common = math.lcm(*{entry.denominator for row in rows for entry in row})
    whole = [[entry.numerator * (common // entry.denominator) for entry in row] for row in rows]
    return np.array(whole, dtype=object), common


def _spread(value: object, key: str, nodes: int) -> tuple[Fraction, ...]:
    values = value if isinstance(value, list | tuple) else [value] * nodes
    return tuple(rational(v, key) for v in values)


def _per_node(values: Sequence[object], key: str, nodes: int) -> tuple[Fraction, ...]:
    if len(values) != nodes:
        raise InputError(f"{key}: needs {nodes} numbers, one per node, got {len(values)}")
    return tuple(at_least(value, key, 0) for value in values)
