"""The placement of least social cost, by branch and bound on linear programs, with its proof.

Every node climbs a ladder of prices: the variable of a rung says how much of its demand no copy
up to that price serves, and a rung costs the step to the next price (Elloumi, Journal of
Combinatorial Optimization 2010). The linear program is solved by HiGHS in floating point and is
trusted for nothing: its dual prices are rounded to rationals, and
`anarchy.games.placement.lagrangian_bound` turns them into an exact bound. Where that bound stays
below the best placement known, the placements are split by the least certain copy.
"""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from anarchy.games.placement.game import (
    CachingGame,
    Copies,
    Costs,
    Integers,
    Placement,
    placement_of,
)
from anarchy.games.placement.lagrangian_bound import (
    Branch,
    Fixings,
    Leaf,
    OptimumCertificate,
    Part,
    PriceBound,
    Tree,
    lacks_room,
    part_bound,
)
from anarchy.games.placement.local_search import descend, descend_again

FINENESS = 720720
"""Prices are rounded to this part of a unit: the least common multiple of 1 to 16, because dual
prices of whole costs are fractions with small denominators."""

LARGEST_COEFFICIENT = 10**8
"""Costs are scaled down to this before they go to the floating-point solver."""

MAX_WORK = 50_000
"""Simplex iterations of all linear programs together after which the search ends with a gap."""

SETUP_WORK = 200
"""How many iterations the set-up of a linear program counts for."""

KICKS = 160
"""Descents from disturbed placements, shared among the objects."""

UNCERTAIN = 1e-6
"""How far from 0 and 1 a variable must be to count as undecided."""


def optimum(game: CachingGame, max_work: int = MAX_WORK, kicks: int = KICKS) -> OptimumCertificate:
    """The best placement found, and the proof of how far it can be from the optimum.

    Objects that do not compete for space are solved one by one. The search is deterministic and
    ends after `max_work` and `kicks`, counted as `MAX_WORK` and `KICKS` are.
    """
    if lacks_room(game):
        empty: Placement = ((),) * game.nodes
        return OptimumCertificate(game, empty, math.inf, math.inf, ())
    groups = (
        [(item,) for item in range(game.objects)] if game.decoupled else [(*range(game.objects),)]
    )
    copies = np.zeros((game.nodes, game.objects), dtype=bool)
    parts = []
    for items in groups:
        found, tree = _search(
            Costs.of(game.only(items)), max_work // len(groups), kicks // game.objects
        )
        copies[:, items] = found
        parts.append(Part(items, tree))
    costs = Costs.of(game)
    upper = costs.value(costs.social(copies))
    lower = sum(part_bound(game, part) for part in parts)
    return OptimumCertificate(game, placement_of(copies), upper, lower, tuple(parts))


@dataclass
class _Node:
    """A part of the search: prices for all placements that agree with `fixed`."""

    fixed: Fixings
    prices: Integers
    lower: int
    likely: NDArray[np.float64]
    split: "tuple[tuple[int, int], _Node, _Node] | None" = field(default=None)


