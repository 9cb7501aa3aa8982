"""The price of anarchy of cache placement over the placement cost and over the number of nodes.

With one placement cost for all, one object and demand 1, a placement matters only through four
numbers: its copies, what its fetches cost in all, how close its closest two copies are and how far
its worst-off node is from a copy. It is an equilibrium exactly while the placement cost lies
between the last two. One enumeration of all placements therefore gives the price of anarchy at
every placement cost.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.games.common.rational import Extended, exact_text
from anarchy.games.placement import line, topology
from anarchy.games.placement.topology import Distances
from anarchy.games.theorems.checks import Row
from anarchy.games.theorems.placement import closed_forms as forms

NODES = 16
"""Nodes of every network whose curve over the placement cost is drawn."""

MAX_NODES = 18
"""Most nodes whose placements are enumerated."""

ISLAND_LINK, LONG_LINK = 1, 10
"""Lengths of the links within and between the two islands of that figure."""

FIXED_COST = Fraction(16)
"""Placement cost of the curves over the number of nodes that keep it fixed."""

TOP_COST = 200
"""Largest placement cost of the curves over it."""

STEP = 1.08
"""Factor between neighbouring placement costs of the curves over it, at most."""

NUDGE = Fraction(1, 1000)
"""How near the curves come to a distance, relative to it: at the distance itself they jump."""

ENUMERATED = "enumeration of all placements in exact arithmetic"
FORMULA = "closed form"
SPINE = "every single copy, and dynamic programming along the spine"


@dataclass(frozen=True)
class Placements:
    """Every placement of one object in whole-number distances, equal ones merged.

    Each array has one entry per placement: number of copies, sum of distances to the nearest copy,
    least distance from a copy to the next one (`far` for a single copy) and greatest distance of
    another node to a copy.
    """

    copies: NDArray[np.int64]
    travel: NDArray[np.int64]
    apart: NDArray[np.int64]
    reach: NDArray[np.int64]
    far: int

    @classmethod
    def of(cls, distance: Distances) -> "Placements":
        """Enumerate; raises `InputError` above `MAX_NODES` nodes or for fractional distances."""
        nodes = len(distance)
        if nodes > MAX_NODES:
            raise InputError(f"distance: {nodes} nodes; allowed: up to {MAX_NODES}")
        if any(d.denominator != 1 for row in distance for d in row):
            raise InputError("distance: must be whole numbers")
        far = 1 + max(int(d) for row in distance for d in row)
        sets = np.arange(1, 2**nodes)
        kept = [(sets >> node) & 1 == 1 for node in range(nodes)]
        travel, reach = np.zeros_like(sets), np.zeros_like(sets)
        apart = np.full_like(sets, far)
        for node in range(nodes):
            nearest = np.full_like(sets, far)
            for other in range(nodes):
                if other != node:
                    price = np.where(kept[other], int(distance[node][other]), far)
                    nearest = np.minimum(nearest, price)
            travel += np.where(kept[node], 0, nearest)
            reach = np.maximum(reach, np.where(kept[node], 0, nearest))
            apart = np.minimum(apart, np.where(kept[node], nearest, far))
        copies = np.sum(kept, axis=0)
        merged = np.unique(np.stack([copies, travel, apart, reach]), axis=1)
        return cls(merged[0], merged[1], merged[2], merged[3], far)

    def price_of_anarchy(self, cost: Fraction) -> Fraction | None:
        """Worst equilibrium over optimum at a placement cost above 0; None if there is none."""
        top, bottom = cost.numerator, cost.denominator
        paid = self.copies * top + self.travel * bottom
        # A single copy stays however dear it is: nobody else has one.
        stays = (self.apart * bottom >= top) | (self.apart == self.far)
        stable = stays & (self.reach * bottom <= top)
        if not stable.any():
            return None
        return Fraction(int(paid[stable].max()), int(paid.min()))


def curve_rows() -> list[Row]:
    """Rows of both panels: `id` by-placement-cost for the first, by-nodes for the second.

    `topology`, `nodes` and `placement_cost` say what `value` (a ratio) is of, `exact` is its
    rational, `reason` why there is none.
    """
    return [*_by_cost(), *_by_nodes()]


def _by_cost() -> Iterator[Row]:
    side = int(NODES**0.5)
    networks = {
        "complete graph": topology.complete(NODES),
        "star": topology.star(NODES),
        "line": topology.line(NODES),
        "grid": topology.grid(side, side),
        "two islands": topology.clusters(2, NODES // 2, ISLAND_LINK, LONG_LINK),
    }
    for name, distance in networks.items():
        placements = Placements.of(distance)
        steps = sorted({int(d) for row in distance for d in row} - {0})
        for cost in _costs(steps):
            price = placements.price_of_anarchy(cost)
            yield _row("by-placement-cost", name, NODES, cost, price, ENUMERATED)


def _costs(steps: list[int]) -> list[Fraction]:
    """Placement costs between neighbouring distances, where nothing jumps, up to `TOP_COST`."""
    costs: list[Fraction] = []
    ends = [Fraction(1, 2), *map(Fraction, steps), Fraction(TOP_COST)]
    for low, high in pairwise(ends):
        start, stop = low * (1 + NUDGE), high * (1 - NUDGE)
        steps_between = math.ceil(math.log(stop / start, STEP))
        factor = float(stop / start) ** (1 / steps_between)
        inner = [float(start) * factor**k for k in range(1, steps_between)]
        costs += [start, *(Fraction(round(1000 * cost), 1000) for cost in inner), stop]
    return costs


def _by_nodes() -> Iterator[Row]:
    for exponent in range(4, 20):
        nodes = round(2 ** (exponent / 2))
        for name, cost in (("line", FIXED_COST), ("line, dearest", Fraction(nodes))):
            price = line.solve([cost] * nodes, [[Fraction(1)]] * nodes).price_of_anarchy
            # One object that somebody asks for: the optimum is neither 0 nor infinite.
            assert isinstance(price, Fraction)
            yield _row("by-nodes", name, nodes, cost, price, line.METHOD)
    for bend in range(2, 13):
        handle, bristles = bend**2, bend**3 // 2
        price = broom_price(handle, bristles)
        yield _row("by-nodes", "broom", handle + 1 + bristles, Fraction(handle + 2), price, SPINE)
    for exponent in range(2, 12):
        nodes = 2**exponent
        price = forms.islands(2, nodes // 2, Fraction(0), FIXED_COST - 1, FIXED_COST).anarchy
        yield _row("by-nodes", "two islands", nodes, FIXED_COST, price, FORMULA)


def broom_price(handle: int, bristles: int) -> Fraction:
    """Price of anarchy of `closed_forms.broom` at a placement cost one above its diameter.

    Only single copies are equilibria there, and the dearest has its copy at the free end or on a
    leaf. An optimum has a copy on no leaf: at the leaf's foot it serves one node more, or, if that
    has one already, the leaf pays 1 instead of the placement cost. So the leaves are demand at
    their foot, plus one step each. Needs at least one link and one leaf.
    """
    cost = Fraction(handle + 2)
    demands = [[Fraction(1)]] * handle + [[Fraction(1 + bristles)]]
    optimum = line.solve([cost] * (handle + 1), demands).optimum + bristles
    steps = sum(range(handle + 1))
    at_end = cost + steps + bristles * (handle + 1)
    on_leaf = cost + steps + handle + 1 + 2 * (bristles - 1)
    return Fraction(max(at_end, on_leaf) / optimum)


def broom_ratio(bend: int) -> Fraction:
    """A lower bound of the price of the broom of s^2 links and s^3/2 leaves, `bend` s even.

    One copy at the free end, an equilibrium, over copies on every 2 s-th node, both added up node
    by node: quick for any size.
    """
    handle, bristles = bend**2, bend**3 // 2
    cost, period = handle + 2, 2 * bend
    selfish = cost + sum(range(handle + 1)) + bristles * (handle + 1)
    steps = sum(min(k % period, -k % period) for k in range(handle + 1))
    spread = (handle // period + 1) * cost + steps + bristles
    return Fraction(selfish, spread)


def _row(
    name: str, network: str, nodes: int, cost: Fraction, price: Extended | None, method: str
) -> Row:
    return {
        "id": name,
        "topology": network,
        "nodes": nodes,
        "placement_cost": float(cost),
        "value": None if price is None else float(price),
        "exact": exact_text(price),
        "unit": "ratio",
        "reason": "no pure equilibrium" if price is None else None,
        "method": method,
    }
