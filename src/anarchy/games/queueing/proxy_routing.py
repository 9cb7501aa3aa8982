"""What routers cost that follow a proxy of latency: closed forms on parallel M/M/1 servers.

m servers share one stream of `demand` requests per second. A *linear proxy* equalises load less
credit, x_j - credit_j (both in requests per second), on the servers that it uses; a
*latency-aware* router equalises latency less credit, 1/(mu_j - x_j) - credit_j (both in seconds).
The cost of a split is the sum of x_j/(mu_j - x_j), the mean number of requests present. The
statements are proved in the paper's section on parallel queues.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from anarchy.common.errors import InputError
from anarchy.games.common.rational import Extended, at_least, positive, rational, root


def critical_demand(service_rates: Sequence[object], credits: Sequence[object]) -> Fraction:
    """The demand from which on a linear proxy overloads a server, in requests per second.

    With T = min(mu_j - credit_j), the level of the proxy at which the first server is full, it is
    the sum of max(0, T + credit_j): the capacity exactly if all mu_j - credit_j are equal, less
    otherwise. Raises InputError on rates that are not positive or lists of different length.
    """
    rates = [positive(rate, "service_rates") for rate in service_rates]
    given = [rational(value, "credits") for value in credits]
    if not rates or len(given) != len(rates):
        raise InputError(f"credits: needs one number per server, {len(rates)} (at least 1)")
    level = min(rate - credit for rate, credit in zip(rates, given, strict=True))
    return sum((max(Fraction(0), level + credit) for credit in given), Fraction(0))


def linear_proxy_ratio(
    service_rate: object, demand: object, credits: Sequence[object]
) -> Fraction | float:
    """Cost over optimum of a linear proxy on equal servers of which it uses all.

    1 + (mu/r) sum_j u_j^2 / (1 - u_j), where u_j = m (credit_j - mean credit) / S and
    S = m mu - r; infinite once some u_j >= 1. Raises InputError outside 0 < r < m mu, and where
    the proxy leaves a server idle: r < m (mean credit - lowest credit).
    """
    rate, flow = positive(service_rate, "service_rate"), positive(demand, "demand")
    given = [rational(value, "credits") for value in credits]
    slack = _slack(rate, flow, len(given))
    mean = sum(given, Fraction(0)) / len(given)
    if flow < len(given) * (mean - min(given)):
        raise InputError("demand: too low, the proxy leaves a server idle and the law says nothing")
    shares = [len(given) * (credit - mean) / slack for credit in given]
    if max(shares) >= 1:
        return math.inf
    return 1 + rate / flow * sum((u * u / (1 - u) for u in shares), Fraction(0))


def latency_aware_ratio(service_rate: object, demand: object, credit: object) -> Extended:
    """Cost over optimum of a latency-aware router on two equal servers, `credit` >= 0 on one.

    1 + (mu/r) (sqrt(1 + (credit S/2)^2) - 1) with S = 2 mu - r while both servers are used, and
    S / (2 (mu - r)) at demands up to mu^2 credit / (1 + mu credit), which use one. Raises
    InputError outside 0 < r < 2 mu.
    """
    rate, flow = positive(service_rate, "service_rate"), positive(demand, "demand")
    seconds = at_least(credit, "credit", 0)
    slack = _slack(rate, flow, 2)
    if flow <= rate**2 * seconds / (1 + rate * seconds):
        return slack / (2 * (rate - flow))
    distance, exact = root(1 + (seconds * slack / 2) ** 2)
    ratio = 1 + rate / flow * (distance - 1)
    return ratio if exact else float(ratio)


def latency_aware_bound(
    service_rate: object, demand: object, credits: Sequence[object]
) -> Fraction:
    """Upper bound 1 + mu (c_max - c_min)^2 S^2 / (4 m r) of a latency-aware router's ratio.

    It holds whether or not the router uses all servers. Raises InputError outside 0 < r < m mu.
    """
    rate, flow = positive(service_rate, "service_rate"), positive(demand, "demand")
    given = [rational(value, "credits") for value in credits]
    slack = _slack(rate, flow, len(given))
    return 1 + rate * (max(given) - min(given)) ** 2 * slack**2 / (4 * len(given) * flow)


def _slack(rate: Fraction, demand: Fraction, servers: int) -> Fraction:
    slack = servers * rate - demand
    if slack <= 0:
        raise InputError(f"demand: must be below the total service rate {servers * rate}")
    return slack
