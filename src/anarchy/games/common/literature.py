"""Worst-case constants from the literature, in closed form.

Every function returns a Fraction where the constant is rational and a float where it is not.
Degrees are those of polynomial latencies with non-negative coefficients.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from anarchy.common.errors import InputError
from anarchy.games.common.rational import Extended

_BISECTIONS = 80
"""Bisection steps that bring a bracket of width 1 well below the spacing of floats."""


@dataclass(frozen=True)
class KnownBound:
    """A worst-case constant and where it was proved."""

    value: Extended
    source: str


def atomic_polynomial(degree: int) -> KnownBound:
    """Unweighted atomic congestion games of a degree: 5/2, 115/12, 1163/28, ... Exact.

    With k the whole part of the root Phi of (Phi + 1)^d = Phi^(d + 1).
    Source: Aland et al. (2011); Christodoulou and Koutsoupias (2005) and Awerbuch et al. (2005)
    for degree 1.
    """
    d = _degree(degree)
    k = _whole_part_of_phi(d)
    top = (k + 1) ** (2 * d + 1) - k ** (d + 1) * (k + 2) ** d
    bottom = (k + 1) ** (d + 1) - (k + 2) ** d + (k + 1) ** d - k ** (d + 1)
    return KnownBound(Fraction(top, bottom), "Aland et al. 2011")


def weighted_polynomial(degree: int) -> KnownBound:
    """Weighted atomic congestion games of a degree: Phi^(d + 1).

    Source: Aland et al. (2011); Awerbuch et al. (2005) for degree 1.
    """
    d = _degree(degree)
    if d == 0:
        return KnownBound(Fraction(1), "Aland et al. 2011")
    low, high = float(_whole_part_of_phi(d)), float(_whole_part_of_phi(d) + 1)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        # (x + 1)^d against x^(d + 1), in logarithms so that high degrees do not overflow.
        if d * math.log1p(middle) > (d + 1) * math.log(middle):
            low = middle
        else:
            high = middle
    source = "Awerbuch et al. 2005" if d == 1 else "Aland et al. 2011"
    return KnownBound(math.pow((low + high) / 2, d + 1), source)


def nonatomic_polynomial(degree: int) -> KnownBound:
    """Nonatomic congestion games of a degree: 1 / (1 - d (d + 1)^(-(d + 1)/d)).

    Source: Roughgarden (2003); Roughgarden and Tardos (2002) for degree 1.
    """
    d = _degree(degree)
    if d == 0:
        return KnownBound(Fraction(1), "Roughgarden 2003")
    if d == 1:
        return KnownBound(Fraction(4, 3), "Roughgarden and Tardos 2002")
    return KnownBound(1 / (1 - d * (d + 1) ** (-(d + 1) / d)), "Roughgarden 2003")


def symmetric_affine(players: int) -> KnownBound:
    """Symmetric affine congestion games of n players: (5n - 2)/(2n + 1).

    Source: Christodoulou and Koutsoupias (2005).
    """
    if isinstance(players, bool) or not isinstance(players, int) or players < 1:
        raise InputError(f"players: must be a whole number of at least 1, got {players!r}")
    source = "Christodoulou and Koutsoupias 2005"
    return KnownBound(Fraction(5 * players - 2, 2 * players + 1), source)


def affine_price_of_stability() -> KnownBound:
    """Best equilibrium of atomic affine congestion games: 1 + 1/sqrt(3).

    Source: Caragiannis et al. (2011).
    """
    return KnownBound(1 + 1 / math.sqrt(3), "Caragiannis et al. 2011")


def greedy_selfish() -> KnownBound:
    """One pass in which each arrival takes its own cheapest choice, affine: 2 + sqrt(5).

    Source: Christodoulou, Mirrokni and Sidiropoulos (2006) from above, Bilò et al. (2011) from
    below.
    """
    return KnownBound(2 + math.sqrt(5), "Christodoulou et al. 2006; Bilò et al. 2011")


def greedy_least_increase() -> KnownBound:
    """One pass in which each arrival adds least to the total, affine: 17/3.

    Source: Caragiannis et al. (2011).
    """
    return KnownBound(Fraction(17, 3), "Caragiannis et al. 2011")


def _degree(degree: int) -> int:
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 0:
        raise InputError(f"degree: must be a whole number of at least 0, got {degree!r}")
    return degree


def _whole_part_of_phi(degree: int) -> int:
    """Largest k that does not exceed the root: (k + 1)^d >= k^(d + 1)."""
    k = 1
    while (k + 2) ** degree >= (k + 1) ** (degree + 1):
        k += 1
    return k
