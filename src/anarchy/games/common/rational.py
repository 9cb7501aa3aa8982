"""Exact numbers: how inputs become Fractions and results become text.

A cost is a `Fraction` or, when something is overloaded or cannot be fetched, `math.inf`;
a `float` other than infinity appears only where a result is irrational.
"""

import math
import re
from decimal import Decimal
from fractions import Fraction

from anarchy.common.errors import MOST_SHOWN, InputError, shown

Extended = Fraction | float
"""A rational, an irrational rounded to a float, or infinity."""

MAX_CHARACTERS = 1000
"""Longest number that is read; far beyond any measurement, and short enough to stay quick."""

_TOO_LARGE = 10**MAX_CHARACTERS

# Exponents have at most three digits: "1e999999999" would otherwise fill the memory.
_NUMBER = re.compile(r"[+-]?([0-9]+/[0-9]+|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?)")

_ROOT_DIGITS = 60
"""Digits behind the point when an irrational root stands in for itself in a calculation:
differences of two such roots still give a float that is right to the last digit."""


def rational(value: object, key: str) -> Fraction:
    """Read a number exactly: an int, a Fraction, a string such as "5/2" or "0.1", or a float.

    A float means the decimal that it prints as, so 0.1 is 1/10. `key` names the number in the
    message of the `InputError` that anything else raises.
    """
    if isinstance(value, Fraction):
        return value
    # A bool is an int to Python, but True is no number of anything here.
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) >= _TOO_LARGE:
            raise InputError(f"{key}: number longer than {MAX_CHARACTERS} characters")
        return Fraction(value)
    text = repr(value) if isinstance(value, float) else value
    if isinstance(text, str) and len(text) > MAX_CHARACTERS:
        raise InputError(f"{key}: number longer than {MAX_CHARACTERS} characters")
    if isinstance(text, str) and _NUMBER.fullmatch(text.strip()):
        try:
            return Fraction(text.strip())
        except ZeroDivisionError:
            raise InputError(f"{key}: {shown(text)} divides by zero") from None
    raise InputError(f"{key}: {shown(value)} is not a finite number; allowed: 2, 0.1 or '5/2'")


def at_least(value: object, key: str, lowest: int) -> Fraction:
    """Read a number that may not lie below `lowest`."""
    number = rational(value, key)
    if number.numerator < lowest * number.denominator:  # a third of the time of comparing
        raise InputError(f"{key}: must be at least {lowest}, got {brief(number)}")
    return number


def positive(value: object, key: str) -> Fraction:
    """Read a number greater than zero."""
    number = rational(value, key)
    if number <= 0:
        raise InputError(f"{key}: must be greater than 0, got {brief(number)}")
    return number


def exact_text(value: Extended | None) -> str | None:
    """The lowest-terms string of a rational, "inf" for infinity, None for the rest."""
    if isinstance(value, Fraction):
        # Python refuses to print integers of more than 4300 digits, but no such decimals.
        top, bottom = (format(Decimal(n), "f") for n in value.as_integer_ratio())
        return top if bottom == "1" else f"{top}/{bottom}"
    return "inf" if value == math.inf else None


def ratio(cost: Extended | None, optimum: Extended | None) -> tuple[Extended | None, str | None]:
    """Cost over optimum, or None with the reason why the ratio means nothing.

    `cost` is None when there is no equilibrium. A ratio to an optimum of 0 or less is refused,
    because it would no longer grow with the loss.
    """
    if cost is None:
        return None, "no pure equilibrium"
    if optimum is None or optimum == math.inf:
        return None, "every outcome costs infinitely much"
    if optimum <= 0:
        return None, f"the optimum is {brief(optimum)}, a ratio needs one above 0"
    if isinstance(optimum, float) and cost != math.inf:
        return rounded(Fraction(cost) / Fraction(optimum)), None
    return cost / optimum, None


def rounded(value: Fraction) -> float:
    """The nearest float, for an irrational result that stands as a long rational.

    Raises `InputError` beyond the largest float, about 1.8e308: such a result is not infinite.
    """
    try:
        return float(value)
    except OverflowError:
        raise InputError(
            "numbers: an irrational result exceeds every float; allowed: results below 1.8e308"
        ) from None


def brief(value: Extended) -> str:
    """A number in a message: without its digits where it has very many."""
    text = exact_text(value) if isinstance(value, Fraction) else str(value)
    if text is not None and len(text) <= MOST_SHOWN:
        return text
    return "0" if value == 0 else "below 0" if value < 0 else "above 0"


def root(value: Fraction, digits: int = _ROOT_DIGITS) -> tuple[Fraction, bool]:
    """Square root of a non-negative rational, and whether it is exact.

    An irrational root comes back rounded down at so many digits behind the point.
    """
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if top * top == value.numerator and bottom * bottom == value.denominator:
        return Fraction(top, bottom), True
    # sqrt(p/q) = sqrt(p q) / q, with p q scaled up to keep the digits.
    scale = 10**digits
    radicand = value.numerator * value.denominator * scale * scale
    return Fraction(math.isqrt(radicand), value.denominator * scale), False
