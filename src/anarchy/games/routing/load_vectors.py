"""Sums over load vectors of parallel workers: how many profiles, and at which social costs.

Workers are folded together one by one. After each, what matters is how many players they hold, in
how many ways the players can be chosen, and what they cost at least and at most.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anarchy.games.common.enumeration import Integers, Scale
from anarchy.games.common.rational import Extended

# Where finite sums lie between -1 and 1 times `Scale.infinite`, an overloaded sum lies above 2
# and a total that cannot be reached below -2 in the search for the greatest cost.
OVERLOAD, _UNREACHED = 3, -7


@dataclass(frozen=True)
class Parallel:
    """The game in scaled integers; rows are workers, columns loads 0, 1, ..., players.

    social   cost of all players of a worker, `OVERLOAD * infinite` where it is overloaded
    enter    rank of a_j among the sorted costs, which load 0 puts at the bottom
    leave    rank of b_j, which load n puts at the top: nobody is left to join
    levels   number of different costs
    """

    scale: Scale
    social: Integers
    enter: NDArray[np.intp]
    leave: NDArray[np.intp]
    levels: int

    @classmethod
    def of(
        cls,
        latency: Sequence[Sequence[Extended]],
        offset: Sequence[Fraction],
        perceived_offset: Sequence[Fraction],
    ) -> "Parallel":
        players = len(latency[0])
        terms = [Fraction(v) for row in latency for v in row if v != math.inf]
        scale = Scale.of([*terms, *offset, *perceived_offset], players)
        # Sums of a few infinities must fit as well.
        dtype = scale.dtype if scale.infinite < 2**59 else object
        social: Integers = np.zeros((len(latency), players + 1), dtype=dtype)
        choosing = []
        for worker, row in enumerate(latency):
            seen, real = scale.integer(perceived_offset[worker]), scale.integer(offset[worker])
            costs = [scale.infinite if v == math.inf else scale.integer(v) for v in row]
            choosing.append([c if c == scale.infinite else c + seen for c in costs])
            social[worker, 1:] = [
                OVERLOAD * scale.infinite if c == scale.infinite else load * (c + real)
                for load, c in enumerate(costs, start=1)
            ]
        order = {cost: rank for rank, cost in enumerate(sorted({c for r in choosing for c in r}))}
        ranks = [[order[cost] for cost in row] for row in choosing]
        return cls(
            scale,
            social,
            np.array([[0, *row] for row in ranks]),
            np.array([[*row, len(order) - 1] for row in ranks]),
            len(order),
        )

    @property
    def workers(self) -> int:
        """Number of workers."""
        return len(self.social)

    @property
    def players(self) -> int:
        """Number of players."""
        return int(self.social.shape[1]) - 1

    @property
    def infinite(self) -> int:
        """The integer for infinity."""
        return self.scale.infinite

    @cached_property
    def binomials(self) -> dict[int, Integers]:
        """binomials[x][k] = (k + x choose x), filled by `choose`."""
        return {}

    def choose(self, load: int) -> Integers:
        """Ways to place `load` more players beside k = 0, 1, ..., n - load earlier ones."""
        if load not in self.binomials:
            ways = [1]
            for others in range(1, self.players - load + 1):
                ways.append(ways[-1] * (others + load) // others)
            self.binomials[load] = np.array(ways, dtype=object)
        return self.binomials[load]


@dataclass(frozen=True)
class Found:
    """Equilibria: how many profiles, and their least and greatest social cost."""

    profiles: int
    least: int
    greatest: int

    def joined(self, other: "Found") -> "Found":
        return Found(
            self.profiles + other.profiles,
            min(self.least, other.least),
            max(self.greatest, other.greatest),
        )


@dataclass(frozen=True)
class Sums:
    """Workers folded together, by the number of players 0, 1, ..., n that are on them."""

    ways: Integers
    least: Integers
    greatest: Integers

    def with_worker(self, game: Parallel, worker: int, loads: NDArray[np.intp]) -> "Sums":
        """Fold in one more worker that has one of the given loads."""
        size = game.players + 1
        ways: Integers = np.zeros(size, dtype=object)
        least: Integers = np.full(size, OVERLOAD * game.infinite, dtype=self.least.dtype)
        greatest: Integers = np.full(size, _UNREACHED * game.infinite, dtype=self.least.dtype)
        for load in map(int, loads):
            cost, before = game.social[worker, load], slice(size - load)
            ways[load:] += self.ways[before] * game.choose(load)
            np.minimum(least[load:], self.least[before] + cost, out=least[load:])
            np.maximum(greatest[load:], self.greatest[before] + cost, out=greatest[load:])
        greatest = np.minimum(greatest, OVERLOAD * game.infinite)
        greatest[greatest < -2 * game.infinite] = _UNREACHED * game.infinite
        return Sums(ways, least, greatest)

    def all_players(self, game: Parallel, worker: int, loads: NDArray[np.intp]) -> Found:
        """Fold in the last worker, where only the total of all players matters."""
        found = Found(0, game.infinite, -game.infinite)
        for load in map(int, loads):
            rest = game.players - load
            if self.ways[rest]:
                cost = game.social[worker, load]
                found = found.joined(
                    Found(
                        int(self.ways[rest] * game.choose(load)[rest]),
                        min(int(self.least[rest] + cost), game.infinite),
                        min(int(self.greatest[rest] + cost), game.infinite),
                    )
                )
        return found


def nobody(game: Parallel) -> Sums:
    """No worker folded in: nobody is placed, at no cost."""
    ways: Integers = np.zeros(game.players + 1, dtype=object)
    least: Integers = np.full_like(game.social[0], OVERLOAD * game.infinite)
    greatest: Integers = np.full_like(game.social[0], _UNREACHED * game.infinite)
    ways[0], least[0], greatest[0] = 1, 0, 0
    return Sums(ways, least, greatest)
