"""Equilibria of large cache placement games, found by best-response dynamics.

What a node gains from an own copy of one object does not depend on its other objects, so its best
response keeps the objects of largest gain, as many as have a positive one and as there is room
for. Nodes respond in turn until nobody can improve. A run can also meet a cycle: directed
instances need not have an equilibrium at all. Nothing rules out better or worse equilibria than
those found, so their costs bound the true ones from one side only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anarchy.games.common.rational import Extended
from anarchy.games.placement.game import (
    CachingGame,
    Copies,
    Costs,
    Integers,
    Placement,
    copies_of,
    placement_of,
)

RUNS = 240
"""Runs of the dynamics from different placements."""

MAX_ROUNDS = 200
"""Most times that every node responds in one run."""

SHAKEN = 0.1
"""Share of nodes whose copies are drawn anew when a run sets out from a known equilibrium."""


@dataclass(frozen=True)
class FoundEquilibria:
    """The cheapest and the dearest equilibrium found, None if none was, and how runs ended.

    best, worst            equilibria, each verified node by node
    best_cost, worst_cost  their social costs, `math.inf` if an object is left out
    runs                   all runs
    converged              runs that ended in an equilibrium
    cycles                 runs that came back to an earlier placement and would never end
    unfinished             runs stopped after the most rounds
    """

    best: Placement | None
    best_cost: Extended | None
    worst: Placement | None
    worst_cost: Extended | None
    runs: int
    converged: int
    cycles: int
    unfinished: int


def is_equilibrium(game: CachingGame, placement: Placement) -> bool:
    """Whether no node can lower its cost by keeping other objects, in exact arithmetic."""
    return _is_stable(Costs.of(game), copies_of(placement, game.objects))


def search(
    game: CachingGame,
    known: Sequence[Placement] = (),
    seed: int = 0,
    runs: int = RUNS,
    max_rounds: int = MAX_ROUNDS,
) -> FoundEquilibria:
    """Run the dynamics from `known` placements, then from random ones and near found equilibria.

    The result depends on the arguments alone.
    """
    costs = Costs.of(game)
    random = np.random.default_rng(seed)
    best: Copies | None = None
    worst: Copies | None = None
    best_cost = worst_cost = 0
    ended = dict.fromkeys(("converged", "cycles", "unfinished"), 0)
    for run in range(runs):
        if run < len(known):
            start = copies_of(known[run], game.objects)
        else:
            near = (None, best, None, worst)[run % 4]
            start = _random(costs, random) if near is None else _shaken(costs, near, random)
        state = _State(costs, start)
        how = _settle(state, random.permutation(costs.nodes), max_rounds)
        ended[how] += 1
        if how != "converged":
            continue
        cost = costs.social(state.copies)
        if best is None or cost < best_cost:
            best, best_cost = state.copies, cost
        if worst is None or cost > worst_cost:
            worst, worst_cost = state.copies, cost
    if best is None or worst is None:
        return FoundEquilibria(None, None, None, None, runs, **ended)
    return FoundEquilibria(
        best=placement_of(best),
        best_cost=costs.value(best_cost),
        worst=placement_of(worst),
        worst_cost=costs.value(worst_cost),
        runs=runs,
        **ended,
    )


def with_known(game: CachingGame, found: FoundEquilibria, other: Placement) -> FoundEquilibria:
    """The same with one more equilibrium; whatever is not one is left out."""
    costs = Costs.of(game)
    copies = copies_of(other, game.objects)
    if not _is_stable(costs, copies):
        return found
    cost = costs.value(costs.social(copies))
    if found.best_cost is None or cost < found.best_cost:
        found = replace(found, best=other, best_cost=cost)
    if found.worst_cost is None or cost > found.worst_cost:
        found = replace(found, worst=other, worst_cost=cost)
    return found


def _settle(state: "_State", order: NDArray[np.intp], max_rounds: int) -> str:
    """Let nodes respond in a fixed order, in place, and say how it ended."""
    seen = set()
    for _ in range(max_rounds):
        moved = [state.respond(int(node)) for node in order]
        if not any(moved):
            return "converged"
        placement = state.copies.tobytes()
        if placement in seen:
            return "cycles"
        seen.add(placement)
    return "unfinished"


class _State:
    """A placement, and what every node would pay for every object without an own copy."""

    def __init__(self, costs: Costs, copies: Copies) -> None:
        self.costs = costs
        self.copies = copies.copy()
        columns = [costs.without_own(copies, item) for item in range(costs.objects)]
        self.fetched: Integers = np.stack(columns, axis=1)

    def respond(self, node: int) -> bool:
        """Give a node its best response if that costs it less, and say whether it did."""
        wanted = _best_response(self.costs, self.fetched[node], node)
        kept = self.copies[node]
        if _paid(self.costs, self.fetched[node], node, wanted) >= _paid(
            self.costs, self.fetched[node], node, kept
        ):
            return False
        for item in map(int, np.flatnonzero(wanted != kept)):
            self.copies[node, item] = wanted[item]
            column = self.costs.fetch[item][:, node]
            self.fetched[:, item] = (
                np.minimum(self.fetched[:, item], column)
                if wanted[item]
                else self.costs.without_own(self.copies, item)
            )
        return True


def _is_stable(costs: Costs, copies: Copies) -> bool:
    state = _State(costs, copies)
    return not any(state.respond(node) for node in range(costs.nodes))


def _best_response(costs: Costs, fetched: Integers, node: int) -> NDArray[np.bool_]:
    gain = fetched - costs.placement[node]
    first = np.argsort(-gain, kind="stable")[: costs.room]
    wanted = np.zeros(gain.size, dtype=bool)
    wanted[first] = gain[first] > 0
    return wanted


def _paid(costs: Costs, fetched: Integers, node: int, kept: NDArray[np.bool_]) -> int:
    """What a node pays; missing one object is as bad as missing several."""
    return min(int(np.where(kept, costs.placement[node], fetched).sum()), costs.infinite)


def _random(costs: Costs, random: np.random.Generator) -> Copies:
    """A placement with a random share of all copies that there is room for."""
    share = random.random()
    copies: Copies = random.random((costs.nodes, costs.objects)) < share
    rank = random.random(copies.shape).argsort(axis=1).argsort(axis=1)
    return copies & (rank < costs.room)


def _shaken(costs: Costs, copies: Copies, random: np.random.Generator) -> Copies:
    """A placement near another one."""
    redrawn = random.random(costs.nodes) < SHAKEN
    return np.where(redrawn[:, None], _random(costs, random), copies)