def _search(costs: Costs, max_work: int, kicks: int) -> tuple[Copies, Tree]:
    """Branch where the bound is least until it meets the best placement or the work is done."""
    empty = np.zeros((costs.nodes, costs.objects), dtype=bool)
    best = min((descend(costs, start) for start in (empty, _packed(costs))), key=costs.social)
    relaxation = _Relaxation(costs, best)
    bound = PriceBound(costs, FINENESS)
    nothing = np.zeros((costs.nodes, costs.objects), dtype=object)

    def explore(fixed: Fixings, fallback: Integers) -> _Node:
        """Price the placements that agree with `fixed`."""
        nonlocal best
        likely, prices = relaxation.solve(fixed)
        # Prices of the whole still bound its half; an unsolved program offers none of its own.
        options = [fallback] if prices is None else [prices, fallback]
        lower, chosen = max(
            ((bound.lower(option, fixed), -place) for place, option in enumerate(options))
        )
        node = _Node(fixed, options[-chosen], lower, likely)
        if not fixed or _least_certain(node) is None:
            found = descend(costs, _rounded(likely, costs))
            best = min(best, found, key=costs.social)
        return node

    root = explore({}, nothing)
    if root.lower < costs.social(best):
        best = descend_again(costs, best, kicks, np.random.default_rng(0))
    order = count()
    queue = [(root.lower, next(order), root)]
    plunge: _Node | None = None
    while (plunge or queue) and relaxation.work < max_work:
        # Following one half down to whole copies finds good placements early.
        node = plunge or heapq.heappop(queue)[2]
        plunge = None
        place = _least_certain(node)
        if node.lower >= costs.social(best):
            continue
        if place is None:
            # The program takes whole copies for cheaper than they are: its ladders are too short.
            if relaxation.complete():
                again = explore(node.fixed, node.prices)
                node.prices, node.lower, node.likely = again.prices, again.lower, again.likely
                heapq.heappush(queue, (node.lower, next(order), node))
            continue
        absent, present = (explore({**node.fixed, place: k}, node.prices) for k in (False, True))
        node.split = (place, absent, present)
        heapq.heappush(queue, (absent.lower, next(order), absent))
        plunge = present
    return best, _tree(root, costs.unit / FINENESS)


