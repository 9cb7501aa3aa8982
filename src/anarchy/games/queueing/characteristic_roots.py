"""Roots of z + mu + K e^(-z d) = 0 to the right of the imaginary axis, counted with proof.

With w = z d, a = mu d and b = K d the equation is f(w) = w + a + b e^(-w) = 0. On the imaginary
axis f(iy) = a + b cos y + i (y - b sin y). Roots to the right of it have |w + a| < b, and by the
argument principle on a half disc around them there are 2 k, where f(iy) winds k times clockwise
about zero as y grows from 0: it starts at a + b > 0 and never leaves the upper half-plane beyond
y = b. So it is enough to cover [0, b] by intervals on each of which f certainly stays in one
half-plane, right, upper, left or lower, and to add up the quarter turns between them.

Everything is a whole multiple of 2^-128 or a fraction: no rounding decides anything.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from anarchy.common.errors import InputError
from anarchy.games.common.rational import at_least, positive

LARGEST = 16
"""Largest b: the bound on the error of cosine and sine holds up to here."""

BITS, TERMS = 128, 64

ERROR = Fraction(1, 2**90)
"""Of cosine and sine. Each term is rounded down once; later terms pass an error on less than
cosh 16 < 2^22 times, which for 64 terms is 2^28 units of 2^-128. The first omitted term is below
16^128/128! < 2^-200."""

NARROWEST = Fraction(1, 2**40)
"""An interval that is narrower and still undecided: f is too near zero to tell."""

RIGHT, UPPER, LEFT, LOWER = range(4)


def unstable_roots(gain: object, rate: object, age: object) -> int:
    """How many roots have a positive real part, with multiplicity; none lies on the axis itself.

    `gain` is K and `rate` mu, per second, `age` d in seconds; rationals. Raises ArithmeticError
    where a root is too near the axis to tell, InputError where K d is above 16.
    """
    seconds = positive(age, "age")
    a, b = at_least(rate, "rate", 0) * seconds, positive(gain, "gain") * seconds
    if b > LARGEST:
        raise InputError(f"gain: at most {LARGEST} over the age, got {float(b):g} times that")
    # At the end, a whole number and at least b, the imaginary part is positive.
    planes = [*_half_planes(a, b, Fraction(0), Fraction(math.ceil(b))), UPPER]
    turns = sum((after - before + 1) % 4 - 1 for before, after in pairwise(planes))
    return (1 - turns) // 2  # four quarter turns clockwise, and one from right to upper


def critical_age_within(
    gain: object, rate: object, precision: object = Fraction(1, 1000)
) -> tuple[Fraction, Fraction]:
    """Two ages, in seconds, at the lower of which all roots certainly lie to the left of the axis.

    At the upper one two certainly do not; the ages differ by a share of at most `precision`.
    """
    share = positive(precision, "precision")
    low, high = Fraction(0), Fraction(1) / positive(gain, "gain")
    while not unstable_roots(gain, rate, high):
        low, high = high, 2 * high
    while high - low > share * high:
        middle = (low + high) / 2
        low, high = (low, middle) if unstable_roots(gain, rate, middle) else (middle, high)
    return low, high


def _half_planes(a: Fraction, b: Fraction, low: Fraction, high: Fraction) -> Iterator[int]:
    """For each of some intervals that cover [low, high], a half-plane that f(iy) is certainly in.

    From the middle of an interval to any of its points the real part changes by at most b, the
    imaginary one by at most 1 + b times its half width.
    """
    middle, half = (low + high) / 2, (high - low) / 2
    cosine, sine = _cosine_and_sine(middle)
    real, imaginary = a + b * cosine, middle - b * sine
    if abs(real) > b * (half + ERROR):
        yield RIGHT if real > 0 else LEFT
    elif abs(imaginary) > (1 + b) * half + b * ERROR:
        yield UPPER if imaginary > 0 else LOWER
    elif half < NARROWEST:
        raise ArithmeticError("a root lies too near the imaginary axis to tell on which side")
    else:
        yield from _half_planes(a, b, low, middle)
        yield from _half_planes(a, b, middle, high)


def _cosine_and_sine(angle: Fraction) -> tuple[Fraction, Fraction]:
    """Of a binary fraction between 0 and `LARGEST`, each within `ERROR`, by their series."""
    square = int(angle * 2**BITS) ** 2
    sums = []
    for first in (0, 1):
        term = int(angle**first * 2**BITS)
        total = 0
        for n in range(TERMS):
            total += -term if n % 2 else term
            factor = (2 * n + 1 + first) * (2 * n + 2 + first)
            term = term * square // (factor << 2 * BITS)
        sums.append(Fraction(total, 2**BITS))
    return sums[0], sums[1]
