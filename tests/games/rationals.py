"""Fractions as `st.fractions` draws them, which makes strategies anew for every one.

That took most of the time of cheap properties.
"""

import math
from fractions import Fraction
from functools import cache

from hypothesis import strategies as st


def fractions(
    min_value: Fraction | int | str,
    max_value: Fraction | int | str,
    max_denominator: int | None = None,
) -> st.SearchStrategy[Fraction]:
    """Fractions within bounds, whose own denominators are within the limit."""
    low, high = Fraction(min_value), Fraction(max_value)
    assert max_denominator is None or max(low.denominator, high.denominator) <= max_denominator
    scale = math.lcm(low.denominator, high.denominator)
    factors = st.integers(1, max_denominator)

    @cache
    def numerators(factor: int) -> st.SearchStrategy[int]:
        return st.integers(int(low * scale) * factor, int(high * scale) * factor)

    @st.composite
    def drawn(draw: st.DrawFn) -> Fraction:
        factor = draw(factors)
        exact = Fraction(draw(numerators(factor)), scale * factor)
        return exact if max_denominator is None else exact.limit_denominator(max_denominator)

    return drawn()
