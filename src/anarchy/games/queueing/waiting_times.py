"""How long requests wait and stay in open queues: means, tails and quantiles in closed form.

One mean service time is the unit of time, so that a queue is its load rho (the share of its
capacity that arrivals ask for) and nothing else; arrivals are Poisson and served in order of
arrival unless said otherwise. A sojourn is wait plus service. Every value is a float; the means
of `queues` are exact.

Sources: Kleinrock (1975) for M/M/1, M/M/c and M/G/1; Erlang (1909), Crommelin (1932) and Franx
(2001) for M/D/1; Sakata, Noguchi and Oizumi (1971) for processor sharing; Vvedenskaya, Dobrushin
and Karpelevich (1996) for the shortest of d queues, Gast and Van Houdt (2017) for its correction
at a finite number of servers.
"""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.games.queueing.closed_forms import erlang_c

Floats = NDArray[np.float64]

RELATIVE_TOLERANCE = 1e-12
"""Width of the final bracket of a quantile, relative to the quantile."""

NEGLIGIBLE = 1e-12
"""Queues that fewer than this share of the servers reach are left out of the mean field."""

SINGULAR = 1e-6
"""Two rates closer than this share of either count as equal: their difference is a divisor."""


def mm1_mean(load: float) -> float:
    """Mean sojourn in M/M/1: 1 / (1 - rho)."""
    return 1 / (1 - _stable(load))


def mm1_tail(load: float, time: float) -> float:
    """P(sojourn > time) in M/M/1: the sojourn is exponential."""
    return math.exp(-(1 - _stable(load)) * max(time, 0.0))


def md1_mean(load: float) -> float:
    """Mean sojourn in M/D/1, by Pollaczek and Khinchine."""
    return mg1_mean(load, 1.0)


def mg1_mean(load: float, second_moment: float) -> float:
    """Mean sojourn in M/G/1, by Pollaczek and Khinchine.

    `second_moment` is E[S^2] of a service time of mean 1, at least 1.
    """
    if not 1 <= second_moment < math.inf:
        raise InputError(f"second_moment: must be at least 1, got {second_moment}")
    return 1 + _stable(load) * second_moment / (2 * (1 - load))


def md1_tail(load: float, time: float) -> float:
    """P(sojourn > time) in M/D/1, exactly.

    The wait of a request is at most x = k - u, with k whole and 0 < u <= 1, if and only if those
    that queue at u before its arrival and those that arrive in between are fewer than k, because
    a busy server starts k of them in k services. The two numbers are independent. Every term is
    positive, so that nothing cancels, unlike in Erlang's alternating sum, which needs more digits
    than a float has once rho x is large.
    """
    _stable(load)
    wait = time - 1
    if wait < 0 or load == 0:
        return float(wait < 0)
    whole = math.floor(wait) + 1
    share = whole - wait
    arrivals = _poisson(load * share, whole)
    queued = np.cumsum(_md1_numbers(load, whole + 1))[1:]
    return max(0.0, 1 - float(arrivals @ queued[::-1]))


def _md1_numbers(load: float, count: int) -> Floats:
    """P(0, 1, ..., count - 1 requests present) in M/D/1.

    Seen by departures, and so at any time. As many departures leave j requests behind as find
    their way back from more: the rates of the cuts between j and j + 1 have positive terms only.
    """
    arrivals = _poisson(load, count + 1)
    more = 1 - np.cumsum(arrivals)  # P(more than i arrivals in a service)
    numbers = np.empty(count)
    numbers[0] = 1 - load
    for j in range(count - 1):
        up = numbers[0] * more[j] + float(numbers[1 : j + 1] @ more[j:0:-1])
        numbers[j + 1] = up / arrivals[0]
    return numbers


def _poisson(mean: float, count: int) -> Floats:
    """P(0, 1, ..., count - 1 arrivals)."""
    terms = np.concatenate([[-mean], math.log(mean) - np.log(np.arange(1, count))])
    return np.asarray(np.exp(np.cumsum(terms)))


def mmc_mean(load: float, servers: int) -> float:
    """Mean sojourn in M/M/c; `load` is per server."""
    _stable(load)
    return 1 + _erlang_c(load, servers) / (servers * (1 - load))


