"""Two M/M/1 servers and a router that sees how many requests are at each: what its rule costs.

Unlike a stream that is split by mean numbers, it never sends a request to a queue that happens to
be long. The pair of numbers is a Markov chain, solved numerically on `MOST` requests a server.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError

Floats = NDArray[np.float64]

Price = Callable[[Floats, float], Floats]
"""Of servers with some numbers of requests, all of one rate."""

MOST = 60
"""Requests at a server at which the chain is cut off: at up to four fifths of the capacity of two
servers there are as many with a probability below 1e-5, so that costs err by less than 1e-3."""

PRECISION = 1e-10


def rule_cost(rates: tuple[float, float], demand: float, price: Price) -> float:
    """Mean number of requests present if each joins the server of the lower price.

    Ties are drawn.
    """
    _check(rates, demand)
    held = np.arange(MOST + 1.0)
    gap = price(held, rates[0])[:, None] - price(held, rates[1])[None, :]
    return _iterated(
        rates,
        demand,
        lambda first, second: np.where(
            gap < 0, first, np.where(gap > 0, second, (first + second) / 2)
        ),
    )


def least_cost(rates: tuple[float, float], demand: float) -> float:
    """The least mean number of requests present of any router that sees the queues."""
    _check(rates, demand)
    return _iterated(rates, demand, np.minimum)


def _iterated(
    rates: tuple[float, float], demand: float, joined: Callable[[Floats, Floats], Floats]
) -> float:
    """The mean cost by relative value iteration; `joined` is what an arrival adds of two values.

    Source: Puterman, Markov Decision Processes, section 8.5; uniformised at the sum of all rates.
    """
    total = demand + sum(rates)
    held = np.arange(MOST + 1.0)
    present = held[:, None] + held[None, :]
    values = np.zeros_like(present)
    while True:
        first, second = np.full_like(values, math.inf), np.full_like(values, math.inf)
        first[:-1], second[:, :-1] = values[1:], values[:, 1:]
        first[-1], second[:, -1] = second[-1], first[:, -1]
        first[-1, -1] = second[-1, -1] = values[-1, -1]
        left = np.vstack([values[:1], values[:-1]]), np.hstack([values[:, :1], values[:, :-1]])
        after = (
            present + demand * joined(first, second) + rates[0] * left[0] + rates[1] * left[1]
        ) / total
        change = after - values
        if np.ptp(change) < PRECISION:
            return float(change[0, 0] * total)
        values = after - after[0, 0]


def _check(rates: tuple[float, float], demand: float) -> None:
    if min(rates) <= 0 or not 0 < demand <= 0.8 * sum(rates):
        raise InputError(
            f"demand: must be above 0 and at most four fifths of the capacity {sum(rates)}, "
            f"got {demand}"
        )
