"""Cache placement on a line of any length, by dynamic programming over the gaps between copies.

On a line a node fetches from the nearest copy to its left or to its right. What the nodes between
two neighbouring copies pay is therefore known from the two copies alone, and so is whether any of
them would rather keep a copy itself. Whether a copy is worth keeping is known gap by gap as well:
its owner would pay at least the placement cost exactly if it would on the left, on the right and
under the miss cost. A placement is thus a path from copy to copy, its social cost is the sum over
the path and it is an equilibrium if every step is stable. With one placement cost alpha and demand
1 the stable steps are those of Chun et al. (2004): copies at least alpha apart, and every node
within alpha of one.

Costs are integers over one common denominator, so the results are exact. Time grows with the
square of the number of nodes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, product, takewhile

from anarchy.games.common.enumeration import Scale
from anarchy.games.common.equilibrium_report import MAX_LISTED, EquilibriumReport
from anarchy.games.common.rational import ratio
from anarchy.games.placement.topology import Distances

METHOD = "dynamic programming over the gaps between copies in exact arithmetic"

Copies = tuple[int, ...]


def is_line(distance: Distances) -> bool:
    """Whether the nodes lie in a row in the order of their numbers, one step apart."""
    return all(
        price == abs(i - j)
        for i, row in enumerate(distance)
        for j, price in enumerate(row)
        if i != j
    )


def solve(
    placement_cost: Sequence[Fraction],
    demand: Sequence[Sequence[Fraction]],
    miss_cost: Sequence[Fraction] | None = None,
) -> EquilibriumReport:
    """Number of equilibria, best and worst of them, and the optimum of a line.

    placement_cost  per node, shape (nodes,), at least 0
    demand          shape (nodes, objects), at least 0
    miss_cost       per node and unit of demand, or None for none

    Objects do not compete for space, so each is solved by itself. Profiles hold one tuple of
    object numbers per node; they are listed up to `MAX_LISTED` equilibria.
    """
    nodes = len(placement_cost)
    terms = [*placement_cost] * len(demand[0])
    for node, row in enumerate(demand):
        terms += [amount * nodes for amount in row]
        # Distances are whole, so a unit of demand must be a whole number of units of cost.
        terms += row
        terms += [amount * miss_cost[node] for amount in row] if miss_cost else []
    scale = Scale.of(terms, nodes)
    paths = [
        _paths(_line(placement_cost, [row[item] for row in demand], miss_cost, scale))
        for item in range(len(demand[0]))
    ]
    equilibria = 1
    for path in paths:
        equilibria *= path.equilibria
    best = scale.value(sum(path.best for path in paths)) if equilibria else None
    worst = scale.value(sum(path.worst for path in paths)) if equilibria else None
    optimum = scale.value(sum(path.optimum for path in paths))
    price_of_anarchy, reason = ratio(worst, optimum)
    price_of_stability, _ = ratio(best, optimum)
    profiles: tuple[tuple[Copies, ...], ...] | None = None
    if equilibria == 0:
        profiles = ()
    elif equilibria <= MAX_LISTED:
        chosen = product(*(path.stable_placements() for path in paths))
        found = (_profile(copies, nodes) for copies in chosen)
        profiles = tuple(sorted(found, key=lambda profile: [(len(kept), kept) for kept in profile]))
    return EquilibriumReport(
        equilibria=equilibria,
        profiles=profiles,
        optimum=optimum,
        optimum_profile=_profile([path.optimal_placement() for path in paths], nodes),
        best_equilibrium=best,
        worst_equilibrium=worst,
        price_of_anarchy=price_of_anarchy,
        price_of_stability=price_of_stability,
        reason=reason,
        exact_potential=None,
        exact=True,
        method=METHOD,
    )


def _profile(copies: Sequence[Copies], nodes: int) -> tuple[Copies, ...]:
    """The objects that each node keeps, from the nodes that keep each object."""
    kept: list[list[int]] = [[] for _ in range(nodes)]
    for item, owners in enumerate(copies):
        for node in owners:
            kept[node].append(item)
    return tuple(map(tuple, kept))


@dataclass(frozen=True)
class _Line:
    """One object on a line, in scaled integers.

    placement   what keeping a copy costs a node, and step what one step of distance does
    miss        what a node pays without any copy, at most `Scale.infinite`
    right_cost  right_cost[p][m]: what the m nodes after p pay if they all fetch from p
    left_cost   left_cost[q][m]: what the m nodes before q pay if they all fetch from q
    right_reach right_reach[p]: how many nodes after p would all rather fetch from p than keep
    left_reach  the same before q
    """

    placement: list[int]
    step: list[int]
    miss: list[int]
    right_cost: list[list[int]]
    left_cost: list[list[int]]
    right_reach: list[int]
    left_reach: list[int]

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.placement)

    def gap(self, left: int, right: int) -> tuple[int, bool]:
        """Cost of a gap with its right copy, and whether the gap is stable.

        It is stable if no node inside wants a copy and neither copy is too close to the other.
        `left` is -1 where no copy is to the left, and `right` the number of nodes where none is
        to the right; such an end owns no copy.
        """
        first, last = left < 0, right == self.nodes
        if first and last:
            stable = all(map(int.__le__, self.miss, self.placement))
            return sum(self.miss), stable
        distance = right - left
        if first:
            near, far = 0, distance - 1
        elif last:
            near, far = distance - 1, 0
        else:
            # The node half-way pays the same either way.
            near, far = distance // 2, distance - 1 - distance // 2
        cost, stable = 0, True
        if not first:
            cost += self.right_cost[left][near]
            stable = near <= self.right_reach[left]
        if not last:
            cost += self.left_cost[right][far] + self.placement[right]
            stable = (
                stable
                and far <= self.left_reach[right]
                and self.placement[right] <= self.miss[right]
            )
        if stable and not first and not last:
            stable = (
                self.placement[left] <= self.step[left] * distance
                and self.placement[right] <= self.step[right] * distance
            )
        return cost, stable


def _line(
    placement_cost: Sequence[Fraction],
    demand: Sequence[Fraction],
    miss_cost: Sequence[Fraction] | None,
    scale: Scale,
) -> _Line:
    """Scale the costs of one object and sum them up to the left and right of every node."""
    nodes = len(demand)
    placement = [scale.integer(cost) for cost in placement_cost]
    step = [scale.integer(amount) for amount in demand]
    if miss_cost:
        miss = [scale.integer(a * m) for a, m in zip(demand, miss_cost, strict=True)]
    else:
        miss = [scale.infinite if amount > 0 else 0 for amount in demand]

    def fetches(others: slice) -> list[int]:
        """What some nodes pay to fetch from the owner beside the first of them."""
        near = zip(range(1, nodes), step[others], miss[others], strict=False)
        return [min(each * far, most) for far, each, most in near]

    def reach(paid: list[int], others: slice) -> int:
        pairs = zip(paid, placement[others], strict=True)
        return sum(1 for _ in takewhile(lambda pair: pair[0] <= pair[1], pairs))

    after = [slice(owner + 1, None) for owner in range(nodes)]
    # From node 0 backwards there is none.
    before = [slice(owner - 1, None, -1) if owner else slice(0) for owner in range(nodes)]
    right, left = [*map(fetches, after)], [*map(fetches, before)]
    return _Line(
        placement=placement,
        step=step,
        miss=miss,
        right_cost=[[*accumulate(paid, initial=0)] for paid in right],
        left_cost=[[*accumulate(paid, initial=0)] for paid in left],
        right_reach=[*map(reach, right, after)],
        left_reach=[*map(reach, left, before)],
    )


@dataclass(frozen=True)
class _Paths:
    """Sums over the paths from the left end of a line to the right one.

    optimum              least cost of any path, best and worst of a stable one (0 if none)
    equilibria           number of stable paths
    cheapest[p + 1]      next copy after p on the cheapest path
    stable_after[p + 1]  next copies after p from which a stable path leads on
    """

    nodes: int
    optimum: int
    best: int
    worst: int
    equilibria: int
    cheapest: list[int]
    stable_after: list[list[int]]

    def optimal_placement(self) -> Copies:
        """Nodes with a copy in the optimum that is first in lexicographic order."""
        copies: list[int] = []
        node = self.cheapest[0]
        while node < self.nodes:
            copies.append(node)
            node = self.cheapest[node + 1]
        return tuple(copies)

    def stable_placements(self) -> Iterator[Copies]:
        """Nodes with a copy in every equilibrium."""
        unfinished: list[Copies] = [()]
        while unfinished:
            copies = unfinished.pop()
            for node in self.stable_after[copies[-1] + 1 if copies else 0]:
                if node == self.nodes:
                    yield copies
                else:
                    unfinished.append((*copies, node))


def _paths(line: _Line) -> _Paths:
    """Work from the right end to the left.

    For a copy at p every next copy q gives the cost of the gap plus the sums already known for
    the part of the line from q on.
    """
    end = line.nodes
    # Entry p + 1 is about the part of the line after a copy at p; the last one is the right end.
    optimum, best, worst, count = ([0] * (end + 2) for _ in range(4))
    count[end + 1] = 1
    cheapest = [end] * (end + 1)
    stable_after: list[list[int]] = [[] for _ in range(end + 1)]
    for left in range(end - 1, -2, -1):
        options, lowest, highest = [], [], []
        for right in range(end, left, -1):
            cost, stable = line.gap(left, right)
            options.append(cost + optimum[right + 1])
            if stable and count[right + 1]:
                lowest.append(cost + best[right + 1])
                highest.append(cost + worst[right + 1])
                count[left + 1] += count[right + 1]
                stable_after[left + 1].append(right)
        optimum[left + 1] = min(options)
        # Of equal options the latest next copy comes first in lexicographic order.
        cheapest[left + 1] = end - options.index(optimum[left + 1])
        best[left + 1] = min(lowest, default=0)
        worst[left + 1] = max(highest, default=0)
    return _Paths(end, optimum[0], best[0], worst[0], count[0], cheapest, stable_after)