def mmc_tail(load: float, servers: int, time: float) -> float:
    """P(sojourn > time) in M/M/c: an arrival waits with Erlang C, then exponentially long."""
    _stable(load)
    if time <= 0:
        return 1.0
    waits = _erlang_c(load, servers)
    rate = servers * (1 - load)
    alone = math.exp(-time)
    if abs(rate - 1) < SINGULAR:
        both = (1 + time) * alone
    else:
        both = (rate * alone - math.exp(-rate * time)) / (rate - 1)
    return (1 - waits) * alone + waits * both


def _erlang_c(load: float, servers: int) -> float:
    return float(erlang_c(servers, Fraction(load) * servers))


def ps_mean(load: float, service: float = 1.0) -> float:
    """Mean sojourn under processor sharing of a request that alone would take `service`.

    Proportional to the service whatever the distribution of service times, of mean 1.
    """
    return service / (1 - _stable(load))


def jsq_mean(load: float, choices: int) -> float:
    """Mean sojourn when each arrival joins the shortest of `choices` random queues of many.

    A share rho^((d^k - 1) / (d - 1)) of the servers holds at least k requests (k without
    choice); Little's law makes a mean of their sum. Exact as the number of servers grows.
    """
    return float(_jsq_shares(load, choices)[1:].sum()) / load


def jsq_correction(load: float, choices: int, distinct: bool = True) -> float:
    """The mean sojourn with m servers exceeds `jsq_mean` by this over m, up to order m^-2.

    The shares x_k of servers with at least k requests move by 1/m at rate m lambda (x_{k-1}^d -
    x_k^d) upwards and m (x_k - x_{k+1}) downwards. Around their fixed point their covariance W / m
    solves A W + W A^T + Q = 0, with A the Jacobian of the drift and Q the diffusion. The drift's
    curvature makes the mean miss the fixed point by V / m, where A V + B W / 2 + E = 0 with B the
    second derivatives of the drift. If the choices are `distinct`, x^d is the limit only of the
    probability that they all have k requests, which is less by d (d - 1) x^(d-1) (1 - x) / (2 m):
    that makes E, which is 0 for choices drawn with replacement.
    """
    from scipy.linalg import solve_continuous_lyapunov

    shares = _jsq_shares(load, choices)
    inner = shares[1:]
    count = len(inner)
    slope = load * choices * inner ** (choices - 1)
    curvature = load * choices * (choices - 1) * inner ** (choices - 2)
    jacobian = np.diag(-slope - 1) + np.diag(slope[:-1], -1) + np.diag(np.ones(count - 1), 1)
    # At the fixed point as many go up as down.
    diffusion = np.diag(2 * (inner - np.append(inner[1:], 0.0)))
    covariance = solve_continuous_lyapunov(jacobian, -diffusion)
    bend = curvature * np.diag(covariance) / 2
    if distinct:
        bend -= load * choices * (choices - 1) / 2 * inner ** (choices - 1) * (1 - inner)
    drift = np.append(0.0, bend[:-1]) - bend
    return float(np.linalg.solve(jacobian, -drift).sum()) / load


def _jsq_shares(load: float, choices: int) -> Floats:
    """The share of servers with at least 0, 1, 2, ... requests, down to `NEGLIGIBLE`."""
    if not _stable(load) > 0:
        raise InputError(f"load: must be above 0, got {load}")
    if isinstance(choices, bool) or not isinstance(choices, int) or choices < 1:
        raise InputError(f"choices: must be a whole number of at least 1, got {choices!r}")
    shares = [1.0]
    while shares[-1] > NEGLIGIBLE:
        shares.append(load * shares[-1] ** choices)
    return np.array(shares)


def quantile(tail: Callable[[float], float], level: float) -> float:
    """The time that a sojourn exceeds with probability 1 - `level`, 0 < level < 1.

    `tail` falls from at least 1 - level at 0 towards 0. By doubling and bisection.
    """
    if not 0 < level < 1:
        raise InputError(f"level: must lie between 0 and 1, got {level}")
    low, high = 0.0, 1.0
    while tail(high) > 1 - level:
        low, high = high, 2 * high
    while high - low > RELATIVE_TOLERANCE * high:
        middle = (low + high) / 2
        if tail(middle) > 1 - level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _stable(load: float) -> float:
    if not 0 <= load < 1:
        raise InputError(f"load: must be at least 0 and below 1, got {load}")
    return load
