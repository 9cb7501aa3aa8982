"""The coupled game: the split of GPUs, what is cached, and where requests go answer one another.

A model of our own, as small as the loop allows. One worker holds the cached prefix blocks, the
other worker of the decode pool holds none.

* Placement. Blocks are ranked by popularity s in [0, 1], asked for with density 2(1 - s). A cached
  block spares its prefill, so with load share x keeping block s saves 2(1 - s) x rho_P/g of the
  prefill pool's time; it is kept if that is worth its memory price p. Hence the share not cached
  is m = min(1, p g / (2 rho_P x)), and a share x (1 - m^2) of all prefill work is spared.
* Routing. The router equalises load less a credit for what is cached (the linear proxy of the
  routing game): x = (1 + omega (1 - m))/2.
* Split. The planner gives the prefill pool the variational equilibrium of the allocation game at
  the load that is left, g = g0 - b x (1 - m^2).

Every reply moves with the others': fewer prefill GPUs make caching worth more, more cached blocks
draw more load, more hits free more prefill GPUs. The best-response map is order-preserving.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.games.common.rational import Extended, positive, rational, root
from anarchy.games.gpu_split.allocation import NO_SLACK, AllocationGame, refuse_mmc

BISECTIONS = 80
"""Halvings of an interval of length at most 1 around a fixed point: below a float's resolution."""

_SIMPLEST = 10**6
"""Largest denominator with which a fixed point is tried as an exact rational."""


@dataclass(frozen=True)
class CoupledGame:
    """The three games on one budget of GPUs.

    allocation    budget and the two M/M/1 pools, at the load without any cache hits
    memory_price  what memory for all blocks is worth, as a share of the prefill pool's time; > 0
    credit        omega: 0 ignores the cache, 1 sends all load to a worker that caches everything
    """

    allocation: AllocationGame
    memory_price: Fraction
    credit: Fraction

    def __post_init__(self) -> None:
        refuse_mmc(self.allocation)
        object.__setattr__(self, "memory_price", positive(self.memory_price, "memory_price"))
        credit = rational(self.credit, "credit")
        if not 0 <= credit <= 1:
            raise InputError(f"credit: must be from 0 to 1, got {credit}")
        object.__setattr__(self, "credit", credit)

    @property
    def slack(self) -> Fraction:
        """GPUs left by both offered loads when nothing is cached."""
        game = self.allocation
        return game.budget - game.prefill.offered_load - game.decode.offered_load

    @cached_property
    def prefill_share(self) -> Fraction:
        """Share of the slack that prefill gets; to 60 digits where irrational."""
        ratio, _ = self._balance
        return ratio / (1 + ratio)

    @property
    def exact(self) -> bool:
        """Whether the planner's reply to rational states is rational."""
        return self._balance[1]

    @cached_property
    def _balance(self) -> tuple[Fraction, bool]:
        """Slack of prefill over slack of decode, and whether it is rational."""
        first, second = self.allocation.prefill, self.allocation.decode
        return root(first.weight * second.service_rate / (first.service_rate * second.weight))

    @cached_property
    def cold_split(self) -> Fraction:
        """g0: prefill GPUs that the planner wants when nothing is cached."""
        return self.allocation.prefill.offered_load + self.slack * self.prefill_share

    @cached_property
    def freed(self) -> Fraction:
        """b: prefill GPUs that the planner would take back if no prefill work were left."""
        return (1 - self.prefill_share) * self.allocation.prefill.offered_load


@dataclass(frozen=True)
class State:
    """prefill: GPUs; cached: share of the blocks; load_share: load at the worker with the cache."""

    prefill: Extended
    cached: Extended
    load_share: Extended


@dataclass(frozen=True)
class FixedPoint:
    """A state in which split, placement and routing all answer one another.

    slope            of the planner's target against the split, caches and routes having settled
    spectral_radius  of the best-response map's Jacobian; below 1 exactly if the slope is
    """

    state: State
    slope: float
    spectral_radius: float


@dataclass(frozen=True)
class CoupledReport:
    """All fixed points, from the most cached to the least; none when `reason` says why."""

    points: tuple[FixedPoint, ...]
    reason: str | None
    method: str


def best_response_map(game: CoupledGame, state: State) -> State:
    """What planner, cache and router each reply to the same state."""
    return State(
        planner_reply(game, state.cached, state.load_share),
        1 - _missing(game, state.prefill, state.load_share),
        (1 + game.credit * state.cached) / 2,
    )


def planner_reply(game: CoupledGame, cached: Extended, load_share: Extended) -> Extended:
    """Prefill GPUs of the allocation game's equilibrium once hits have spared their share."""
    return game.cold_split - game.freed * load_share * (1 - (1 - cached) ** 2)


def settled(game: CoupledGame, prefill: Extended) -> State:
    """Cache and router in equilibrium with each other at a given split; there is exactly one.

    m (1 + omega - omega m)/2 = p g/(2 rho_P) has one root in [0, 1], because its left side rises
    there up to 1/2; from there on nothing is worth its memory.
    """
    cost = _cost_of_caching(game, prefill)
    if cost is None or cost >= Fraction(1, 2):
        return State(prefill, Fraction(0), Fraction(1, 2))
    credit = game.credit
    radicand = (1 + credit) ** 2 - 8 * credit * cost
    sqrt = root(radicand)[0] if isinstance(radicand, Fraction) else math.sqrt(radicand)
    # This form of the smaller root also holds for omega = 0.
    missing = 4 * cost / (1 + credit + sqrt)
    return State(prefill, 1 - missing, (1 + credit * (1 - missing)) / 2)


