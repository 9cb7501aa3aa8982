"""The cheapest and the dearest equilibrium of a cache placement game, by integer programming.

Where there is room for every object, a placement of one object is an equilibrium if and only if
a node with a copy finds no other copy, and no miss, cheaper than its own, and a node without one
finds a copy or a miss that is no dearer. Both are linear in the copies alone. What nodes pay is
written with a ladder of prices, as for the optimum (`anarchy.games.placement.optimum`); for the
dearest equilibrium every rung must also be forced down by the copies that it is about.

HiGHS searches in floating point. The equilibria that it finds are verified exactly, but that none
is cheaper or dearer rests on its tolerances.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

from anarchy.games.placement.best_response import is_equilibrium
from anarchy.games.placement.game import CachingGame, Copies, Costs, Placement, placement_of

MAX_NODES = 60
"""Largest network whose extreme equilibria are sought by integer programming."""

MAX_BRANCHES = 2000
"""Most branches for each extreme of each object before the search gives up."""

MAX_COST = 10**9
"""Largest sum of whole costs that the floating-point search can tell from the next one."""


@dataclass(frozen=True)
class Extremes:
    """The cheapest and the dearest equilibrium that the search claims.

    best, worst  verified equilibria; None where no equilibrium exists
    """

    best: Placement | None
    worst: Placement | None


def extremes(game: CachingGame, max_branches: int = MAX_BRANCHES) -> Extremes | None:
    """Both extremes as the search claims them; None if it cannot tell or the game is too large.

    Only games in which there is room for every object are searched.
    """
    costs = Costs.of(game)
    if not game.decoupled or game.nodes > MAX_NODES or costs.infinite > MAX_COST:
        return None
    best = np.zeros((game.nodes, game.objects), dtype=bool)
    worst = best.copy()
    for item in range(game.objects):
        program = _Program(costs, item)
        for copies, sign in ((best, 1), (worst, -1)):
            status, column = program.solve(sign, max_branches)
            if status == _INFEASIBLE:
                return Extremes(None, None)
            if status != _OPTIMAL or column is None:
                return None
            copies[:, item] = column
    found = placement_of(best), placement_of(worst)
    return Extremes(*found) if all(is_equilibrium(game, one) for one in found) else None


_OPTIMAL = 0
_INFEASIBLE = 2


class _Program:
    """Equilibria of one object: the copies, then the rungs of the nodes' ladders."""

    def __init__(self, costs: Costs, item: int) -> None:
        self._nodes = costs.nodes
        self._rows: list[dict[int, int]] = []
        self._least: list[int] = []
        self._objective = [int(cost) for cost in costs.placement]
        self._allowed = np.ones(costs.nodes)
        fetch, own = costs.fetch[item], costs.placement
        too_close = fetch < own[:, None]
        # Two copies exclude each other if either owner would rather fetch from the other.
        self._exclude = too_close | too_close.T
        for node in range(costs.nodes):
            prices = costs.fetch[item][node].copy()
            miss = int(costs.miss[node, item])
            self._stability(node, prices, int(own[node]), miss)
            prices[node] = 0
            self._ladder(prices, min(int(own[node]), miss))

    def _stability(self, node: int, prices: NDArray[np.int64], own: int, miss: int) -> None:
        """Nobody regrets to keep a copy, nor to keep none."""
        if miss < own:
            self._allowed[node] = 0
        else:
            for group in self._exclusive(np.flatnonzero(self._exclude[node])):
                self._row({node: -1} | dict.fromkeys(group, -1), -1)
        if miss > own:
            near = np.flatnonzero(prices <= own)
            self._row({node: 1} | {int(other): 1 for other in near}, 1)

    def _ladder(self, prices: NDArray[np.int64], highest: int) -> None:
        """What a node pays if it keeps no copy, one rung for each price below the highest."""
        ladder = [*np.unique(prices[prices < highest]), highest]
        previous: int | None = None
        for price, dearer in pairwise(ladder):
            rung = len(self._objective)
            self._objective.append(int(dearer - price))
            at_price = [int(other) for other in np.flatnonzero(prices == price)]
            below = {} if previous is None else {previous: -1}
            self._row({rung: 1} | dict.fromkeys(at_price, 1) | below, 1 if previous is None else 0)
            # The dearest equilibrium would otherwise pay for rungs that a copy spares it.
            for group in self._exclusive(np.flatnonzero(prices <= price)):
                self._row({rung: -1} | dict.fromkeys(group, -1), -1)
            previous = rung

    def _exclusive(self, nodes: NDArray[np.intp]) -> list[list[int]]:
        """The nodes in groups in which at most one may keep a copy, taken greedily."""
        groups: list[list[int]] = []
        for node in map(int, nodes):
            group = next((g for g in groups if self._exclude[node, g].all()), None)
            if group is None:
                groups.append([node])
            else:
                group.append(node)
        return groups

    def _row(self, coefficients: dict[int, int], least: int) -> None:
        self._rows.append(coefficients)
        self._least.append(least)

    def solve(self, sign: int, max_branches: int) -> tuple[int, Copies | None]:
        """Minimise the social cost, or maximise it for a sign of -1."""
        entries = [(i, j, v) for i, row in enumerate(self._rows) for j, v in row.items()]
        rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
        size = len(self._objective)
        matrix = csr_matrix((values, (rows, columns)), shape=(len(self._rows), size), dtype=float)
        whole = np.arange(size) < self._nodes
        upper = np.concatenate([self._allowed, np.ones(size - self._nodes)])
        solution = milp(
            sign * np.array(self._objective, dtype=float),
            integrality=whole.astype(int),
            bounds=Bounds(0, upper),
            constraints=LinearConstraint(matrix, self._least, np.inf),
            options={"mip_rel_gap": 0, "node_limit": max_branches},
        )
        copies = None if solution.x is None else solution.x[: self._nodes] > 1 / 2
        return int(solution.status), copies
