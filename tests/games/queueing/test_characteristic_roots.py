"""Roots of the delay equation: counted with proof, beside all of them in floats."""

import math
from fractions import Fraction

import pytest
from scipy.special import lambertw

from anarchy.common.errors import InputError
from anarchy.games.queueing import characteristic_roots
from anarchy.games.queueing.characteristic_roots import critical_age_within, unstable_roots


@pytest.mark.parametrize("rate", [Fraction(0), Fraction(1, 2), Fraction(3)])
@pytest.mark.parametrize("age", [Fraction(1, 10), Fraction(1, 2), Fraction(7, 5), Fraction(19, 10)])
def test_the_count_is_that_of_lambert_s_function(rate: Fraction, age: Fraction) -> None:
    gain = 8
    scale = -gain * float(age) * math.exp(float(rate * age))
    roots = [-float(rate) + lambertw(scale, branch) / float(age) for branch in range(-9, 10)]
    assert unstable_roots(gain, rate, age) == sum(root.real > 0 for root in roots)


def test_a_gain_below_the_rate_is_stable_at_any_age() -> None:
    assert [unstable_roots("9/10", 1, age) for age in (1, 3, 15)] == [0, 0, 0]


def test_the_critical_age_of_busy_prefill_is_enclosed() -> None:
    low, high = critical_age_within(2, 0, Fraction(1, 10_000))
    assert float(low) < math.pi / 4 < float(high)
    assert high - low <= high / 10_000


def test_cosine_and_sine_are_within_their_error() -> None:
    for angle in (Fraction(0), Fraction(7, 4), Fraction(16)):
        cosine, sine = characteristic_roots._cosine_and_sine(angle)
        assert abs(cosine**2 + sine**2 - 1) < 4 * characteristic_roots.ERROR
        assert float(cosine) == pytest.approx(math.cos(angle), abs=1e-15)
        assert float(sine) == pytest.approx(math.sin(angle), abs=1e-15)


def test_a_root_on_the_axis_is_not_decided() -> None:
    """Within 2^-60 of pi/2 nobody can say on which side the roots are."""
    with pytest.raises(ArithmeticError, match="axis"):
        unstable_roots(Fraction("1.570796326794896619231321691639751442"), 0, 1)


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="gain"):
        unstable_roots(17, 0, 1)
    with pytest.raises(InputError, match="age"):
        unstable_roots(1, 0, 0)
