"""Splits of one stream over parallel M/M/1 servers, found numerically and without any theorem.

Rates, flows and demands are in requests per second; a server's `Inverse` says how its proxy reads.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Inverse = Callable[[float], float]
"""The flow at which a server's proxy reaches a level; 0 if it starts above the level."""

TOLERANCE = 1e-15
"""Tolerance of levels and of least costs, near the last digit of a double."""

ITERATIONS = 1000
"""Limit of the search for the optimum, which takes a few dozen."""

HALVINGS = 60
"""Bisection steps for a critical load: its error is at most 2**-60."""


def linear(credit: float) -> Inverse:
    """The proxy load less credit."""
    return lambda level: max(0.0, level + credit)


def squared(credit: float) -> Inverse:
    """The proxy squared load less credit."""
    return lambda level: math.sqrt(max(0.0, level + credit))


def latency(rate: float, credit: float) -> Inverse:
    """The true latency 1/(rate - x) less a credit in seconds."""
    return lambda level: max(0.0, rate - 1 / max(level + credit, 1 / rate))


def active_blocks(rate: float, blocks: float, credit: float) -> Inverse:
    """Blocks of the requests present, `blocks` each, less a credit in blocks."""

    def flow(level: float) -> float:
        present = max(0.0, level + credit) / blocks
        return rate * present / (1 + present)

    return flow


def fill(inverses: Sequence[Inverse], demand: float) -> list[float]:
    """Flows at one common level of all proxies that add up to the demand.

    The level is found by root finding; every `Inverse` must be nondecreasing and together they
    must be able to carry the demand.
    """

    def excess(level: float) -> float:
        return sum(inverse(level) for inverse in inverses) - demand

    from scipy.optimize import brentq  # here, for those who need no solver start sooner without

    reach = 1.0
    while excess(reach) < 0 or excess(-reach) > 0:
        reach *= 2
    level = brentq(excess, -reach, reach, xtol=TOLERANCE, rtol=4 * np.finfo(float).eps)
    return [inverse(level) for inverse in inverses]


def power(rate: float, exponent: float, offset: float) -> Inverse:
    """(n + 1)^exponent/rate plus an offset, n being the mean number present: n + 1 = rate/slack."""

    def flow(level: float) -> float:
        return max(0.0, rate - rate / math.pow(max(rate * (level - offset), 1.0), 1 / exponent))

    return flow


def total_delay(
    rates: Sequence[float], flows: Sequence[float], offsets: Sequence[float] | None = None
) -> float:
    """Mean number of requests present plus what offsets cost a second; flows below their rates."""
    present = sum(flow / (rate - flow) for rate, flow in zip(rates, flows, strict=True))
    return present + sum(x * b for x, b in zip(flows, offsets or [0.0] * len(flows), strict=True))


def least_delay(
    rates: Sequence[float], demand: float, offsets: Sequence[float] | None = None
) -> float:
    """Least `total_delay` of a split, by a solver told only the cost and the constraints.

    It works in utilisations, so that rates of different size weigh alike.
    """
    from scipy.optimize import LinearConstraint, minimize

    mu = np.array(rates, float)
    paid = mu * np.array(offsets or [0.0] * len(rates), float)

    def cost(load: NDArray[np.float64]) -> float:
        return float(np.sum(load / (1 - load) + paid * load))

    def slope(load: NDArray[np.float64]) -> NDArray[np.float64]:
        steep: NDArray[np.float64] = 1 / (1 - load) ** 2 + paid
        return steep

    solved = minimize(
        cost,
        x0=np.full(len(mu), demand / mu.sum()),
        jac=slope,
        bounds=[(0.0, 1 - TOLERANCE)] * len(mu),
        constraints=LinearConstraint(mu, demand, demand),
        method="SLSQP",
        options={"ftol": TOLERANCE, "maxiter": ITERATIONS},
    )
    return float(solved.fun)


def first_overload(overloaded: Callable[[Fraction], bool]) -> Fraction:
    """The least load, as a share of the capacity, at which `overloaded` holds; 1 if none below.

    By bisection, for an `overloaded` that stays true once it is.
    """
    low, high = Fraction(0), Fraction(1)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if overloaded(middle) else (middle, high)
    return high
