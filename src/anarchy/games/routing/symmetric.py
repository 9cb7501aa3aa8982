"""Identical players on parallel workers, solved exactly by load vectors instead of profiles.

When all players have the same strategies and each uses one worker of its own, costs depend only on
how many players are on each worker. With p_j(x) the cost by which a player on worker j chooses at
load x, and n players, a load vector is a (weak) equilibrium exactly if

    p_j(x_j) <= p_k(x_k + 1)   for every worker j in use and every other worker k.

Write a_j = p_j(x_j), or minus infinity if j is not in use, and b_k = p_k(x_k + 1). Two kinds of
load vectors pass:

*Levels.*  max a <= min b. Some cost v then lies between all a and all b, and whether it does is
decided worker by worker: worker j allows load x at level v if a_j <= v <= b_j. The levels v that
fit one load vector are neighbours in the sorted list of costs, so there is one more of them than
there are pairs of neighbouring levels that fit. Counting with sign +1 at each level and -1 between
two levels therefore counts each load vector once. Load x is allowed over an interval of levels,
so blocks of levels are halved, a worker is folded in as soon as its allowed loads are the same
over the whole block, and a block that cannot reach n players is dropped.

*Drops.*  a_j > b_j for a worker j: its cost falls with one more player, whom nobody offers. The
others must have a_k <= b_j and b_k >= a_j, so they are in no drop themselves: j is unique, and the
others are again independent. Only latencies that decrease somewhere have such vectors.

A load vector stands for n!/(x_1! ... x_m!) profiles. Infinite costs follow enumeration: infinity
is no better than infinity, and one overloaded player makes the social cost infinite.

The game has an exact potential (Rosenthal 1973): Phi = sum_j (p_j(1) + ... + p_j(x_j)) changes by
p_k(x_k + 1) - p_j(x_j) when a player goes from j to k, which is the change of its own cost. An
infinite p may be replaced by any number here, because cycles through infinite costs do not count.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from anarchy.games.common.enumeration import Integers
from anarchy.games.common.equilibrium_report import MAX_LISTED, EquilibriumReport
from anarchy.games.common.rational import Extended, ratio
from anarchy.games.routing.load_vectors import OVERLOAD, Found, Parallel, Sums, nobody

MAX_PLAYERS = 1000
"""Most players: their binomial coefficients are kept, and the counts have hundreds of digits."""

MAX_LOADS = 2**14
"""Most players times workers."""

MAX_WORK = 2**30
"""Most workers squared times players cubed when some latency decreases: about ten seconds."""

METHOD = "counting of load vectors in exact arithmetic"

Loads = tuple[int, ...]
Allowed = list[NDArray[np.intp]]


def is_countable(latency: Sequence[Sequence[Extended]]) -> bool:
    """Whether `solve` takes these latencies, shape (workers, players)."""
    workers, players = len(latency), len(latency[0])
    if players > MAX_PLAYERS or players * workers > MAX_LOADS:
        return False
    rises = all(low <= high for row in latency for low, high in pairwise(row))
    return rises or workers**2 * players**3 <= MAX_WORK


def solve(
    latency: Sequence[Sequence[Extended]],
    offset: Sequence[Fraction],
    perceived_offset: Sequence[Fraction],
) -> EquilibriumReport:
    """Number of equilibria, best and worst of them, and the optimum.

    latency           cost per player by worker and load 1, 2, ...; shape (workers, players)
    offset            load-independent social cost of a player on each worker, shape (workers,)
    perceived_offset  the same as players see it

    Profiles hold one worker number per player; they are listed up to `MAX_LISTED` equilibria.
    `is_countable` says which sizes are meant to be solved.
    """
    game = Parallel.of(latency, offset, perceived_offset)
    found = Found(0, game.infinite, -game.infinite)
    for part in chain(_by_levels(game, _Block.whole(game), nobody(game)), _by_drops(game)):
        found = found.joined(part)
    best = game.scale.value(found.least) if found.profiles else None
    worst = game.scale.value(found.greatest) if found.profiles else None
    optimum, loads = _optimum(game)
    price_of_anarchy, reason = ratio(worst, optimum)
    price_of_stability, _ = ratio(best, optimum)
    return EquilibriumReport(
        equilibria=found.profiles,
        profiles=_listed(game) if found.profiles <= MAX_LISTED else None,
        optimum=optimum,
        optimum_profile=next(_arrangements(loads)),
        best_equilibrium=best,
        worst_equilibrium=worst,
        price_of_anarchy=price_of_anarchy,
        price_of_stability=price_of_stability,
        reason=reason,
        exact_potential=True,
        exact=True,
        method=METHOD,
    )


def _reaches(game: Parallel, allowed: Sequence[NDArray[np.intp]], placed: int = 0) -> bool:
    """Whether loads in ascending order can add up to all players, judged by their extremes."""
    if not all(loads.size for loads in allowed):
        return False
    least, most = sum(int(x[0]) for x in allowed), sum(int(x[-1]) for x in allowed)
    return least <= game.players - placed <= most


@dataclass(frozen=True)
class _Block:
    """Neighbouring levels lo, ..., hi: even numbers are levels, odd ones lie between two.

    somewhere   the loads that each worker allowed at some of these levels
    constant    the workers that allow the same loads at all of them
    """

    lo: int
    hi: int
    somewhere: Allowed
    constant: frozenset[int]

    @classmethod
    def of(cls, game: Parallel, lo: int, hi: int, allowed: Allowed) -> "_Block":
        """A block whose loads are among `allowed`."""
        somewhere, constant = [], []
        for worker, loads in enumerate(allowed):
            enter, leave = 2 * game.enter[worker, loads], 2 * game.leave[worker, loads]
            touched = (enter <= hi) & (leave >= lo)
            somewhere.append(loads[touched])
            if bool(((enter <= lo) & (leave >= hi))[touched].all()):
                constant.append(worker)
        return cls(lo, hi, somewhere, frozenset(constant))

    @classmethod
    def whole(cls, game: Parallel) -> "_Block":
        """All levels."""
        every = [np.arange(game.players + 1)] * game.workers
        return cls.of(game, 0, 2 * (game.levels - 1), every)

    @property
    def sign(self) -> int:
        """Sum of +1 for every level and -1 for every step between two."""
        return len(range(self.lo, self.hi + 1)) % 2 * (-1 if self.lo % 2 else 1)

    def halves(self, game: Parallel) -> Iterator["_Block"]:
        """The lower and the upper half, if they can hold all players."""
        middle = (self.lo + self.hi) // 2
        for lo, hi in ((self.lo, middle), (middle + 1, self.hi)):
            half = _Block.of(game, lo, hi, self.somewhere)
            if _reaches(game, half.somewhere):
                yield half


def _by_levels(
    game: Parallel, block: _Block, sums: Sums, folded: frozenset[int] = frozenset()
) -> Iterator[Found]:
    """Load vectors with max a <= min b, counted with signs."""
    pending = sorted(block.constant - folded)
    last = pending.pop() if len(block.constant) == game.workers else None
    for worker in pending:
        sums = sums.with_worker(game, worker, block.somewhere[worker])
    if last is None:
        for half in block.halves(game):
            yield from _by_levels(game, half, sums, block.constant)
    else:
        found = sums.all_players(game, last, block.somewhere[last])
        yield Found(block.sign * found.profiles, found.least, found.greatest)


def _drops(game: Parallel) -> Iterator[tuple[int, int, Allowed]]:
    """Each worker and load of a drop, with the loads that the other workers may have."""
    for worker, load in np.argwhere(game.enter > game.leave).tolist():
        high, low = game.enter[worker, load], game.leave[worker, load]
        fits = (game.enter <= low) & (game.leave >= high)
        allowed = [np.flatnonzero(row) for k, row in enumerate(fits) if k != worker]
        if _reaches(game, allowed, load):
            yield worker, load, allowed


def _by_drops(game: Parallel) -> Iterator[Found]:
    """Load vectors in which one worker would become cheaper with one more player."""
    for worker, load, allowed in _drops(game):
        others = [k for k in range(game.workers) if k != worker]
        sums = nobody(game).with_worker(game, worker, np.array([load]))
        for other, loads in zip(others[:-1], allowed[:-1], strict=True):
            sums = sums.with_worker(game, other, loads)
        yield sums.all_players(game, others[-1], allowed[-1])


def _listed(game: Parallel) -> tuple[Loads, ...]:
    """All equilibria in lexicographic order, for games that have few."""
    vectors: set[Loads] = set()
    blocks = [_Block.whole(game)]
    while blocks:
        block = blocks.pop()
        if len(block.constant) == game.workers:
            vectors.update(_vectors([x.tolist() for x in block.somewhere], game.players))
        else:
            blocks.extend(block.halves(game))
    for worker, load, allowed in _drops(game):
        for others in _vectors([x.tolist() for x in allowed], game.players - load):
            vectors.add((*others[:worker], load, *others[worker:]))
    return tuple(sorted(profile for loads in vectors for profile in _arrangements(loads)))


def _vectors(allowed: Sequence[Sequence[int]], players: int) -> Iterator[Loads]:
    """Every choice of one load per worker that adds up to the players."""
    reachable = [{0}]
    for loads in reversed(allowed):
        reachable.append({r + x for r in reachable[-1] for x in loads if r + x <= players})
    reachable.reverse()

    def extend(chosen: Loads, left: int) -> Iterator[Loads]:
        if len(chosen) == len(allowed):
            yield chosen
            return
        for load in allowed[len(chosen)]:
            if left - load in reachable[len(chosen) + 1]:
                yield from extend((*chosen, load), left - load)

    if players in reachable[0]:
        yield from extend((), players)


def _arrangements(loads: Loads) -> Iterator[Loads]:
    """Every profile with these loads, in lexicographic order."""
    profile = [worker for worker, load in enumerate(loads) for _ in range(load)]
    while True:
        yield tuple(profile)
        # The next arrangement: raise the last entry that a later one exceeds, sort what follows.
        pivot = len(profile) - 2
        while pivot >= 0 and profile[pivot] >= profile[pivot + 1]:
            pivot -= 1
        if pivot < 0:
            return
        larger = max(k for k in range(pivot + 1, len(profile)) if profile[k] > profile[pivot])
        profile[pivot], profile[larger] = profile[larger], profile[pivot]
        profile[pivot + 1 :] = reversed(profile[pivot + 1 :])


def _optimum(game: Parallel) -> tuple[Extended, Loads]:
    """Least social cost, and the loads of the first profile in lexicographic order that has it."""
    players, ceiling = game.players, OVERLOAD * game.infinite
    rest: Integers = np.full_like(game.social[0], ceiling)
    rest[0] = 0
    tails = [rest]
    for costs in game.social[::-1]:
        before = tails[-1]
        sums = [min((costs[: n + 1] + before[n::-1]).min(), ceiling) for n in range(players + 1)]
        tails.append(np.array(sums, dtype=rest.dtype))
    tails.reverse()
    if tails[0][players] >= game.infinite:
        return math.inf, (players, *[0] * (game.workers - 1))
    loads: list[int] = []
    left = players
    for costs, whole, tail in zip(game.social, tails, tails[1:], strict=False):
        # The first profile in order has as many players as possible on the first worker.
        equal = np.flatnonzero(costs[: left + 1] + tail[left::-1] == whole[left])
        loads.append(int(equal[-1]))
        left -= loads[-1]
    return game.scale.value(int(tails[0][players])), tuple(loads)
