"""Game 2, cache placement: which nodes keep a copy when each minds only its own cost.

A node pays its placement cost for every object that it keeps, and for every other object its
demand times the distance to the nearest copy, capped by the miss cost (recomputing the KV blocks)
where there is one. Without a miss cost an object that nobody keeps costs infinitely much.

Source: the basic game and the capacitated and demand variants of Chun et al. (PODC 2004).
"""

from anarchy.games.common.equilibrium_report import EquilibriumReport, Method
from anarchy.games.placement import enumeration, line
from anarchy.games.placement.game import CachingGame


def solve_placement(game: CachingGame, method: Method = "auto") -> EquilibriumReport:
    """Pure equilibria, the optimum and their ratios.

    Profiles in the report hold one tuple of object numbers per node. "auto" takes the first of
    these that the game allows, "enumeration" and "bounds" only those:

    enumeration  games of at most `MAX_PROFILES` placements (18 nodes with one object), exactly
                 (`anarchy.games.placement.enumeration`)
    lines        lines of any length with room for every object, exactly
                 (`anarchy.games.placement.line`)
    bounds       the optimum with a proof or a proven gap, and the best and worst equilibria found
                 (`anarchy.games.placement.bounds`)

    Raises `InputError` for a game too large for the method.
    """
    if method == "bounds" or (method == "auto" and not enumeration.is_enumerable(game)):
        if method == "auto" and game.decoupled and line.is_line(game.distance):
            return line.solve(game.placement_cost, game.demand, game.miss_cost)
        # Linear programming is slow to load, and most games need none.
        from anarchy.games.placement import bounds

        return bounds.solve(game)
    return enumeration.solve(game)
