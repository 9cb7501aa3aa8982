"""Pools that interfere in other ways than by capacity: what the general theorem says of them."""

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction

from anarchy.games.theorems.checks import Row, check

_PRECISION = 1e-14
"""Relative and absolute tolerance of the root finder."""


def root_of(function: Callable[[float], float], low: float, high: float) -> float:
    """The root between two points of different sign, near the last digit of a double."""
    from scipy.optimize import brentq  # here, for those who need no solver start sooner without

    return float(brentq(function, low, high, xtol=_PRECISION, rtol=_PRECISION))


def general_rows() -> Iterator[Row]:
    """Costs that are no M/M/1 latencies: each pool also suffers from the square of the other."""
    budget, harm, annoyance = Fraction(12), Fraction(1, 20), Fraction(1, 50)

    def costs(g: Fraction) -> tuple[Fraction, Fraction]:
        """Of pools 1 and 2 when pool 1 has g GPUs and pool 2 all others."""
        other = budget - g
        return 1 / (g - 1) + annoyance * other**2, 2 / (other - 1 - harm * g**2)

    def gains(g: Fraction) -> tuple[Fraction, Fraction]:
        """What another GPU of its own would save each pool."""
        return 1 / (g - 1) ** 2, 2 / (budget - g - 1 - harm * g**2) ** 2

    last = Fraction(685, 100)  # the last split of two decimals that is finite to both
    splits = [1 + (last - 1) * Fraction(k, 200) for k in range(1, 200)]
    signs = [gains(g)[0] > gains(g)[1] for g in splits]
    given = ("costs that grow with the square of the other pool, 12 GPUs",)
    yield check(
        "allocation-interference-unique",
        "thm:interference",
        "splits at which both pools gain alike",
        *given,
        Fraction(sum(a != b for a, b in itertools.pairwise(signs))),
        Fraction(1),
        "changes of sign over a scan of splits",
    ) | {"unit": "count"}

    def excess(g: float) -> float:
        first, second = gains(Fraction(g))
        return float(first - second)

    at = Fraction(root_of(excess, 1.01, 6.8))
    step = Fraction(1, 10**9)
    slope = (sum(costs(at + step)) - sum(costs(at - step))) / (2 * step)
    suffered = gains(at)[1] * 2 * harm * at - 2 * annoyance * (budget - at)
    yield check(
        "allocation-interference-slope",
        "thm:interference",
        "slope of the summed cost at the equilibrium",
        *given,
        float(slope),
        float(suffered),
        "central differences in rationals",
    ) | {"unit": "cost per GPU"}
