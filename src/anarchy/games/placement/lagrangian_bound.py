"""Certificates for the least social cost of a cache placement game; no solver is needed to check.

Let every node quote a price v >= 0 for every object that it demands, and let each node with a
copy collect from the others what their price exceeds the fetch by. A placement then costs at least
the sum of the prices less the profits of the copies, and a node's best copies are the `capacity`
objects of largest positive profit. That is the Lagrangian relaxation of facility location
(Cornuéjols, Fisher and Nemhauser, Management Science 1977), here with a limit per facility.
Any prices give a bound; good ones come from `anarchy.games.placement.optimum`.

Where one set of prices leaves a gap, the placements are split by whether a node keeps an object,
and each half gets its own prices. Costs are whole multiples of a unit, so bounds are rounded up
to one.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from anarchy.games.common.rational import Extended
from anarchy.games.placement.game import CachingGame, Costs, Integers, Placement, copies_of

_LARGEST = 2**62

Fixings = dict[tuple[int, int], bool]
"""Whether a node keeps an object, by (node, object), where that has been decided."""


@dataclass(frozen=True)
class Leaf:
    """Prices for all placements of one part of the search, shape (nodes, objects), at least 0."""

    prices: tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Branch:
    """Two parts of the search: the placements in which `node` keeps `item`, and the others."""

    node: int
    item: int
    absent: "Leaf | Branch"
    present: "Leaf | Branch"


Tree = Leaf | Branch


@dataclass(frozen=True)
class Part:
    """The bound for some of the objects; `item` in the tree counts within `items`."""

    items: tuple[int, ...]
    tree: Tree


@dataclass(frozen=True)
class OptimumCertificate:
    """A placement and the proof that none costs less than `lower`.

    placement  one tuple of object numbers per node
    upper      social cost of the placement, `math.inf` if it leaves out an object
    lower      no placement costs less
    parts      bounds that add up to `lower`; every object is in one of them. Empty if no placement
               is finite: then more objects are demanded than all nodes have room for
    """

    game: CachingGame
    placement: Placement
    upper: Extended
    lower: Extended
    parts: tuple[Part, ...]

    @property
    def proven(self) -> bool:
        """Whether the placement is optimal."""
        return self.lower == self.upper

    def check(self) -> bool:
        """Whether placement and bounds are what they claim, from the game alone."""
        game = self.game
        if not _allowed(self.placement, game):
            return False
        costs = Costs.of(game)
        copies = copies_of(self.placement, game.objects)
        if costs.value(costs.social(copies)) != self.upper:
            return False
        if not self.parts:
            return self.lower == math.inf and lacks_room(game)
        items = sorted(item for part in self.parts for item in part.items)
        if items != list(range(game.objects)) or not all(_readable(p, game) for p in self.parts):
            return False
        return self.lower == sum(part_bound(game, part) for part in self.parts)


class PriceBound:
    """Evaluates prices that are multiples of `costs.unit / fineness`."""

    def __init__(self, costs: Costs, fineness: int) -> None:
        fits = costs.infinite * fineness * max(costs.nodes * costs.objects, 8) < _LARGEST
        dtype = np.int64 if fits else object
        self.fineness = fineness
        self._costs = costs
        self._placement = costs.placement.astype(dtype) * fineness
        self._fetch = costs.fetch.astype(dtype) * fineness
        own = np.arange(costs.nodes)
        self._fetch[:, own, own] = 0
        self._miss = costs.miss.astype(dtype) * fineness

    def lower(self, prices: Integers, fixed: Fixings) -> int:
        """No placement that agrees with `fixed` costs less than this many units.

        `prices` has shape (nodes, objects) and may be of any size; they are cut to the miss cost,
        beyond which a price only costs.
        """
        costs = self._costs
        price = np.minimum(prices, self._miss).astype(self._miss.dtype)
        profit = -np.repeat(self._placement[:, None], costs.objects, axis=1)
        for item in range(costs.objects):
            surplus = price[:, item][:, None] - self._fetch[item]
            profit[:, item] += np.maximum(surplus, 0).sum(axis=0)
        total = int(price.sum())
        room = np.full(costs.nodes, costs.room)
        for (node, item), present in fixed.items():
            if present:
                total -= int(profit[node, item])
                room[node] -= 1
            profit[node, item] = 0
        if (room < 0).any():
            return costs.infinite
        best = np.maximum(profit, 0)
        if costs.room < costs.objects:
            best = -np.sort(-best, axis=1)
            best = np.where(np.arange(costs.objects) < room[:, None], best, 0)
        return -((int(best.sum()) - total) // self.fineness)


def part_bound(game: CachingGame, part: Part) -> Fraction:
    """The least of the bounds of a part's leaves, as a cost."""
    costs = Costs.of(game.only(part.items))
    leaves = list(_leaves(part.tree))
    fineness = math.lcm(*{(v / costs.unit).denominator for v in _prices(part.tree)})
    bound = PriceBound(costs, fineness)
    step = costs.unit / fineness
    lowest = min(
        bound.lower(np.array([[int(v / step) for v in row] for row in prices], object), fixed)
        for prices, fixed in leaves
    )
    return max(lowest, 0) * costs.unit


def lacks_room(game: CachingGame) -> bool:
    """Whether some demanded object is kept by nobody in every placement, at infinite cost."""
    demanded = sum(any(row[item] > 0 for row in game.demand) for item in range(game.objects))
    return game.miss_cost is None and demanded > game.nodes * game.room


def _leaves(tree: Tree) -> Iterator[tuple[tuple[tuple[Fraction, ...], ...], Fixings]]:
    """The prices of every leaf with the decisions that lead to it."""
    open_trees: list[tuple[Tree, Fixings]] = [(tree, {})]
    while open_trees:
        here, fixed = open_trees.pop()
        if isinstance(here, Leaf):
            yield here.prices, fixed
        else:
            place = (here.node, here.item)
            # A second decision about the same copy leaves only the half that agrees.
            if fixed.get(place) is not True:
                open_trees.append((here.absent, {**fixed, place: False}))
            if fixed.get(place) is not False:
                open_trees.append((here.present, {**fixed, place: True}))


def _prices(tree: Tree) -> Iterator[Fraction]:
    for prices, _ in _leaves(tree):
        for row in prices:
            yield from row


def _allowed(placement: Placement, game: CachingGame) -> bool:
    return len(placement) == game.nodes and all(
        len(kept) <= game.room
        and list(kept) == sorted(set(kept))
        and all(0 <= item < game.objects for item in kept)
        for kept in placement
    )


def _readable(part: Part, game: CachingGame) -> bool:
    """Whether every leaf prices every demand of a part and every branch is about a copy of it."""
    objects = len(part.items)
    open_trees = [part.tree]
    while open_trees:
        here = open_trees.pop()
        if isinstance(here, Branch):
            if not (0 <= here.node < game.nodes and 0 <= here.item < objects):
                return False
            open_trees += [here.absent, here.present]
        elif len(here.prices) != game.nodes or any(
            len(row) != objects or min(row) < 0 for row in here.prices
        ):
            return False
    return True
