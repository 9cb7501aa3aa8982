"""Identical requests on two stages: the worst case over all games, pattern by pattern.

A pattern says which pairs of workers the requests use at an equilibrium and which in the optimum.
For one pattern the worst ratio is a linear program over slopes and hand-offs, and of a given number
of requests there are finitely many patterns, because only these may matter:

* pairs that neither of the two uses are forbidden: that leaves fewer ways to deviate;
* the constants of affine latencies are part of the hand-offs;
* a worker that the equilibrium leaves idle is free: who deviates to it pays its latency at load
  one, which may as well be part of the hand-off, and the optimum pays no less. So there is one
  such worker of each stage, `FREE`.

A bound is proved by multipliers of the equilibrium conditions, checked without a solver.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement, permutations
from typing import NamedTuple

import numpy as np

from anarchy.games.common.exact_program import Row, least
from anarchy.games.common.rational import Extended

Pair = tuple[int, int]
Pairs = tuple[Pair, ...]

FREE = -1
"""A worker without latency that the equilibrium does not use."""

DENOMINATOR = 10**4
"""Largest denominator of a multiplier that is read from a float."""

NEAR = 1e-7
"""How far what the multipliers prove may be from the float optimum."""


class Pattern(NamedTuple):
    """The pairs of workers that the requests use, one entry a request."""

    equilibrium: Pairs
    optimum: Pairs


def patterns(requests: int) -> Iterator[Pattern]:
    """Every pattern of so many requests, but for the names of workers."""
    for equilibrium in _profiles(requests):
        renamings = list(_symmetries(equilibrium))
        workers = [(FREE, *sorted({pair[side] for pair in equilibrium})) for side in (0, 1)]
        pairs = [(p, q) for p in workers[0] for q in workers[1]]
        seen = set()
        for optimum in combinations_with_replacement(pairs, requests):
            named = min(tuple(sorted((a[p], b[q]) for p, q in optimum)) for a, b in renamings)
            if named not in seen:
                seen.add(named)
                yield Pattern(equilibrium, named)


def worst_case(pattern: Pattern) -> Fraction:
    """Worst ratio of the games of a pattern, proved from above; ArithmeticError if that fails.

    The optimum of the pattern need not be that of a game, so that one game may have less.
    """
    rows = program(pattern)
    value, multipliers = _solved(rows)
    found = proved(rows, multipliers)
    if found > value + NEAR:  # the floats are no fractions of small denominators
        return least(rows).point[0]
    return Fraction(found)


def program(pattern: Pattern) -> list[Row]:
    """The rows of the program for rho and a multiplier for each equilibrium condition.

    One row for each slope and each hand-off: rho times what it adds to the cost of the optimum,
    and the multipliers times what it adds to the gain from staying, are at least what it adds to
    the cost of the equilibrium.
    """
    equilibrium, optimum = pattern
    loads = _loads(equilibrium)
    allowed = sorted({*equilibrium, *optimum})
    conditions = []
    for own in sorted(set(equilibrium)):
        for other in allowed:
            if other != own:
                condition = _paid(own, loads)
                condition.subtract(_paid(other, loads, leaving=own))
                conditions.append(condition)
    costs = [Counter[object](), Counter[object]()]
    for cost, profile in zip(costs, (optimum, equilibrium), strict=True):
        for pair in profile:
            cost.update(_paid(pair, _loads(profile)))
    best, worst = costs
    return [
        (tuple(map(Fraction, (best[what], *(c[what] for c in conditions)))), Fraction(worst[what]))
        for what in sorted({*best, *worst}, key=str)
    ]


def proved(rows: Sequence[Row], multipliers: Sequence[Fraction]) -> Extended:
    """The least rho with which non-negative multipliers meet all rows; infinity if none does."""
    bound: Extended = Fraction(0)
    for (on_rho, *conditions), right in rows:
        rest = right - sum(c * m for c, m in zip(conditions, multipliers, strict=True))
        if on_rho > 0:
            bound = max(bound, rest / on_rho)
        elif rest > 0:
            return math.inf
    return bound


def _solved(rows: Sequence[Row]) -> tuple[float, list[Fraction]]:
    """The optimum in floats, and its multipliers as fractions."""
    from scipy.optimize import linprog  # here, so that others start sooner without

    matrix = np.array([[float(v) for v in (*a, c)] for a, c in rows])
    found = linprog(
        [1.0, *[0.0] * (matrix.shape[1] - 2)],
        A_ub=-matrix[:, :-1],
        b_ub=-matrix[:, -1],
        bounds=(0, None),
        method="highs-ds",
    )
    if found.x is None:
        raise ArithmeticError(f"no optimum: {found.message}")
    multipliers = [Fraction(float(v)).limit_denominator(DENOMINATOR) for v in found.x[1:]]
    return float(found.x[0]), multipliers


def _loads(profile: Pairs) -> Counter[object]:
    """Requests on each worker, named by its stage and number."""
    return Counter((side, pair[side]) for pair in profile for side in (0, 1))


def _paid(pair: Pair, loads: Counter[object], leaving: Pair | None = None) -> Counter[object]:
    """What a request on a pair pays per unit of each slope and hand-off.

    With `leaving` it comes from that pair, and the loads are those before it moves.
    """
    paid = Counter[object]({("link", pair): 1})
    for side in (0, 1):
        if pair[side] != FREE:
            joined = leaving is not None and leaving[side] != pair[side]
            paid[side, pair[side]] = loads[side, pair[side]] + joined
    return paid


def _profiles(requests: int) -> list[Pairs]:
    """Every way to put requests on pairs of workers, but for the names of the workers."""
    found: set[Pairs] = {()}
    for _ in range(requests):
        longer = set()
        for profile in found:
            sizes = [len({pair[side] for pair in profile}) for side in (0, 1)]
            for pair in ((p, q) for p in range(sizes[0] + 1) for q in range(sizes[1] + 1)):
                orders = permutations((*profile, pair))
                longer.add(min(tuple(sorted(_renamed(order))) for order in orders))
        found = longer
    return sorted(found)


def _renamed(profile: Sequence[Pair]) -> Iterator[Pair]:
    """The workers numbered as they occur."""
    names: tuple[dict[int, int], dict[int, int]] = {}, {}
    for p, q in profile:
        yield names[0].setdefault(p, len(names[0])), names[1].setdefault(q, len(names[1]))


def _symmetries(profile: Pairs) -> Iterator[tuple[dict[int, int], dict[int, int]]]:
    """The renamings of the workers of both stages that leave a sorted profile as it is."""
    for a in permutations(sorted({p for p, _ in profile})):
        for b in permutations(sorted({q for _, q in profile})):
            if tuple(sorted((a[p], b[q]) for p, q in profile)) == profile:
                yield dict(enumerate(a)) | {FREE: FREE}, dict(enumerate(b)) | {FREE: FREE}
