"""Small routing games: the costs of all players in all profiles at once, and then enumeration."""

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from anarchy.games.common.enumeration import (
    CostTable,
    Integers,
    ProfileSpace,
    Scale,
    solve_by_enumeration,
)
from anarchy.games.common.equilibrium_report import EquilibriumReport
from anarchy.games.common.rational import Extended
from anarchy.games.routing.congestion import CongestionGame, latency_tables, scale_of


def solve(game: CongestionGame) -> EquilibriumReport:
    """Equilibria and optimum of a game that `common.enumeration.is_enumerable` allows."""
    return solve_by_enumeration(tabulate(game), name=lambda profile: profile, with_potential=True)


def tabulate(game: CongestionGame) -> CostTable:
    """The costs of all players in all profiles of such a game."""
    space = ProfileSpace(tuple(len(strategies) for strategies in game.players))
    tables = latency_tables(game)
    scale = scale_of(game, tables)
    choices = [space.strategies(player) for player in range(len(game.players))]

    perceived: list[Integers] = []
    social: Integers = np.zeros(space.size, dtype=scale.dtype)
    unbounded = np.zeros(space.size, dtype=bool)
    loads = _loads(game, choices, space.size)
    scaled = {resource: _scaled(scale, table) for resource, table in tables.items()}
    for player, strategies in enumerate(game.players):
        latency, overloaded = _latency(game, scale, scaled, player, choices[player], loads)
        latency -= _credit(game, scale, player, choices)
        offsets = [strategy.offset for strategy in strategies]
        weighted = [game.perceived_offset_weight * offset for offset in offsets]
        chosen = latency + _look_up(scale, weighted, choices[player])
        chosen[overloaded] = scale.infinite
        perceived.append(chosen)
        social += latency + _look_up(scale, offsets, choices[player])
        unbounded |= overloaded
    social[unbounded] = scale.infinite
    return CostTable(space, scale, perceived, social)


def _look_up(scale: Scale, values: list[Fraction], choice: NDArray[np.intp]) -> Integers:
    """The scaled value of the strategy chosen in every profile."""
    return np.array([scale.integer(v) for v in values], dtype=scale.dtype)[choice]


def _used(game: CongestionGame, player: int) -> list[str]:
    """The resources that a player may use, in order."""
    return sorted(frozenset().union(*(s.resources for s in game.players[player])))


def _uses(game: CongestionGame, player: int, resource: str) -> NDArray[np.bool_]:
    """Which strategies of a player use a resource."""
    return np.array([resource in strategy.resources for strategy in game.players[player]])


def _loads(
    game: CongestionGame, choices: list[NDArray[np.intp]], size: int
) -> dict[str, NDArray[np.intp]]:
    """Number of users of each resource in every profile."""
    loads = {resource: np.zeros(size, dtype=np.intp) for resource in sorted(game.latency)}
    for player, choice in enumerate(choices):
        for resource in _used(game, player):
            loads[resource] += _uses(game, player, resource)[choice]
    return loads


def _scaled(scale: Scale, table: list[Extended]) -> tuple[Integers, NDArray[np.bool_]]:
    """Scaled latency of a resource by load, 0 where it is infinite, and where it is so."""
    finite = [0 if v == math.inf else scale.integer(v) for v in table]
    return np.array(finite, dtype=scale.dtype), np.array([v == math.inf for v in table])


def _latency(
    game: CongestionGame,
    scale: Scale,
    scaled: Mapping[str, tuple[Integers, NDArray[np.bool_]]],
    player: int,
    choice: NDArray[np.intp],
    loads: Mapping[str, NDArray[np.intp]],
) -> tuple[Integers, NDArray[np.bool_]]:
    """Scaled latency that a player meets in every profile, and where it is infinite."""
    total: Integers = np.zeros(choice.size, dtype=scale.dtype)
    overloaded = np.zeros(choice.size, dtype=bool)
    for resource in _used(game, player):
        load, (finite, infinite) = loads[resource], scaled[resource]
        uses = _uses(game, player, resource)[choice]
        total += np.where(uses, finite[load], 0)
        overloaded |= uses & infinite[load]
    return total, overloaded


def _credit(
    game: CongestionGame, scale: Scale, player: int, choices: list[NDArray[np.intp]]
) -> Integers:
    """Scaled credit of a player in every profile."""
    credit: Integers = np.zeros(choices[player].size, dtype=scale.dtype)
    if game.colocation is None:
        return credit
    accompanied = np.zeros(choices[player].size, dtype=bool)
    weight = game.colocation.weight
    # The best partner is chosen before weighting, which a negative weight turns round.
    better = np.maximum if weight >= 0 else np.minimum
    for other in range(len(game.players)):
        if other == player:
            continue
        same = np.array(
            [
                [mine.resources == theirs.resources for theirs in game.players[other]]
                for mine in game.players[player]
            ]
        )
        together = same[choices[player], choices[other]]
        # An array, because NumPy takes no Python integer beyond 64 bits for a scalar.
        gain: Integers = np.array(
            scale.integer(weight * game.colocation.credit[player][other]), dtype=scale.dtype
        )
        if game.colocation.combine == "sum":
            credit += np.where(together, gain, 0)
        else:
            # The first partner sets the value, so that negative credits are kept.
            best = np.where(accompanied, better(credit, gain), gain)
            credit = np.where(together, best, credit)
            accompanied |= together
    return credit.astype(scale.dtype)
