"""The planner of the coupled game over time: what it sees is old, and it moves in steps.

Caches and routes settle within one planning interval; the planner acts on the error
e(g) = T(g) - g of the split that was running `delay` intervals ago, because its newest orders
still start up or its metrics still average over the past.
"""

import itertools
import math
from fractions import Fraction

from anarchy.common.errors import InputError
from anarchy.games.common.rational import Extended, at_least
from anarchy.games.gpu_split.coupled import CoupledGame, target

MOST_HISTORIES = 100_000
"""Histories that an enumeration of the planner's cycles may visit."""


def delayed_orbit(
    game: CoupledGame,
    start: float,
    delay: int,
    gain: float,
    steps: int,
    step_limit: float = math.inf,
) -> tuple[float, ...]:
    """Prefill GPUs of `steps` intervals after a rest at `start`, which is included.

    g(t+1) = g(t) + gain e(g(t - delay)), a move being cut to `step_limit` GPUs and a split to at
    least one GPU in each pool.
    """
    _check_delay(delay)
    if game.allocation.budget < 2:
        raise InputError(f"budget: needs at least 2 GPUs, got {game.allocation.budget}")
    highest = float(game.allocation.budget) - 1
    splits = [float(start)]
    for now in range(steps):
        seen = splits[max(0, now - delay)]
        move = gain * (float(target(game, seen)) - seen)
        move = max(-step_limit, min(step_limit, move))
        splits.append(max(1.0, min(highest, splits[-1] + move)))
    return tuple(splits)


def gain_threshold(delay: int, slope: float) -> float:
    """Gain at which a fixed point loses its stability: 2 sin(pi/(4 delay + 2))/(1 - slope).

    `slope` is that of the planner's target there, below 1. Below the threshold all nearby orbits
    return; above it they swing away with a period near 4 delay + 2 intervals. The condition is the
    paper's; it is a case of Kuruklis (1994).
    """
    _check_delay(delay)
    if slope >= 1:
        raise InputError(f"slope: must be below 1, got {slope}")
    return 2 * math.sin(math.pi / (4 * delay + 2)) / (1 - slope)


def settling_gain(delay: int) -> float:
    """Gain below which every orbit settles if the planner's target rises and crosses once.

    With d the delay and N = floor(1/k) it is the k at which k (d + 1 + N) - k^2 N (N + 1)/2 = 2; 2
    for d = 0. It is 1 for d = 1, 2 - sqrt 2 for d = 2, and near 3/(2 d) for long delays.
    """
    _check_delay(delay)
    if delay == 0:
        return 2.0
    steps = 1
    while (gain := _overshooting_gain(delay, steps)) * (steps + 1) <= 1:
        steps += 1
    return gain


def _overshooting_gain(delay: int, steps: int) -> float:
    """The k of `settling_gain` if it takes `steps` = N whole moves to the target."""
    linear, square = delay + 1 + steps, steps * (steps + 1)
    return 4 / (linear + math.sqrt(linear**2 - 4 * square))


def held_splits(game: CoupledGame, dead_band: object) -> tuple[int, ...]:
    """Whole splits at which the planner rests: those no more than `dead_band` GPUs off target."""
    return tuple(g for g, move in _moves(game, dead_band).items() if move == 0)


def planner_cycles(game: CoupledGame, delay: int, dead_band: object) -> tuple[tuple[int, ...], ...]:
    """Every cycle of a planner that moves one GPU at a time, by exhaustion over all histories.

    It adds a prefill GPU if the split of `delay` intervals ago was more than `dead_band` below its
    target, removes one if it was as much above, and keeps at least one GPU in each pool. A cycle
    lists its splits in time, from the smallest on; one of a single split is a rest.
    """
    _check_delay(delay)
    move = _moves(game, dead_band)
    highest = len(move)
    if highest * 3**delay > MOST_HISTORIES:
        raise InputError(f"delay: must leave at most {MOST_HISTORIES} histories, got {delay}")

    def successor(history: tuple[int, ...]) -> tuple[int, ...]:
        newest = max(1, min(highest, history[-1] + move[history[0]]))
        return (*history[1:], newest)

    cycles: set[tuple[int, ...]] = set()
    visited: set[tuple[int, ...]] = set()
    for start, *changes in itertools.product(move, *([(-1, 0, 1)] * delay)):
        path = list(itertools.accumulate(changes, initial=start))
        history = tuple(max(1, min(highest, g)) for g in path)
        fresh: dict[tuple[int, ...], int] = {}
        while history not in visited:
            visited.add(history)
            fresh[history] = len(fresh)
            history = successor(history)
        if history in fresh:
            splits = [h[-1] for h in list(fresh)[fresh[history] :]]
            cycles.add(min(tuple(splits[i:] + splits[:i]) for i in range(len(splits))))
    return tuple(sorted(cycles))


def period_two_orbits(
    game: CoupledGame, delay: int, dead_band: object
) -> tuple[tuple[int, int], ...]:
    """The pairs of neighbouring splits between which such a planner can alternate for ever."""
    cycles = planner_cycles(game, delay, dead_band)
    return tuple((cycle[0], cycle[1]) for cycle in cycles if len(cycle) == 2)


def _moves(game: CoupledGame, dead_band: object) -> dict[int, int]:
    """The move, -1, 0 or 1, that each whole split calls for; exact up to the roots' 60 digits."""
    budget = game.allocation.budget
    if budget.denominator != 1 or budget < 2:
        raise InputError(f"budget: must be a whole number of at least 2 GPUs, got {budget}")
    band = at_least(dead_band, "dead_band", 0)
    moves = {}
    for prefill in range(1, int(budget)):
        error: Extended = target(game, Fraction(prefill)) - prefill
        moves[prefill] = (error > band) - (error < -band)
    return moves


def _check_delay(delay: int) -> None:
    if isinstance(delay, bool) or not isinstance(delay, int) or delay < 0:
        raise InputError(f"delay: must be a whole number of at least 0, got {delay!r}")
