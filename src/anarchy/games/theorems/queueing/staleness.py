"""Old loads: thresholds beside roots of the characteristic equation, and these counted."""

import cmath
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from anarchy.games.queueing.characteristic_roots import critical_age_within, unstable_roots
from anarchy.games.queueing.stale_loads import (
    critical_age,
    noise_variance,
    refresh_threshold,
    router_gain,
    steadiest_gain,
)
from anarchy.games.theorems.checks import Row, check, rows_of

STALE, NOISE = "thm:stale", "prop:noise"

BATCH = 8.0
"""Mean number of requests at a decode worker of the checks: arrivals over workers and rate."""

TEMPERATURES = (0.5, 2.0, 6.0)
"""Softmax temperatures in requests, all below that batch; above it no age is critical."""

WORKERS, RATE = 4, 0.5

BISECTIONS = 60

RESIDUAL = 1e-9
"""Largest error of a root, relative to the rates in its equation."""

BELOW, ABOVE = 0.97, 1.03
"""Ages, relative to the critical one, at which no root may lie to the right and two must."""


def check_rows(most: int | None = None) -> list[Row]:
    """One row per threshold, and per count of roots on either side of it."""
    return rows_of(_age_rows, _certified_rows, _count_rows, _refresh_rows, _noise_rows, most=most)


def rightmost_root(gain: float, rate: float, age: float) -> complex:
    """The root of z + mu + K e^(-z d) of largest real part: Lambert's function, main branch."""
    from scipy.special import lambertw  # here, for those who need no solver start sooner without

    root = -rate + lambertw(-gain * age * math.exp(rate * age)) / age
    if abs(root + rate + gain * cmath.exp(-root * age)) > RESIDUAL * (gain + rate):
        raise ArithmeticError("the root does not solve the characteristic equation")
    return complex(root)


def _age_rows() -> Iterator[Row]:
    arrivals = BATCH * WORKERS * RATE
    for temperature in TEMPERATURES:
        gain = router_gain(arrivals, WORKERS, temperature)
        for kind, rate in (("decode", RATE), ("prefill", 0.0)):
            yield check(
                f"stale-age-{kind}-{temperature:g}".replace(".", "-"),
                STALE,
                f"age of the loads at which balance turns unstable, {kind}",
                f"{WORKERS} workers, {arrivals:g} requests/s, temperature {temperature:g}",
                _unstable_from(gain, rate),
                critical_age(gain, rate),
                "roots of the characteristic equation",
            ) | {"unit": "s"}
    # A temperature of the mean batch: the gain equals the rate, and no age is too old.
    gain = router_gain(arrivals, WORKERS, BATCH)
    yield check(
        "stale-age-free",
        STALE,
        "largest temperature at which some age is critical, over the mean batch",
        f"{WORKERS} workers, {arrivals:g} requests/s, loads 600 s old",
        _freeing_temperature(arrivals) / BATCH,
        1.0,
        "roots of the characteristic equation",
        "<=",
    )


def _pools() -> Iterator[tuple[str, str, Fraction, Fraction]]:
    """Name and setting of each pool, its gain and its rate, exactly."""
    arrivals = Fraction(BATCH) * WORKERS * Fraction(RATE)
    for temperature in TEMPERATURES:
        gain = arrivals / (WORKERS * Fraction(temperature))
        setting = f"{WORKERS} workers, {float(arrivals):g} requests/s, temperature {temperature:g}"
        for kind, rate in (("decode", Fraction(RATE)), ("prefill", Fraction(0))):
            name = f"{kind}-{temperature:g}".replace(".", "-")
            yield name, f"{setting}, {kind}", gain, rate


def _certified_rows() -> Iterator[Row]:
    """Ages a thousandth apart between which the first roots cross, with proof."""
    for name, setting, gain, rate in _pools():
        stated = critical_age(float(gain), float(rate))
        for end, age, side, relation in zip(
            ("stable", "unstable"),
            critical_age_within(gain, rate),
            ("no root", "two roots"),
            ("<=", ">="),
            strict=True,
        ):
            yield check(
                f"stale-certified-{name}-{end}",
                STALE,
                f"age of the loads at which {side} certainly lies to the right of the axis",
                setting,
                age,
                Fraction(stated),
                "quarter turns on the imaginary axis, counted in fractions",
                relation,
            ) | {"unit": "s"}


