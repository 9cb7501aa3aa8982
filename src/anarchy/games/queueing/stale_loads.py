"""Routers that choose by loads that are old: when balance is stable, and how far a relay swings.

m equal workers share r requests per second. The router draws a worker by a softmax of temperature
tau, in requests, over the numbers of requests that were present d seconds ago. In the fluid limit
a *decode* worker finishes mu requests per second for each that it holds, a busy *prefill* worker
finishes them at one rate however many wait. The statements are proved in the paper.
"""

import math

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


def relay_cycle(
    arrivals: float, rate: float, temperature: float, age: float
) -> tuple[float, float]:
    """Amplitude (requests) and period (s) of two workers under a softmax of normalised costs.

    The costs of two workers, divided by their range, are 0 and 1 whatever the gap: with
    h = tanh(1/(2 tau)) the amplitude is (r h/mu)(1 - e^(-mu d)) and the period
    2 d + (2/mu) ln(2 - e^(-mu d)); for busy prefill, `rate` 0, they are r h d and 4 d.
    """
    push = arrivals * math.tanh(1 / (2 * temperature))
    if rate == 0:
        return push * age, 4 * age
    fallen = -math.expm1(-rate * age)
    return push / rate * fallen, 2 * age + 2 / rate * math.log1p(fallen)
