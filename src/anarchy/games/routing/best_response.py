"""How play unfolds in a congestion game: best responses, and requests that choose once in turn.

*Best-response dynamics.* Players move in a fixed order, each to its cheapest strategy if that is
strictly cheaper than its own. With offsets alone every move lowers Rosenthal's potential, so the
moves end in a pure equilibrium; credits between players can make them go round for ever.

*One-pass greedy.* Players arrive in order, meet only those before them and choose once: the
strategy of least perceived cost ("selfish"), or the one that raises the social cost least
("least-increase"). Ties decide much, so the least and the greatest outcome over all ways to break
them are found, by search over the loads that can arise (Caragiannis et al. 2011 bound the ratio).

What restarts find are equilibria of the game, but there may be better and worse ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from anarchy.common.errors import InputError
from anarchy.games.common.rational import Extended
from anarchy.games.routing.congestion import CongestionGame
from anarchy.games.routing.load_state import LoadState

MAX_STEPS = 10**6
"""Most moves of one run of best responses."""

MAX_TIE_STATES = 2**16
"""Most states (loads, or profiles with credits) that the search over ties keeps."""

RESTARTS = 10
"""Random starts of the best responses that stand behind bounds."""

Profile = tuple[int, ...]
Rule = Literal["selfish", "least-increase"]
Outcome = Literal["converged", "cycle", "stopped"]


@dataclass(frozen=True)
class Run:
    """One run of best responses.

    profile      where it ended
    steps        moves made
    outcome      "converged": nobody wants to move; "cycle": a profile came back, so the moves
                 never end; "stopped": the cap on moves was reached
    social_cost  of the last profile
    """

    profile: Profile
    steps: int
    outcome: Outcome
    social_cost: Extended


@dataclass(frozen=True)
class Restarts:
    """Equilibria found from several starts; costs are None if no run converged.

    runs             number of runs
    converged        how many of them ended in an equilibrium
    best, worst      least and greatest social cost of the equilibria found
    best_profile     an equilibrium of each of these costs, None if no run converged
    """

    runs: int
    converged: int
    best: Extended | None
    worst: Extended | None
    best_profile: Profile | None
    worst_profile: Profile | None


@dataclass(frozen=True)
class Greedy:
    """Least and greatest social cost of one pass over all ways to break ties, each attained."""

    best: Extended
    worst: Extended
    best_profile: Profile
    worst_profile: Profile


def best_responses(
    game: CongestionGame,
    start: Sequence[int],
    order: Sequence[int] | None = None,
    max_steps: int = MAX_STEPS,
) -> Run:
    """Let players move to their cheapest strategy, pass after pass, until nobody wants to.

    start      one strategy number per player
    order      the players in the order in which they move in each pass; every player once, by
               default in the order of the game
    max_steps  most moves

    A player moves only if it gains, to the first of its cheapest strategies, so a pass depends on
    the profile before it alone: a profile that comes back after a pass proves a cycle. Raises
    `InputError` for a start or an order that is none.
    """
    current = LoadState(game)
    sequence = _order(order, current.players)
    if len(start) != current.players or any(
        not 0 <= s < len(strategies) for s, strategies in zip(start, game.players, strict=False)
    ):
        raise InputError(f"start: needs {current.players} strategy numbers, one per player")
    return _run(current, start, sequence, max_steps)


def _run(current: LoadState, start: Sequence[int], order: Sequence[int], max_steps: int) -> Run:
    """`best_responses` from a load state that is reset first."""
    current.reset(range(current.players), start)
    profile, steps = list(start), 0
    seen: set[Profile] = set()
    outcome: Outcome | None = None
    while outcome is None:
        seen.add(tuple(profile))
        moves, capped = _pass(current, profile, order, max_steps - steps)
        steps += moves
        if capped:
            outcome = "stopped"
        elif not moves:
            outcome = "converged"
        elif tuple(profile) in seen:
            outcome = "cycle"
    return Run(tuple(profile), steps, outcome, current.value(current.social()))


def _pass(
    current: LoadState, profile: list[int], order: Sequence[int], most: int
) -> tuple[int, bool]:
    """Let every player move once; the number of moves, and whether one more than `most` is due."""
    moves = 0
    for player in order:
        current.remove(player)
        cheapest = current.cheapest(player)
        wants = profile[player] not in cheapest
        if wants and moves < most:
            profile[player] = cheapest[0]
            moves += 1
            wants = False
        current.add(player, profile[player])
        if wants:
            return moves, True
    return moves, False


def restarts(
    game: CongestionGame,
    seed: int,
    count: int = RESTARTS,
    starts: Sequence[Sequence[int]] = (),
    max_steps: int = MAX_STEPS,
) -> Restarts:
    """Best responses from `count` random profiles, each with a random order of the players.

    Every start has a random stream of its own, spawned from `seed`: the first runs of a longer
    series are those of a shorter one. `starts` are profiles to begin with besides, moved in the
    order of the game.
    """
    current = LoadState(game)
    runs = [_run(current, start, range(current.players), max_steps) for start in starts]
    for stream in np.random.SeedSequence(seed).spawn(count):
        random = np.random.default_rng(stream)
        start = [int(random.integers(len(strategies))) for strategies in game.players]
        order = [int(player) for player in random.permutation(current.players)]
        runs.append(_run(current, start, order, max_steps))
    stable = [run for run in runs if run.outcome == "converged"]
    if not stable:
        return Restarts(len(runs), 0, None, None, None, None)
    best = min(stable, key=lambda run: run.social_cost)
    worst = max(stable, key=lambda run: run.social_cost)
    return Restarts(
        len(runs),
        len(stable),
        best.social_cost,
        worst.social_cost,
        best.profile,
        worst.profile,
    )


@dataclass(frozen=True)
class _Reached:
    """The cheapest and the dearest way to one state, by the offsets that were paid."""

    least: int
    least_profile: Profile
    greatest: int
    greatest_profile: Profile

    def joined(self, other: "_Reached") -> "_Reached":
        low = min(self, other, key=lambda way: way.least)
        high = max(self, other, key=lambda way: way.greatest)
        return _Reached(low.least, low.least_profile, high.greatest, high.greatest_profile)


def one_pass(game: CongestionGame, rule: Rule, order: Sequence[int] | None = None) -> Greedy:
    """The best and the worst that players who choose once, in turn, can end with.

    Exact over all ways to break ties. What is still to come depends on the loads so far, or with
    credits on the profile so far. Raises `InputError` when more than `MAX_TIE_STATES` states arise.
    """
    current = LoadState(game)
    sequence = _order(order, current.players)
    states: dict[Profile, _Reached] = {(): _Reached(0, (), 0, ())}
    searched = 0
    for player in sequence:
        following: dict[Profile, _Reached] = {}
        for reached in states.values():
            current.reset(sequence, reached.least_profile)
            choices = (
                current.cheapest(player) if rule == "selfish" else current.least_increases(player)
            )
            for strategy in choices:
                offset = current.strategies[player][strategy][1]
                current.add(player, strategy)
                way = _Reached(
                    reached.least + offset,
                    (*reached.least_profile, strategy),
                    reached.greatest + offset,
                    (*reached.greatest_profile, strategy),
                )
                state = tuple(current.loads) if game.colocation is None else way.least_profile
                following[state] = following[state].joined(way) if state in following else way
                current.remove(player)
        states = following
        searched += len(states)
        if searched > MAX_TIE_STATES:
            raise InputError(
                f"players: ties of {current.players} players lead to too many states; allowed: "
                f"{MAX_TIE_STATES}"
            )
    ends: list[tuple[int, Profile]] = []
    for reached in states.values():
        for profile in (reached.least_profile, reached.greatest_profile):
            current.reset(sequence, profile)
            ends.append((current.social(), tuple(s for s in current.profile if s is not None)))
    best, worst = min(ends), max(ends, key=lambda end: end[0])
    return Greedy(current.value(best[0]), current.value(worst[0]), best[1], worst[1])


def _order(order: Sequence[int] | None, players: int) -> list[int]:
    """The order of the players, checked."""
    sequence = list(range(players)) if order is None else list(order)
    if sorted(sequence) != list(range(players)):
        raise InputError(f"order: needs every player from 0 to {players - 1} once")
    return sequence
