"""Exhaustive solution of a finite game from the cost of every player in every profile.

Profiles are numbered in lexicographic order, the last player's strategy changing fastest. Costs
are integers over one common denominator: int64 arrays when every sum that occurs fits, arrays of
Python integers when not, so the result is exact either way.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.games.common.equilibrium_report import EquilibriumReport
from anarchy.games.common.rational import Extended, ratio

MAX_PROFILES = 2**18
"""Largest number of profiles that is enumerated."""

MAX_ENTRIES = 2**23
"""Largest number of costs (players times profiles) that is held in memory."""

MAX_PLAYERS = 2**12
"""Most players whose profiles are enumerated; nearly all of them then have one choice."""

_SHOWN_DIGITS = 15
"""Numbers of profiles with more digits are named by their order of magnitude."""

METHOD = "exhaustive enumeration in exact arithmetic"

Integers = NDArray[Any]


@dataclass(frozen=True)
class Scale:
    """Integers in place of rationals: `value * denominator`, with one integer for infinity.

    `infinite` exceeds the sum of all finite costs in absolute value, so it survives comparison;
    `dtype` is wide enough for the sums and second differences that the solver forms.
    """

    denominator: int
    infinite: int
    dtype: type

    @classmethod
    def of(cls, values: Sequence[Fraction], players: int, terms: int | None = None) -> "Scale":
        """A scale for costs of a player that are sums of `values`, each used at most once.

        `terms` is the most values in such a sum where it is known.
        """
        denominator = math.lcm(*(v.denominator for v in values))
        sizes = sorted(abs(v.numerator) * (denominator // v.denominator) for v in values)
        infinite = sum(sizes[-terms:] if terms else sizes) * players + 1
        # Social costs add `players` entries, second differences of a difference add eight.
        fits = infinite * max(players, 8) < 2**62
        return cls(denominator, infinite, np.int64 if fits else object)

    def integer(self, value: Extended) -> int:
        """The integer for a value, `infinite` for infinity."""
        if value == math.inf:
            return self.infinite
        exact = Fraction(value)
        return exact.numerator * (self.denominator // exact.denominator)

    def value(self, integer: int) -> Extended:
        """The value behind an integer."""
        if integer >= self.infinite:
            return math.inf
        return Fraction(integer, self.denominator)


@dataclass(frozen=True)
class ProfileSpace:
    """All combinations of one strategy per player."""

    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.counts:
            raise InputError("players: at least one is needed")
        players = len(self.counts)
        if _digits(self.counts) > _SHOWN_DIGITS or self.size > MAX_PROFILES:
            raise InputError(
                f"players: {players} players have {number_of_profiles(self.counts)} profiles, too "
                f"many to enumerate; allowed: {MAX_PROFILES} profiles"
            )
        if players > MAX_PLAYERS or self.size * players > MAX_ENTRIES:
            raise InputError(
                f"players: {players} are too many to enumerate with {self.size} profiles; "
                f"allowed: {MAX_PLAYERS} players and {MAX_ENTRIES} player-profile pairs"
            )

    @property
    def size(self) -> int:
        """Number of profiles."""
        return math.prod(self.counts)

    def strategies(self, player: int) -> NDArray[np.intp]:
        """Strategy of `player` in every profile, shape (size,)."""
        count, stride = self.counts[player], math.prod(self.counts[player + 1 :])
        return np.tile(np.repeat(np.arange(count), stride), self.size // (count * stride))

    def profile(self, index: int) -> tuple[int, ...]:
        """Strategy of every player in profile number `index`."""
        # NumPy unravels an index in at most 64 dimensions, and players with one choice are many.
        chosen = []
        for count in reversed(self.counts):
            index, strategy = divmod(index, count)
            chosen.append(strategy)
        return tuple(reversed(chosen))


def _digits(counts: Sequence[int]) -> float:
    """Logarithm to base 10 of the number of profiles, which may be too long to multiply out."""
    return math.fsum(math.log10(count) for count in counts)


def number_of_profiles(counts: Sequence[int]) -> str:
    """The number of profiles in words: exact, or its order of magnitude when it is long."""
    digits = _digits(counts)
    return str(math.prod(counts)) if digits <= _SHOWN_DIGITS else f"about 10^{digits:.0f}"


def is_enumerable(counts: Sequence[int]) -> bool:
    """Whether players with so many strategies each are few enough for `ProfileSpace`."""
    if len(counts) > MAX_PLAYERS or _digits(counts) > _SHOWN_DIGITS:
        return False
    size = math.prod(counts)
    return size <= MAX_PROFILES and size * len(counts) <= MAX_ENTRIES


@dataclass(frozen=True)
class CostTable:
    """A finite game as the scaled costs of everybody in every profile, arrays of shape (size,).

    perceived  one array per player: the costs by which it chooses
    social     what the profile costs the system, not always the sum of those
    """

    space: ProfileSpace
    scale: Scale
    perceived: Sequence[Integers]
    social: Integers


def solve_by_enumeration(
    table: CostTable,
    name: Callable[[tuple[int, ...]], tuple[Any, ...]],
    with_potential: bool,
) -> EquilibriumReport:
    """Equilibria, optimum and their ratios.

    `name` turns strategy numbers into what the report shows; `with_potential` says whether to look
    for an exact potential as well.
    """
    space, scale, social = table.space, table.scale, table.social
    stable = np.flatnonzero(equilibrium_mask(space, table.perceived))
    best_index = int(np.argmin(social))
    optimum = scale.value(int(social[best_index]))
    best: Extended | None = None
    worst: Extended | None = None
    if stable.size:
        best = scale.value(int(social[stable].min()))
        worst = scale.value(int(social[stable].max()))
    price_of_anarchy, reason = ratio(worst, optimum)
    price_of_stability, _ = ratio(best, optimum)
    potential = has_exact_potential(space, scale, table.perceived) if with_potential else None
    return EquilibriumReport(
        equilibria=int(stable.size),
        profiles=tuple(name(space.profile(int(index))) for index in stable),
        optimum=optimum,
        optimum_profile=name(space.profile(best_index)),
        best_equilibrium=best,
        worst_equilibrium=worst,
        price_of_anarchy=price_of_anarchy,
        price_of_stability=price_of_stability,
        reason=reason,
        exact_potential=potential,
        exact=True,
        method=METHOD,
    )


def equilibrium_mask(space: ProfileSpace, perceived: Sequence[Integers]) -> NDArray[np.bool_]:
    """Which profiles leave no player a cheaper strategy; shape (size,)."""
    stable = np.ones(space.size, dtype=bool)
    for player, count in enumerate(space.counts):
        after = math.prod(space.counts[player + 1 :])
        costs = perceived[player].reshape(-1, count, after)
        stable &= (costs <= costs.min(axis=1, keepdims=True)).reshape(-1)
    return stable


def has_exact_potential(space: ProfileSpace, scale: Scale, perceived: Sequence[Integers]) -> bool:
    """Whether every four-cycle of unilateral changes sums to zero (Monderer and Shapley 1996).

    On the cycle in which players i and j change in turn, i's two changes and j's two changes
    cancel exactly when the second difference of c_i - c_j over the cycle is zero. Cycles through
    an infinite cost are passed over: there the sum has no value.
    """
    movers = [player for player, count in enumerate(space.counts) if count > 1]
    for first, second in combinations(movers, 2):
        finite = (perceived[first] < scale.infinite) & (perceived[second] < scale.infinite)
        difference = perceived[first] - perceived[second]
        for one, other, valid in _row_pairs(space.counts, first, second, difference, finite):
            # All second differences over a pair of rows vanish when the step is constant.
            step = other - one
            lowest = np.where(valid, step, 4 * scale.infinite).min(axis=-1)
            highest = np.where(valid, step, -4 * scale.infinite).max(axis=-1)
            if bool((highest > lowest).any()):
                return False
    return True


def _row_pairs(
    counts: tuple[int, ...],
    first: int,
    second: int,
    difference: Integers,
    finite: NDArray[np.bool_],
) -> Iterator[tuple[Integers, Integers, NDArray[np.bool_]]]:
    """Every pair of strategies of one player, laid against all strategies of the other.

    Yields two arrays of costs and one of validity, each with the other player's strategies on
    the last axis. The player with fewer strategies gives the pairs.
    """
    shape = (
        math.prod(counts[:first]),
        counts[first],
        math.prod(counts[first + 1 : second]),
        counts[second],
        math.prod(counts[second + 1 :]),
    )
    rows, columns = (1, 3) if counts[first] <= counts[second] else (3, 1)
    costs = np.moveaxis(difference.reshape(shape), (rows, columns), (0, -1))
    usable = np.moveaxis(finite.reshape(shape), (rows, columns), (0, -1))
    for one, other in combinations(range(costs.shape[0]), 2):
        yield costs[one], costs[other], usable[one] & usable[other]
