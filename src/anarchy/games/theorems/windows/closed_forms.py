"""The worst cost over the optimum at perceived weight gamma: affine latencies and offsets.

Four readings: many small requests, one pass in which each request chooses once, the worst
equilibrium of finitely many (`plateau.affine_worst_ratio`) and the best one. The statements are
proved in the paper's section on routing.
"""

import math
from fractions import Fraction

from anarchy.games.common.rational import Extended, positive
from anarchy.games.theorems.plateau import affine_worst_ratio

GOLDEN = (1 + math.sqrt(5)) / 2

NONATOMIC_WINDOW = (3 / 4, 1.0)
ONE_PASS_WINDOW = (1 / (2 * GOLDEN), GOLDEN**2 / 2)
WORST_WINDOW = (2 / 3, 5 / 3)
BEST_WINDOW = (math.sqrt(3) / (1 + math.sqrt(3)), 1.0)
"""Weights at which each of the four worst cases is as small as without any offset."""


def nonatomic_worst(gamma: object) -> Fraction:
    """Exact worst case of many small requests, whatever their classes."""
    weight = positive(gamma, "gamma")
    if weight <= Fraction(3, 4):
        return 1 / weight
    return Fraction(4, 3) if weight <= 1 else 4 * weight**2 / (4 * weight - 1)


def one_pass_worst(gamma: object) -> Extended:
    """Exact worst case of one pass in any order, nobody moving later."""
    weight = positive(gamma, "gamma")
    low, high = ONE_PASS_WINDOW
    if weight <= low:
        return 1 + 1 / weight
    return GOLDEN**3 if weight <= high else 4 * weight**2 / (2 * weight - 1)


def best_worst(gamma: object) -> Extended:
    """Exact worst case of the best equilibrium, for gamma up to 1."""
    weight = positive(gamma, "gamma")
    if weight > 1:
        raise ValueError(f"gamma: must be at most 1, got {weight}")
    return 1 / weight if weight <= BEST_WINDOW[0] else 1 + 1 / math.sqrt(3)


SAFE = (Fraction(3, 4), Fraction(1))
"""The weights that lie in all four windows."""

CURVES = {
    "many small requests": (nonatomic_worst, NONATOMIC_WINDOW),
    "best equilibrium": (best_worst, BEST_WINDOW),
    "worst equilibrium": (affine_worst_ratio, WORST_WINDOW),
    "one pass": (one_pass_worst, ONE_PASS_WINDOW),
}
"""The readings: worst case by weight, and the window."""