def target(game: CoupledGame, prefill: Extended) -> Extended:
    """Prefill GPUs that the planner wants once cache and router have settled at `prefill`."""
    state = settled(game, prefill)
    return planner_reply(game, state.cached, state.load_share)


def slope(game: CoupledGame, prefill: Extended) -> float:
    """Derivative of `target`: at least 0, because every reply in the loop has the same sign."""
    state = settled(game, prefill)
    cost = _cost_of_caching(game, prefill)
    if cost is None or state.cached == 0:
        return 0.0
    missing, half = 1 - state.cached, game.credit / 2
    spared = half * (1 - missing**2) + 2 * missing * state.load_share
    return float(cost / prefill * game.freed * spared / (state.load_share - half * missing))


def jacobian(game: CoupledGame, state: State) -> NDArray[np.float64]:
    """Derivatives of the best-response map, rows and columns (prefill, cached, load share)."""
    missing = _missing(game, state.prefill, state.load_share)
    replies = missing < 1
    return np.array(
        [
            [
                0.0,
                float(-2 * game.freed * state.load_share * (1 - state.cached)),
                float(-game.freed * (1 - (1 - state.cached) ** 2)),
            ],
            [
                float(-missing / state.prefill) if replies else 0.0,
                0.0,
                float(missing / state.load_share) if replies else 0.0,
            ],
            [0.0, float(game.credit / 2), 0.0],
        ]
    )


def spectral_radius(game: CoupledGame, state: State) -> float:
    """Largest modulus of an eigenvalue of the best-response map at a state."""
    return float(np.max(np.abs(np.linalg.eigvals(jacobian(game, state)))))


def fixed_points(game: CoupledGame) -> CoupledReport:
    """All fixed points of the best-response map.

    In m, the share not cached, those with something cached are the roots in (0, 1) of
    (x - part)(m + beta (1 - m^2)) = p g0/(2 rho_P), a cubic. Its critical points cut (0, 1) into
    pieces on which it is monotone, so no root is missed; each is bracketed by bisection. The cold
    point m = 1 is one as well if p g0 >= rho_P.
    """
    method = "roots of a cubic, isolated between its critical points"
    if game.slack <= 0:
        return CoupledReport((), NO_SLACK, method)
    cost = _cost_of_caching(game, game.cold_split)
    found: list[State] = []
    if cost is not None:
        for missing in _roots(_cubic(game, cost)):
            share = (1 + game.credit * (1 - missing)) / 2
            prefill = planner_reply(game, 1 - missing, share)
            found.append(State(prefill, 1 - missing, share))
    if cost is None or cost >= Fraction(1, 2):
        found.append(State(game.cold_split, Fraction(0), Fraction(1, 2)))
    if not game.exact:
        found = [State(*(float(x) for x in (s.prefill, s.cached, s.load_share))) for s in found]
    points = tuple(
        FixedPoint(state, slope(game, state.prefill), spectral_radius(game, state))
        for state in found
    )
    return CoupledReport(points, None, method)


def _cost_of_caching(game: CoupledGame, prefill: Extended) -> Extended | None:
    """p g/(2 rho_P), which m x equals where something is cached; None if nothing arrives."""
    load = game.allocation.prefill.offered_load
    return game.memory_price * prefill / (2 * load) if load else None


def _missing(game: CoupledGame, prefill: Extended, load_share: Extended) -> Extended:
    cost = _cost_of_caching(game, prefill)
    return Fraction(1) if cost is None else min(Fraction(1), cost / load_share)


def _cubic(game: CoupledGame, cost: Extended) -> tuple[Fraction, ...]:
    """Coefficients, constant first, of x(m) (m + beta (1 - m^2)) - cost, x(m) = c - d m."""
    c, d = (1 + game.credit) / 2, game.credit / 2
    beta = game.memory_price * (1 - game.prefill_share) / 2
    return (c * beta - Fraction(cost), c - d * beta, -c * beta - d, d * beta)


def _roots(cubic: tuple[Fraction, ...]) -> Iterator[Extended]:
    """Roots in the open interval (0, 1), ascending; Fractions where they are simple ones."""
    k0, k1, k2, k3 = cubic

    def value(m: Fraction) -> Fraction:
        return k0 + m * (k1 + m * (k2 + m * k3))

    turns: list[Fraction] = []
    if k3 == 0:
        turns = [-k1 / (2 * k2)]
    elif k2 * k2 >= 3 * k1 * k3:
        width = root(k2 * k2 - 3 * k1 * k3)[0]
        turns = [(-k2 - width) / (3 * k3), (-k2 + width) / (3 * k3)]
    ends = [Fraction(0), *sorted(t for t in turns if 0 < t < 1), Fraction(1)]
    for low, high in itertools.pairwise(ends):
        if low > 0 and value(low) == 0:
            yield low
        below = value(low) < 0
        if value(low) * value(high) >= 0:
            continue
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if (value(middle) < 0) == below else (low, middle)
        simple = low.limit_denominator(_SIMPLEST)
        yield simple if value(simple) == 0 else float(low)
