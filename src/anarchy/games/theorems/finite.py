"""Small finite games written out profile by profile: what the checks of routing are solved with.

Nothing here knows a theorem or shares code with the solver of congestion games: costs come from
the definition of the game, one profile at a time.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from anarchy.games.common.rational import rational
from anarchy.games.routing.congestion import CongestionGame, Strategy

Profile = tuple[int, ...]
Mixed = list[NDArray[np.float64]]

DAMPING = 0.1
"""Share of the new choice in each step towards a softmax profile."""

MAX_STEPS = 20_000
"""Steps after which the search for a softmax profile gives up."""

RESIDUAL = 1e-14
"""Largest change of a probability in a step that counts as none."""


@dataclass(frozen=True)
class FiniteGame:
    """Costs in every profile; `counts` holds the number of strategies of each player.

    perceived[profile]  what each player minimises
    social[profile]     what the system pays
    """

    counts: tuple[int, ...]
    perceived: dict[Profile, tuple[Fraction, ...]]
    social: dict[Profile, Fraction]

    @classmethod
    def of(
        cls, counts: Sequence[int], perceived: Callable[[Profile], Sequence[Fraction]]
    ) -> "FiniteGame":
        """The game in which players perceive what they cost."""
        costs = {s: tuple(perceived(s)) for s in product(*map(range, counts))}
        return cls(tuple(counts), costs, {s: sum(c, Fraction(0)) for s, c in costs.items()})

    @classmethod
    def of_congestion(cls, game: CongestionGame) -> "FiniteGame":
        """A congestion game with finite latencies, from its definition."""
        counts = tuple(len(strategies) for strategies in game.players)
        perceived, social = {}, {}
        for profile in product(*map(range, counts)):
            chosen = [game.players[i][s] for i, s in enumerate(profile)]
            loads = [
                _latency(game, chosen, i) - _credit(game, chosen, i) for i in range(len(counts))
            ]
            offsets = [strategy.offset for strategy in chosen]
            weighted = [game.perceived_offset_weight * offset for offset in offsets]
            perceived[profile] = tuple(a + b for a, b in zip(loads, weighted, strict=True))
            social[profile] = sum(loads, Fraction(0)) + sum(offsets, Fraction(0))
        return cls(counts, perceived, social)

    @property
    def optimum(self) -> Fraction:
        """Least social cost."""
        return min(self.social.values())

    def pure_equilibria(self) -> list[Profile]:
        """Profiles that leave no player a cheaper strategy, ties included."""
        return [
            s
            for s, costs in self.perceived.items()
            if all(
                costs[i] <= self.perceived[moved(s, i, t)][i]
                for i, count in enumerate(self.counts)
                for t in range(count)
            )
        ]


def _latency(game: CongestionGame, chosen: Sequence[Strategy], player: int) -> Fraction:
    loads = {r: sum(r in c.resources for c in chosen) for r in chosen[player].resources}
    terms = [rational(game.latency[r](load), "latency") for r, load in loads.items()]
    return sum(terms, Fraction(0))


def _credit(game: CongestionGame, chosen: Sequence[Strategy], player: int) -> Fraction:
    if game.colocation is None:
        return Fraction(0)
    credits = [
        game.colocation.credit[player][k]
        for k, other in enumerate(chosen)
        if k != player and other.resources == chosen[player].resources
    ]
    best = max(credits, default=Fraction(0))
    total = best if game.colocation.combine == "max" else sum(credits, Fraction(0))
    return game.colocation.weight * total


def moved(profile: Profile, player: int, strategy: int) -> Profile:
    """The profile after one player has changed its strategy."""
    return (*profile[:player], strategy, *profile[player + 1 :])


def largest_defect(game: FiniteGame, weights: Sequence[Fraction] | None = None) -> Fraction:
    """Largest sum of cost changes around a four-cycle of two players who change in turn.

    Zero exactly if the game has an exact potential (Monderer and Shapley 1996), or a potential of
    the costs multiplied by `weights`, one factor per player.
    """
    weight = weights or [Fraction(1)] * len(game.counts)
    worst = Fraction(0)
    for i, k in combinations(range(len(game.counts)), 2):
        for s in game.perceived:
            for t_i, t_k in product(range(s[i]), range(s[k])):
                corners = (s, moved(s, i, t_i), moved(moved(s, i, t_i), k, t_k), moved(s, k, t_k))
                # Of both players' changes around the cycle only this difference remains.
                a, b, c, d = (
                    weight[i] * game.perceived[p][i] - weight[k] * game.perceived[p][k]
                    for p in corners
                )
                worst = max(worst, abs(a - b + c - d))
    return worst


def worst_coarse_correlated(game: FiniteGame, regret: float = 0.0) -> float:
    """Largest expected social cost of a coarse correlated equilibrium over the optimum.

    No player gains more than `regret` in expectation by a fixed strategy chosen beforehand: a
    linear program over the distributions on profiles.
    """
    # SciPy's optimiser takes long to import and is needed here only.
    from scipy.optimize import linprog

    profiles = list(game.perceived)
    gains = [
        [float(game.perceived[s][i] - game.perceived[moved(s, i, t)][i]) for s in profiles]
        for i, count in enumerate(game.counts)
        for t in range(count)
    ]
    solved = linprog(
        [-float(game.social[s]) for s in profiles],
        A_ub=gains,
        b_ub=[regret] * len(gains),
        A_eq=[[1.0] * len(profiles)],
        b_eq=[1.0],
        method="highs-ds",
    )
    if solved.fun is None:
        raise ArithmeticError(f"no worst coarse correlated equilibrium: {solved.message}")
    return -float(solved.fun) / float(game.optimum)


def softmax(costs: Sequence[float], temperature: float) -> NDArray[np.float64]:
    """Probabilities proportional to exp(-cost/temperature)."""
    values = np.asarray(costs, dtype=np.float64)
    weights = np.exp(-(values - values.min()) / temperature)
    return np.asarray(weights / weights.sum())


def softmax_regret(costs: Sequence[float], temperature: float) -> float:
    """What a softmax choice costs in expectation beyond the cheapest option."""
    return float(softmax(costs, temperature) @ (np.asarray(costs) - min(costs)))


def worst_softmax(game: FiniteGame, temperature: float) -> float:
    """Largest expected social cost over the optimum among the softmax profiles found.

    In a softmax profile every player's probabilities are the softmax of its expected costs against
    the others' independent choices (McKelvey and Palfrey 1995). The search starts at every pure
    profile and at the uniform one. Raises `ArithmeticError` where it does not settle.
    """
    shape = (*game.counts, len(game.counts))
    costs = np.array([[float(c) for c in game.perceived[s]] for s in game.perceived]).reshape(shape)
    social = np.array([float(c) for c in game.social.values()]).reshape(game.counts)
    pure = [[np.eye(n)[s] for n, s in zip(game.counts, p, strict=True)] for p in game.perceived]
    found = []
    for start in [*pure, [np.full(n, 1 / n) for n in game.counts]]:
        mixed = _settle(start, costs, temperature)
        found.append(float(_average(social, mixed)))
    return max(found) / float(game.optimum)


def _settle(start: Mixed, costs: NDArray[np.float64], temperature: float) -> Mixed:
    mixed = start
    change = math.inf
    for _ in range(MAX_STEPS):
        answer = [
            softmax(list(_average(costs[..., i], mixed, without=i)), temperature)
            for i in range(len(mixed))
        ]
        change = max(float(abs(a - p).max()) for a, p in zip(answer, mixed, strict=True))
        if change <= RESIDUAL:
            return answer
        mixed = [(1 - DAMPING) * p + DAMPING * a for a, p in zip(answer, mixed, strict=True)]
    raise ArithmeticError(f"the softmax profile still moves by {change} after {MAX_STEPS} steps")


def _average(
    values: NDArray[np.float64], mixed: Mixed, without: int | None = None
) -> NDArray[np.float64]:
    """Expectation over the players' choices, for each strategy of the player left out."""
    for player in reversed(range(len(mixed))):
        if player != without:
            values = np.tensordot(values, mixed[player], axes=([player], [0]))
    return np.asarray(values)
