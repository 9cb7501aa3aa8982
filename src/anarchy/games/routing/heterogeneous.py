"""Large routing games whose players differ: the optimum exactly, the equilibria as bounds.

Each player uses one worker at a time and has an offset of its own on each. The optimum and one pure
equilibrium, the minimiser of Rosenthal's potential, come from exact assignments
(`anarchy.games.routing.min_cost_assignment`). Best responses from random starts
(`anarchy.games.routing.best_response`) find more equilibria; every one is attained, so the worst
of them bounds the true worst from below.
"""

from collections.abc import Sequence
from fractions import Fraction

from anarchy.games.common.equilibrium_report import EquilibriumReport
from anarchy.games.common.rational import Extended, ratio
from anarchy.games.routing import best_response, min_cost_assignment
from anarchy.games.routing.congestion import CongestionGame, latency_tables

SEED = 0
"""Seed of the random starts behind bounds: the same game always gets the same answer."""

METHOD = (
    "optimum by minimum-cost assignment with a checked dual; equilibria by Rosenthal's potential "
    "and best responses from random starts"
)

BOUNDS = (
    "optimum is exact; worst_equilibrium and price_of_anarchy belong to the worst equilibrium "
    "found: lower bounds; best_equilibrium and price_of_stability to the best found: upper bounds"
)


def solve(game: CongestionGame) -> EquilibriumReport:
    """Optimum and potential minimiser by assignment, more equilibria by best responses.

    For games without colocation whose strategies use one resource each. Raises `InputError` for
    more than `min_cost_assignment.MAX_PAIRS` pairs of a player and a worker, and for a worker whose
    load times latency is not convex.
    """
    names = sorted(
        {name for strategies in game.players for s in strategies for name in s.resources}
    )
    min_cost_assignment.check_size(len(game.players), len(names))
    tables = latency_tables(game)
    latency = [tables[name][1:] for name in names]
    marginals = [
        min_cost_assignment.social_marginals(row, name)
        for row, name in zip(latency, names, strict=True)
    ]
    optimum, optimum_profile = _assigned(game, names, marginals, Fraction(1))
    _, stable = _assigned(game, names, latency, game.perceived_offset_weight)
    found = best_response.restarts(game, seed=SEED, starts=(stable,))
    price_of_anarchy, reason = ratio(found.worst, optimum)
    price_of_stability, _ = ratio(found.best, optimum)
    return EquilibriumReport(
        equilibria=None,
        profiles=None,
        optimum=optimum,
        optimum_profile=optimum_profile,
        best_equilibrium=found.best,
        worst_equilibrium=found.worst,
        price_of_anarchy=price_of_anarchy,
        price_of_stability=price_of_stability,
        reason=reason,
        exact_potential=True,
        exact=False,
        method=METHOD,
        bounds=BOUNDS,
    )


def _assigned(
    game: CongestionGame,
    names: list[str],
    marginals: Sequence[Sequence[Extended]],
    weight: Fraction,
) -> tuple[Extended, tuple[int, ...]]:
    """Least total of marginals and weighted offsets, and the strategies that attain it."""
    number = {name: position for position, name in enumerate(names)}
    offsets: list[list[Fraction | None]] = []
    chosen: list[dict[int, int]] = []
    for strategies in game.players:
        row: list[Fraction | None] = [None] * len(names)
        choice: dict[int, int] = {}
        for strategy, (resources, offset) in enumerate((s.resources, s.offset) for s in strategies):
            (name,) = resources
            worker = number[name]
            best = row[worker]
            if best is None or weight * offset < best:
                row[worker], choice[worker] = weight * offset, strategy
        offsets.append(row)
        chosen.append(choice)
    found = min_cost_assignment.minimise(marginals, offsets)
    if not found.check():
        raise ArithmeticError("the prices do not prove the assignment")
    return found.cost, tuple(choice[w] for choice, w in zip(chosen, found.workers, strict=True))