def _count_rows() -> Iterator[Row]:
    """A little below the stated age and a little above it."""
    for name, setting, gain, rate in _pools():
        stated = critical_age(float(gain), float(rate))
        for side, factor, roots in (("below", BELOW, 0), ("above", ABOVE, 2)):
            yield check(
                f"stale-roots-{name}-{side}",
                STALE,
                f"roots to the right of the axis, {side} the critical age",
                f"{setting}, {factor:g} of the critical age",
                Fraction(unstable_roots(gain, rate, Fraction(factor * stated))),
                Fraction(roots),
                "quarter turns on the imaginary axis, counted in fractions",
            ) | {"unit": "1"}


def _unstable_from(gain: float, rate: float) -> float:
    low, high = 0.0, 4 * math.pi / gain + (8 / rate if rate else 0.0)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        stable = rightmost_root(gain, rate, middle).real < 0
        low, high = (middle, high) if stable else (low, middle)
    return high


def _freeing_temperature(arrivals: float) -> float:
    """By bisection: above it loads that are ten minutes old still leave balance stable."""
    low, high = 0.5 * BATCH, 2 * BATCH
    for _ in range(12):
        middle = (low + high) / 2
        gain = router_gain(arrivals, WORKERS, middle)
        unstable = rightmost_root(gain, RATE, 600.0).real > 0
        low, high = (middle, high) if unstable else (low, middle)
    return low


def _refresh_rows() -> Iterator[Row]:
    """Between two refreshes a busy worker gets what its load said: a map with one factor."""
    for temperature in TEMPERATURES:
        gain = router_gain(BATCH * WORKERS * RATE, WORKERS, temperature)
        low, high = 0.0, 100.0
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            gap = 1.0
            for _ in range(50):
                gap -= gain * middle * gap
            low, high = (middle, high) if abs(gap) < 1 else (low, middle)
        yield check(
            f"stale-refresh-{temperature:g}".replace(".", "-"),
            STALE,
            "period of the refreshes at which balance turns unstable, prefill",
            f"temperature {temperature:g}",
            high,
            refresh_threshold(gain),
            "bisection on the map between refreshes",
        ) | {"unit": "s"}


PHASES = (0.3, 0.739, 1.0, 1.2)
"""Products of gain and age at which the variance of noise is checked; it is infinite at pi/2."""

BAND, PANELS, NODES = 2000.0, 10_000, 12
"""Frequencies up to which the spectrum is integrated, in radians per age, panels and nodes."""


def _noise_rows() -> Iterator[Row]:
    """What noise leaves of balance, by the spectrum; half a second is the age."""
    age = 0.5
    for phase in PHASES:
        gain = phase / age
        yield check(
            f"stale-noise-{phase:g}".replace(".", "-"),
            NOISE,
            "variance of the load of a busy worker, noise of one request squared per second",
            f"loads {age:g} s old, gain {gain:g} per second",
            float(_spectrum(gain, age)[0]),
            noise_variance(gain, age),
            "integral of the spectrum",
        ) | {"unit": "requests^2"}
    from scipy.optimize import brentq  # here, for those who need no solver start sooner without

    best = brentq(lambda gain: _spectrum(gain, age)[1], 0.1 / age, 1.5 / age, xtol=1e-12)
    yield check(
        "stale-noise-best",
        NOISE,
        "critical temperature times this is the one at which noise leaves least imbalance",
        f"loads {age:g} s old",
        math.pi / 2 / (best * age),
        math.pi / 2 / (steadiest_gain(age) * age),
        "root of the derivative of the integral of the spectrum",
    )


def _spectrum(gain: float, age: float) -> tuple[float, float]:
    """The integral of 1/(2 pi |i w + K e^(-i w d)|^2) over all frequencies, and its slope in K.

    Beyond `BAND` the integrand is 1/w^2 up to what oscillates away.
    """
    points, weights = np.polynomial.legendre.leggauss(NODES)
    width = BAND / age / PANELS
    at = (width * (np.arange(PANELS)[:, None] + (points + 1) / 2)).ravel()
    each = np.tile(weights * width / 2, PANELS)
    swing = at * np.sin(at * age)
    power = 1 / (at**2 + gain**2 - 2 * gain * swing)
    value = float(each @ power) + age / BAND
    slope = float(each @ (power**2 * 2 * (swing - gain)))
    return value / math.pi, slope / math.pi
