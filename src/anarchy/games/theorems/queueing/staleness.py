"""Old loads: thresholds beside roots of the characteristic equation, cycles beside played ones."""

import cmath
import math
from collections.abc import Iterator

from anarchy.games.queueing.stale_loads import (
    critical_age,
    refresh_threshold,
    relay_cycle,
    router_gain,
)
from anarchy.games.theorems.checks import Row, check, rows_of

STALE, RELAY = "thm:stale", "thm:relay"

BATCH = 8.0
"""Mean number of requests at a decode worker of the checks: arrivals over workers and rate."""

TEMPERATURES = (0.5, 2.0, 6.0)
"""Softmax temperatures in requests, all below that batch; above it no age is critical."""

WORKERS, RATE = 4, 0.5

BISECTIONS = 60

RESIDUAL = 1e-9
"""Largest error of a root, relative to the rates in its equation."""

AGES = (0.2, 1.0, 5.0)
STEPS = 4000
"""Ages of the relay's loads, in seconds, and steps of its integration per age."""


def check_rows(most: int | None = None) -> list[Row]:
    """One row per threshold and cycle."""
    return rows_of(_age_rows, _refresh_rows, _relay_rows, most=most)


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


def _relay_rows() -> Iterator[Row]:
    for rate, temperature, age in (
        *((RATE, 1.0, age) for age in AGES),
        (RATE, 100.0, 1.0),
        (0.0, 1.0, 1.0),
    ):
        arrivals = 20.0
        stated = relay_cycle(arrivals, rate, temperature, age)
        found = played_cycle(arrivals, rate, temperature, age)
        kind = "decode" if rate else "prefill"
        setting = f"{kind}, 20 requests/s, temperature {temperature:g}, loads {age:g} s old"
        name = f"stale-relay-{kind}-{temperature:g}-{age:g}".replace(".", "-")
        for index, (quantity, unit) in enumerate((("amplitude", "requests"), ("period", "s"))):
            yield check(
                f"{name}-{quantity}",
                RELAY,
                f"{quantity} of the cycle of two workers under normalised costs",
                setting,
                found[index],
                stated[index],
                "exact steps of the delayed relay from a far start",
            ) | {"unit": unit}


def played_cycle(
    arrivals: float, rate: float, temperature: float, age: float
) -> tuple[float, float]:
    """Largest gap and period of two workers once the start is forgotten, step by step.

    The router sees the sign of the gap `age` ago; in a step the gap moves exactly towards what
    that sign drives it to, and `age` after a zero the push turns.
    """
    push = arrivals * math.tanh(1 / (2 * temperature))
    step = age / STEPS
    gap, now, sign = 3 * push * age, 0.0, 1.0
    turns: list[float] = []  # times at which the sign that the router sees will change
    zeros: list[float] = []
    largest = 0.0
    while len(zeros) < 6:
        length = min(step, turns[0] - now) if turns else step
        moved = _driven(gap, -sign * push, rate, length)
        if gap * moved < 0:
            length, moved = _until_zero(gap, -sign * push, rate), 0.0
            zeros.append(now + length)
            turns.append(now + length + age)
        gap, now = moved, now + length
        if turns and now >= turns[0] - 1e-12 * age:
            turns.pop(0)
            sign = -sign
        if len(zeros) >= 4:
            largest = max(largest, abs(gap))
    return largest, zeros[5] - zeros[3]


def _driven(gap: float, push: float, rate: float, length: float) -> float:
    """The gap after a time of constant push: gap' = push - rate gap."""
    if rate == 0:
        return gap + push * length
    return gap * math.exp(-rate * length) - push / rate * math.expm1(-rate * length)


def _until_zero(gap: float, push: float, rate: float) -> float:
    """Time in which a push against the gap brings it to zero."""
    return math.log1p(-rate * gap / push) / rate if rate else -gap / push
