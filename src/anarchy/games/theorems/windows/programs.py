"""The linear programs behind the windows: least rho at all loads up to some number.

Each row is an inequality that the proof of an upper bound needs at loads x (of the equilibrium) and
y (of the optimum) of a resource; with more loads the value grows towards the worst case. The
program of the worst equilibrium is in `games.common.smoothness`.
"""

from collections.abc import Callable
from fractions import Fraction

from anarchy.games.common.exact_program import Optimum, Row, least

Multipliers = Callable[[Fraction, Fraction], tuple[Fraction, ...]]
"""What the multipliers bring on a resource of latency k (or of constant latency) at loads x, y."""

ZERO, ONE = Fraction(0), Fraction(1)


def nonatomic(most: int, gamma: Fraction) -> Optimum:
    """Many small requests: rho y^2 + nu x (x - y) >= x^2."""
    return _program(most, gamma, lambda x, y: (x * (x - y),), lambda x, y: (x - y,))


def identical(most: int, gamma: Fraction) -> Optimum:
    """Identical requests on one worker each: rho y^2 + nu (x - y) (x or, if x < y, x + 1) >= x^2.

    A worker with more requests than in the optimum could send them to those with fewer, where each
    would be one more than there are; at an equilibrium none of them gains by that.
    """

    def stays(x: Fraction, y: Fraction) -> tuple[Fraction]:
        return ((x - y) * (x if x > y else x + 1),)

    return _program(most, gamma, stays, lambda x, y: (x - y,))


def one_pass(most: int, gamma: Fraction) -> Optimum:
    """One greedy pass: rho y^2 + nu [x (x + 1)/2 - y (x + 1)] >= x^2."""
    return _program(
        most, gamma, lambda x, y: (x * (x + 1) / 2 - y * (x + 1),), lambda x, y: (x - y,)
    )


def best_equilibrium(most: int, gamma: Fraction) -> Optimum:
    """A minimum of the potential: it is an equilibrium, and its potential is at most any other's.

    rho y^2 + nu_1 [x^2 - y (x + 1)] + nu_2 [x (x + 1) - y (y + 1)]/2 >= x^2.
    """
    return _program(
        most,
        gamma,
        lambda x, y: (x * x - y * (x + 1), (x * (x + 1) - y * (y + 1)) / 2),
        lambda x, y: (x - y, x - y),
    )


def _program(most: int, gamma: Fraction, linear: Multipliers, constant: Multipliers) -> Optimum:
    loads = [Fraction(k) for k in range(most + 1)]
    pairs = [(x, y) for x in loads for y in loads if x or y]
    rows: list[Row] = [((y * y, *linear(x, y)), x * x) for x, y in pairs]
    # Of constant latencies, whose rows are linear in both loads, these two imply all.
    rows += [((y, *constant(x, y)), x) for x, y in ((ONE, ZERO), (ZERO, ONE))]
    ones = [gamma] * (len(rows[0][0]) - 1)
    # Offsets paid at the equilibrium and at the optimum.
    rows += [((ZERO, *ones), ONE), ((ONE, *(-g for g in ones)), ZERO)]
    return least(rows)
