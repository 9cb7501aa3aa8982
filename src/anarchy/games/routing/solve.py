"""Solves a routing game by the first method that it allows."""

from anarchy.common.errors import InputError
from anarchy.games.common.enumeration import (
    MAX_ENTRIES,
    MAX_PLAYERS,
    MAX_PROFILES,
    is_enumerable,
    number_of_profiles,
)
from anarchy.games.common.equilibrium_report import EquilibriumReport, Method
from anarchy.games.common.rational import Extended
from anarchy.games.routing import enumeration, heterogeneous, symmetric
from anarchy.games.routing.congestion import CongestionGame, Strategy, latency_tables

_SCALABLE = (
    "; larger games need one resource per strategy and no colocation: identical players are "
    "solved by counting, offsets of each player get bounds by assignment and best response"
)


def solve_routing(game: CongestionGame, method: Method = "auto") -> EquilibriumReport:
    """Pure equilibria, the optimum and their ratios; profiles hold one strategy number per player.

    "auto" takes the first of these that the game allows, "enumeration" and "bounds" only those:

    enumeration  every game of at most `MAX_PROFILES` profiles, exactly
                 (`anarchy.games.routing.enumeration`)
    counting     identical players who use one worker each, exactly
                 (`anarchy.games.routing.symmetric`)
    bounds       players who use one worker each, with offsets and without colocation: the exact
                 optimum, and the best and worst equilibria found
                 (`anarchy.games.routing.heterogeneous`)

    Raises `InputError` with the number of profiles and the limits for any other game, and for a
    worker whose load times latency is not convex where bounds are wanted.
    """
    if not game.players:
        raise InputError("players: at least one is needed")
    counts = [len(strategies) for strategies in game.players]
    alone = game.colocation is None and all(
        len(s.resources) == 1 for strategies in _kinds(game) for s in strategies
    )
    if method == "bounds":
        if not alone:
            raise InputError(
                "players: bounds need strategies of one resource each and no colocation; "
                "allowed here: method enumeration"
            )
        return heterogeneous.solve(game)
    if is_enumerable(counts):
        return enumeration.solve(game)
    tables = _parallel_tables(game) if alone else None
    counted = tables is not None and symmetric.is_countable(tables)
    if method == "enumeration":
        instead = "counting" if counted else "bounds" if alone else None
        raise InputError(
            _too_many(counts)
            + (f"; method auto solves this game by {instead}" if instead else _SCALABLE)
        )
    if tables is not None and counted:
        offsets = [strategy.offset for strategy in game.players[0]]
        perceived = [game.perceived_offset_weight * offset for offset in offsets]
        return symmetric.solve(tables, offsets, perceived)
    if not alone:
        raise InputError(_too_many(counts) + _SCALABLE)
    return heterogeneous.solve(game)


def _too_many(counts: list[int]) -> str:
    """Why a game is not enumerated."""
    return (
        f"players: {len(counts)} players have {number_of_profiles(counts)} profiles, too many to "
        f"enumerate; allowed: {MAX_PROFILES} profiles of at most {MAX_PLAYERS} players and "
        f"{MAX_ENTRIES} player-profile pairs"
    )


def _kinds(game: CongestionGame) -> list[tuple[Strategy, ...]]:
    """The different strategy sets, as objects: copies of one player share theirs."""
    return list({id(strategies): strategies for strategies in game.players}.values())


def _parallel_tables(game: CongestionGame) -> list[list[Extended]] | None:
    """Latency of each worker at load 1, 2, ..., n if all players have the same, different workers.

    For games whose strategies use one resource each; None if the players differ or are too many.
    """
    first, *others = _kinds(game)
    if any(strategies != first for strategies in others):
        return None
    names = [name for strategy in first for name in strategy.resources]
    if len(set(names)) < len(names) or len(names) * len(game.players) > symmetric.MAX_LOADS:
        return None
    tables = latency_tables(game)
    return [tables[name][1:] for name in names]
