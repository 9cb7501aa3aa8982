"""Closed forms of the theorems on cache placement: what the paper states, without any solver.

Distances, costs and demands are exact; a price is the pair of the price of anarchy and that of
stability. Setting of all: one object unless said otherwise, and no miss cost unless one is given.

Source: the basic game of Chun et al. (PODC 2004); the statements are proved in the paper.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from anarchy.games.common.rational import Extended
from anarchy.games.placement import topology
from anarchy.games.placement.topology import Distances


class Price(NamedTuple):
    """Prices of anarchy and stability."""

    anarchy: Extended
    stability: Extended


NO_LOSS = Price(Fraction(1), Fraction(1))


def complete(nodes: int, cost: Fraction, miss: Fraction | None = None) -> Price:
    """All distances 1: a miss cost of at most the placement cost is what does harm."""
    if miss is None or miss > cost:
        return NO_LOSS
    anarchy = max(Fraction(1), nodes * miss / (cost + nodes - 1))
    return Price(anarchy, anarchy if miss < cost else Fraction(1))


def unequal_costs(costs: Sequence[Fraction]) -> Price:
    """All distances 1, one placement cost per node: the only copy may be the dearest."""
    if min(costs) < 1:
        return NO_LOSS
    others = len(costs) - 1
    return Price((max(costs) + others) / (min(costs) + others), Fraction(1))


def unequal_demands(cost: Fraction, demands: Sequence[Fraction]) -> Price:
    """All distances 1, one demand per node, not all 0: the only copy may be where few ask."""
    if max(demands) > cost:
        return NO_LOSS
    total, least = sum(demands), min(d for d in demands if d > 0)
    return Price((cost + total - least) / (cost + total - max(demands)), Fraction(1))


def one_slot(nodes: int, cost: Fraction, low: Fraction, high: Fraction, miss: Fraction) -> Price:
    """All distances 1, room for one of two objects with demands low <= high at every node.

    For at least two nodes and miss > max(1, cost / low), so that without the limit nothing is lost.
    """
    if miss * low > high:
        return NO_LOSS
    selfish = nodes * (cost + miss * low)
    anarchy = max(Fraction(1), selfish / (nodes * cost + high + (nodes - 1) * low))
    return Price(anarchy, anarchy if miss * low < high else Fraction(1))


def islands(count: int, size: int, intra: Fraction, inter: Fraction, cost: Fraction) -> Price:
    """`count` islands of `size` nodes, `intra` < `inter`: lost between two placement costs."""
    if cost < inter:
        return NO_LOSS
    served = cost + (size - 1) * intra
    remote = size * inter
    anarchy = (served + (count - 1) * remote) / (served + (count - 1) * min(remote, served))
    return Price(anarchy, anarchy if cost > inter else Fraction(1))


def island_agents(sizes: Sequence[int], intra: Fraction, inter: Fraction, cost: Fraction) -> Price:
    """Islands of these sizes, `intra` < `inter`, each of which decides as one agent."""
    served = [cost + (size - 1) * intra for size in sizes]
    if any(size * inter > own for size, own in zip(sizes, served, strict=True)):
        return NO_LOSS
    remote = sum(sizes) * inter + cost - intra
    paid = {size: remote - size * (inter - intra) for size in sizes}
    return Price(paid[min(sizes)] / paid[max(sizes)], Fraction(1))


def any_network(nodes: int) -> Fraction:
    """Most that any network with a metric can lose in the basic game, two nodes or more."""
    return Fraction(nodes, 2)


def unit_links_bound(nodes: int, cost: Fraction) -> float:
    """Most that any connected network of unit links can lose at a placement cost of at least 1."""
    if cost < Fraction(9, 4):
        return float(cost)
    spacing = math.sqrt(cost - Fraction(5, 4)) - 1
    return min(float(cost), 2 + nodes / (nodes / float(cost) + spacing))


def broom_bound(bend: int) -> Fraction:
    """Cost of one copy at the free end of the broom over that of one on every 2 s-th node.

    For an even s = `bend`, s^2 links, s^3/2 bristles and a placement cost of s^2 + 2.
    """
    links, bristles = bend**2, Fraction(bend**3, 2)
    selfish = links + 2 + Fraction(links * (links + 1), 2) + bristles * (links + 1)
    return selfish / (Fraction(3 * bend**3, 2) + links + bend + 2)


def broom(handle: int, bristles: int) -> Distances:
    """A path of `handle` links, node 0 at its free end, with `bristles` leaves at its other end."""
    spine = handle + 1

    def depth(node: int) -> int:
        return min(node, spine)

    def steps(i: int, j: int) -> int:
        return 2 if i != j and min(i, j) >= spine else abs(depth(i) - depth(j))

    nodes = range(spine + bristles)
    return topology.distance([[steps(i, j) for j in nodes] for i in nodes])


def line_equilibria(nodes: int, cost: Fraction) -> int:
    """How many placements have copies at least `cost` apart and every node within `cost` of one.

    For a placement cost of at least 1; counts the sequences of gaps between copies.
    """
    reach = math.floor(cost)
    least, most = math.ceil(cost), 2 * reach + 1
    # ends[p]: placements of the first p + 1 nodes whose last copy is at p.
    ends: list[int] = []
    for place in range(nodes):
        before = ends[max(0, place - most) : max(0, place - least + 1)]
        ends.append(sum(before) + (place <= reach))
    return sum(ends[max(0, nodes - 1 - reach) :])


class LineLimits(NamedTuple):
    """Cost per node of the dearest stable and of the cheapest spacing, and their ratio."""

    dearest: Fraction
    cheapest: Fraction
    ratio: Fraction
    spacing: int


def line_limits(cost: Fraction) -> LineLimits:
    """The price of anarchy of the endless line, for a placement cost of at least 1.

    `spacing` is the shortest of the cheapest ones.
    """

    def per_node(gap: int) -> Fraction:
        return (cost + gap * gap // 4) / gap

    reach = math.floor(cost)
    dearest = max(per_node(gap) for gap in range(math.ceil(cost), 2 * reach + 2))
    # A gap beyond 4 * cost costs more per node than one node alone.
    spacing = min(range(1, 4 * reach + 5), key=per_node)
    return LineLimits(dearest, per_node(spacing), dearest / per_node(spacing), spacing)


def line_range(nodes: int, cost: Fraction) -> tuple[Fraction, Fraction]:
    """Between what the price of anarchy of a finite line lies, cost >= 1 and two nodes or more."""
    limits = line_limits(cost)
    lost = min(nodes - 1, 2 * math.floor(cost))
    low = (nodes - 1 - lost) * limits.dearest / ((nodes - 1 + limits.spacing) * limits.cheapest)
    return low, limits.ratio + cost / ((nodes - 1) * limits.cheapest)


def line_stability_range(nodes: int, cost: Fraction) -> tuple[Fraction, Fraction]:
    """The same for the price of stability."""
    limits = line_limits(cost)
    gaps = range(math.ceil(cost), 2 * math.floor(cost) + 2)
    gap = min(gaps, key=lambda g: (cost + g * g // 4) / g)
    least = (cost + gap * gap // 4) / gap
    links = nodes - 1
    low = links * least + cost - (least - Fraction(1, 2)) ** 2
    high = (links + gap) * least / (links * limits.cheapest)
    return low / ((links + limits.spacing) * limits.cheapest), high


def short_line_range(nodes: int, cost: Fraction) -> tuple[float, float]:
    """What both prices lie between on a line of at least `cost` nodes, loosely."""
    root = math.sqrt(cost)
    low = 3 * nodes * float(cost) / (16 * (nodes + 2 * root) * (root + 1 / 32))
    return low, float(cost) / math.sqrt(cost - Fraction(1, 4))


def dear_line(nodes: int, cost: Fraction) -> Price:
    """A line of at most `cost` nodes: exactly the single copies are equilibria."""

    def spread(copies: int) -> Fraction:
        """Cost of copies in the middle of blocks of sizes as equal as possible."""
        size, more = divmod(nodes, copies)
        blocks = (copies - more) * (size**2 // 4) + more * ((size + 1) ** 2 // 4)
        return copies * cost + blocks

    optimum = min(map(spread, range(1, nodes + 1)))
    worst, best = cost + Fraction(nodes * (nodes - 1), 2), cost + nodes**2 // 4
    return Price(worst / optimum, best / optimum)


def braess_ratio(gap: Fraction) -> Fraction:
    """How much dearer a third cache makes the first two in the family of the paper."""
    return (2 - gap / 2 - gap**2) / Fraction(3, 2)


BRAESS_LIMIT = Fraction(4, 3)
"""What the third cache stays below if distances are a metric and all placement costs equal."""


def ring_is_stable(nodes: int, cost: Fraction) -> bool:
    """Whether a one-way ring of unit links has a pure equilibrium, cost >= 1.

    The gaps between copies must be whole numbers from [cost, cost + 1] that add up to the ring,
    unless one copy is near enough to all.
    """
    least, most = math.ceil(cost), math.floor(cost) + 1
    return nodes <= cost + 1 or any(k * least <= nodes <= k * most for k in range(1, nodes + 1))
