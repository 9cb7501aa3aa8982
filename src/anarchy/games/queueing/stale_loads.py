"""Routers that choose by loads that are old: when balance is stable, and how far a relay swings.

m equal workers share r requests per second. The router draws a worker by a softmax of temperature
tau, in requests, over the numbers of requests that were present d seconds ago. In the fluid limit
a *decode* worker finishes mu requests per second for each that it holds, a busy *prefill* worker
finishes them at one rate however many wait. The statements are proved in the paper.
"""

import math
from typing import NamedTuple

from anarchy.common.errors import InputError


def router_gain(arrivals: float, workers: int, temperature: float) -> float:
    """K = r/(m tau): what one request more at a worker costs it in arrivals per second."""
    if temperature <= 0:
        raise InputError(f"temperature: must be greater than 0, got {temperature}")
    return arrivals / (workers * temperature)


def critical_age(gain: float, rate: float) -> float:
    """Age of the loads from which on balance is unstable, in seconds; `gain` is `router_gain`.

    arccos(-mu/K)/sqrt(K^2 - mu^2), infinite for K <= mu; pi/(2 K) for busy prefill, `rate` 0.
    """
    if gain <= rate:
        return math.inf
    return math.acos(-rate / gain) / math.sqrt(gain**2 - rate**2)


def refresh_threshold(gain: float) -> float:
    """Period of loads that are refreshed at once, from which on balance is unstable: 2/K."""
    return 2 / gain


def noise_variance(gain: float, age: float) -> float:
    """Variance of a busy worker's load about the mean, over that which its noise adds per second.

    (1 + sin K d)/(2 K cos K d); infinite from the critical age on.
    """
    phase = gain * age
    if phase >= math.pi / 2:
        return math.inf
    return (1 + math.sin(phase)) / (2 * gain * math.cos(phase))


def steadiest_gain(age: float) -> float:
    """The gain at which that variance is least: K d = cos K d, which is 0.739.

    The temperature for it is 1.353 times what arrives for one worker during the age.
    """
    phase = 1.0
    while abs(step := (phase - math.cos(phase)) / (1 + math.sin(phase))) > 1e-15:
        phase -= step
    return phase / age


class Cycle(NamedTuple):
    """The gap between two groups of workers as it swings for ever: extremes in requests, period in
    seconds."""

    above: float
    below: float
    period: float


def relay_cycle(
    arrivals: float, rate: float, temperature: float, age: float, group: int = 1, others: int = 1
) -> Cycle:
    """How a group of workers of equal loads swings against the others under normalised costs.

    The costs of two groups, divided by their range, are 0 and 1 whatever the gap. With q =
    e^(-1/tau) each of k workers that are seen as the less loaded gets r (1 - q)/(k + l q) more
    than each of the l others, and the gap reaches (1 - e^(-mu d))/mu times that; for busy prefill,
    `rate` 0, d times that. For two workers it is r tanh(1/(2 tau)).
    """
    weight = math.exp(-1 / temperature)
    up = arrivals * (1 - weight) / (group + others * weight)
    down = arrivals * (1 - weight) / (group * weight + others)
    held = _held(rate, age)
    if rate == 0:
        back = age * (down / up + up / down)
    else:
        back = math.log1p(rate * held * down / up) + math.log1p(rate * held * up / down)
        back /= rate
    return Cycle(up * held, down * held, 2 * age + back)


def swing_bound(
    arrivals: float, workers: int, rate: float, temperature: float, age: float
) -> float:
    """Most requests that one worker holds more than another in the long run, costs normalised.

    (r H/mu)(1 - e^(-mu d)) with H = (1 - q)/(1 + (m - 1) q) and q = e^(-1/tau); r H d for busy
    prefill. One worker that swings against all others attains it.
    """
    return relay_cycle(arrivals, rate, temperature, age, 1, workers - 1).above


def _held(rate: float, age: float) -> float:
    """What a unit of constant push has added after an age: (1 - e^(-mu d))/mu."""
    return -math.expm1(-rate * age) / rate if rate else age