def _packed(costs: Costs) -> Copies:
    """One copy of every object that may not be missed, as many per node as there is room for."""
    copies = np.zeros((costs.nodes, costs.objects), dtype=bool)
    needed = np.flatnonzero((costs.miss >= costs.infinite).any(axis=0))
    copies[np.arange(needed.size) // max(costs.room, 1), needed] = True
    return copies


def _least_certain(node: _Node) -> tuple[int, int] | None:
    """The undecided copy closest to a half, the first of equals."""
    doubt = np.minimum(node.likely, 1 - node.likely)
    for place in node.fixed:
        doubt[place] = 0
    first = int(np.argmax(doubt))
    if doubt.flat[first] <= UNCERTAIN:
        return None
    row, column = divmod(first, doubt.shape[1])
    return row, column


def _rounded(likely: NDArray[np.float64], costs: Costs) -> Copies:
    """The copies that are at least half there, the likeliest first if there is little room.

    Where there is room for every object, nodes that would pay more than a copy costs get one:
    the program lets them pay no more than that.
    """
    rank = (-likely).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    rounded: Copies = (likely >= 1 / 2) & (rank < costs.room)
    if costs.room == costs.objects:
        fetched = [costs.without_own(rounded, item) for item in range(costs.objects)]
        rounded |= np.stack(fetched, axis=1) > costs.placement[:, None]
    return rounded


def _tree(root: _Node, step: Fraction) -> Tree:
    """The search as a certificate; `step` is what a price of 1 stands for."""
    done: dict[int, Tree] = {}
    for node in _children_first(root):
        if node.split is None:
            prices = tuple(tuple(int(v) * step for v in row) for row in node.prices)
            done[id(node)] = Leaf(prices)
        else:
            (at, item), absent, present = node.split
            done[id(node)] = Branch(at, item, done[id(absent)], done[id(present)])
    return done[id(root)]


def _children_first(root: _Node) -> Iterator[_Node]:
    order, unfinished = [], [root]
    while unfinished:
        node = unfinished.pop()
        order.append(node)
        unfinished += node.split[1:] if node.split else ()
    return reversed(order)


class _Relaxation:
    """The linear program of one search; its variables are the copies, then the rungs.

    A demand needs no rung beyond its miss cost, nor beyond the cost of the placement that is
    already known. Where there is room for every object it needs none beyond the placement cost,
    because the node could keep its own copy at that price. In other games the rungs first end just
    above the dearest fetch of the known placement: good placements hardly climb higher, and a
    short ladder keeps the program small.
    """

    def __init__(self, costs: Costs, known: Copies) -> None:
        self._costs = costs
        self.work = 0
        self._highest = np.minimum(costs.miss, costs.social(known))
        self._complete = costs.room == costs.objects
        if self._complete:
            self._highest = np.minimum(self._highest, costs.placement[:, None])
            self._build(self._highest)
        else:
            fetched = [costs.without_own(known, item) for item in range(costs.objects)]
            dearest = np.where(known, 0, np.stack(fetched, axis=1)).max()
            self._build(np.minimum(self._highest, dearest + 1))

    def complete(self) -> bool:
        """Add the rungs that were left out, and say whether there were any."""
        if self._complete:
            return False
        self._complete = True
        self._build(self._highest)
        return True

    def _build(self, highest: Integers) -> None:
        nodes, objects = self._costs.nodes, self._costs.objects
        largest = int(max(self._costs.placement.max(), highest.max()))
        self._divisor = max(largest // LARGEST_COEFFICIENT, 1)
        rows: list[NDArray[np.intp]] = []
        columns: list[NDArray[np.intp]] = []
        values: list[float] = []
        objective = [float(c) for c in (self._costs.placement / self._divisor).repeat(objects)]
        least: list[float] = []
        self._first = np.full((nodes, objects), -1)

        def entry(column: NDArray[np.intp], value: float) -> None:
            rows.append(np.full(column.size, len(least)))
            columns.append(column)
            values.extend([value] * column.size)

        for node in range(nodes):
            for item in range(objects):
                prices = self._costs.fetch[item][node].copy()
                prices[node] = 0
                ladder = [*np.unique(prices[prices < highest[node, item]]), highest[node, item]]
                previous = None
                for price, dearer in pairwise(ladder):
                    entry(np.flatnonzero(prices == price) * objects + item, 1)
                    entry(np.array([len(objective)]), 1)
                    if previous is None:
                        self._first[node, item] = len(least)
                    else:
                        entry(np.array([previous]), -1)
                    previous = len(objective)
                    objective.append(float((dearer - price) / self._divisor))
                    least.append(1.0 if price == ladder[0] else 0.0)
        if self._costs.room < objects:
            for node in range(nodes):
                entry(node * objects + np.arange(objects), -1)
                least.append(-float(self._costs.room))
        self._objective = np.array(objective)
        self._least = np.array(least)
        index = (np.concatenate([*rows, []]), np.concatenate([*columns, []]))
        # The stubs of linprog know of neither sparse matrices nor arrays of bounds.
        self._matrix: Any = csr_matrix(
            (np.array(values), index), shape=(len(least), len(objective)), dtype=float
        )

    def solve(self, fixed: Fixings) -> tuple[NDArray[np.float64], Integers | None]:
        """How likely each copy is, and prices in units / `FINENESS`, None if there are none."""
        nodes, objects = self._costs.nodes, self._costs.objects
        if not self._least.size:
            zeros = np.zeros((nodes, objects))
            return zeros, zeros.astype(object)
        bounds: Any = np.zeros((self._objective.size, 2))
        # No limit on the rungs: its dual price would be missing from the prices of demand.
        bounds[: nodes * objects, 1], bounds[nodes * objects :, 1] = 1, np.inf
        for (node, item), kept in fixed.items():
            bounds[node * objects + item] = float(kept)
        solution = linprog(
            self._objective, A_ub=-self._matrix, b_ub=-self._least, bounds=bounds, method="highs"
        )
        self.work += SETUP_WORK + int(solution.nit)
        if solution.status != 0 or solution.x is None:
            return np.zeros((nodes, objects)), None
        dual = np.where(self._first >= 0, -solution.ineqlin.marginals[self._first], 0)
        rounded = np.rint(np.maximum(dual, 0) * FINENESS).astype(object)
        prices = np.vectorize(int, otypes=[object])(rounded) * self._divisor
        return solution.x[: nodes * objects].reshape(nodes, objects), prices
