"""Closed forms of queues: parallel M/M/1 servers, M/M/c and exact mean value analysis.

Rates are per second, times in seconds; any consistent unit of time will do.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from anarchy.common.errors import InputError
from anarchy.games.common.rational import (
    Extended,
    at_least,
    positive,
    ratio,
    rational,
    root,
    rounded,
)
from anarchy.games.queueing.saturation_point import OperationalKnee, operational_knee

__all__ = [
    "ClosedNetworkReport",
    "OperationalKnee",
    "ParallelQueuesReport",
    "erlang_c",
    "mm1_latency",
    "mmc_latency",
    "mva",
    "operational_knee",
    "parallel_mm1",
    "saturation_limit",
    "saturation_point",
]


MAX_MVA_DIGITS = 2**20
"""Most binary digits of the numbers in an exact mean value analysis."""

MAX_MVA_WORK = 2**36
"""Most clients times stations times binary digits of one: about ten seconds."""


@dataclass(frozen=True)
class ParallelQueuesReport:
    """Equilibrium and optimum of one stream of requests split over parallel M/M/1 servers.

    equilibrium_flow and optimum_flow hold requests per second for each server, None when the
    demand reaches the total capacity and no split has a finite cost. A cost is the sum over
    servers of flow times mean time in the server, which by Little's law is the mean number of
    requests present. Results are Fractions where they are rational, floats where not: `exact`
    says that none was rounded.
    """

    equilibrium_flow: tuple[Extended, ...] | None
    optimum_flow: tuple[Extended, ...] | None
    equilibrium_cost: Extended
    optimum_cost: Extended
    price_of_anarchy: Extended | None
    reason: str | None
    exact: bool
    method: str


def parallel_mm1(
    service_rates: Sequence[object],
    demand: object,
    credit: Sequence[object] | None = None,
) -> ParallelQueuesReport:
    """Split `demand` over M/M/1 servers selfishly and optimally; latency is 1/(mu - x).

    Without `credit` the router is selfish: used servers share one latency, unused ones are no
    faster. With it the router follows a linear proxy of the load: x_j - credit_j is equal on used
    servers and no smaller on unused ones, whatever the true latency, even past capacity.

    Source: Bell and Stidham (1983); Haviv and Roughgarden (2007).
    """
    rates = [positive(rate, "service_rates") for rate in service_rates]
    if not rates:
        raise InputError("service_rates: at least one server is needed")
    flow = at_least(demand, "demand", 0)
    # The proxy still has a split in overload, but its cost is infinite all the same.
    if flow >= sum(rates):
        _, reason = ratio(math.inf, math.inf)
        return ParallelQueuesReport(None, None, math.inf, math.inf, None, reason, True, "overload")
    if credit is None:
        equilibrium, method = _selfish_flow(rates, flow), "equal slack on the used servers"
    else:
        credits = [rational(value, "router.linear-proxy.credit") for value in credit]
        if len(credits) != len(rates):
            raise InputError(f"router.linear-proxy.credit: needs {len(rates)} numbers")
        equilibrium, method = _proxy_flow(credits, flow), "equal load less credit"
    optimum, rational_optimum = _optimum_flow(rates, flow)
    cost = _total_delay(rates, equilibrium)
    # Rounding comes last: near capacity a rounded flow would spoil the cost.
    best = _total_delay(rates, optimum)
    if not rational_optimum:
        best = best if best == math.inf else rounded(Fraction(best))
    price, reason = ratio(cost, best)
    return ParallelQueuesReport(
        equilibrium_flow=tuple(equilibrium),
        optimum_flow=tuple(optimum if rational_optimum else [rounded(x) for x in optimum]),
        equilibrium_cost=cost,
        optimum_cost=best,
        price_of_anarchy=price,
        reason=reason,
        exact=rational_optimum,
        method=method,
    )


def _selfish_flow(rates: list[Fraction], demand: Fraction) -> list[Fraction]:
    """Fill the fastest servers so that the slack mu - x is the same on all that are used."""
    return _split(rates, demand, weights=[Fraction(1)] * len(rates))


def _optimum_flow(rates: list[Fraction], demand: Fraction) -> tuple[list[Fraction], bool]:
    """Slack proportional to sqrt(mu) on the used servers, and whether the flows are exact.

    Only ratios of square roots matter, so rates 2 and 8 are as rational as 1 and 4.
    """
    fastest = max(rates)
    roots = [root(rate / fastest) for rate in rates]
    flows = _split(rates, demand, weights=[value for value, _ in roots])
    used = [exact for flow, (_, exact) in zip(flows, roots, strict=True) if flow > 0]
    return flows, all(used)


def _split(rates: list[Fraction], demand: Fraction, weights: list[Fraction]) -> list[Fraction]:
    """Flows whose slack is proportional to `weights` on the used servers.

    1. Sort the servers from fast to slow.
    2. Server k joins the first k-1 if it then gets a positive flow:
       mu_k > w_k * slack / weight, that is mu_k * weight > w_k * (capacity - demand).
       Both sides move so that once one server is refused all slower ones are.
    3. Share the slack of the servers that joined.
    """
    order = sorted(range(len(rates)), key=lambda j: -rates[j])
    used: list[int] = []
    capacity, weight = Fraction(0), Fraction(0)
    for server in order:
        more, heavier = capacity + rates[server], weight + weights[server]
        if rates[server] * heavier <= weights[server] * (more - demand):
            break
        used.append(server)
        capacity, weight = more, heavier
    flows = [Fraction(0)] * len(rates)
    for server in used:
        flows[server] = rates[server] - weights[server] * (capacity - demand) / weight
    return flows


def _proxy_flow(credits: list[Fraction], demand: Fraction) -> list[Fraction]:
    """Raise one level T until the flows max(0, T + credit_j) add up to the demand."""
    order = sorted(range(len(credits)), key=lambda j: -credits[j])
    total, level = Fraction(0), Fraction(0)
    for used, server in enumerate(order, start=1):
        if used > 1 and level + credits[server] <= 0:
            break
        total += credits[server]
        level = (demand - total) / used
    return [max(Fraction(0), level + credit) for credit in credits]


def _total_delay(rates: list[Fraction], flows: list[Fraction]) -> Extended:
    """Mean number of requests in all servers; infinite when a used server is overloaded."""
    if any(flow >= rate for rate, flow in zip(rates, flows, strict=True) if flow > 0):
        return math.inf
    return sum((flow / (rate - flow) for rate, flow in zip(rates, flows, strict=True)), Fraction(0))


def saturation_limit(service_rates: Sequence[object]) -> Extended:
    """Price of anarchy of parallel M/M/1 servers as the demand tends to the total capacity.

    m sum(mu) / (sum sqrt(mu))^2, between 1 (equal rates) and m: it does not diverge. It follows
    from the closed forms of Bell and Stidham (1983), because near capacity both splits use all m
    servers.
    """
    rates = [positive(rate, "service_rates") for rate in service_rates]
    if not rates:
        raise InputError("service_rates: at least one server is needed")
    roots = [root(rate / max(rates)) for rate in rates]
    limit = len(rates) * sum(rates) / max(rates) / sum(value for value, _ in roots) ** 2
    return limit if all(exact for _, exact in roots) else rounded(limit)


def mm1_latency(service_rate: Fraction, arrival_rate: Fraction) -> Extended:
    """Mean time in an M/M/1 system in seconds; infinite from saturation on.

    Source: Kleinrock (1975).
    """
    if arrival_rate >= service_rate:
        return math.inf
    return 1 / (service_rate - arrival_rate)


def erlang_c(servers: int, offered_load: object) -> Fraction:
    """Probability that an arrival at an M/M/c system has to wait; 1 from saturation on.

    `offered_load` is arrival rate over the service rate of one server. Exact, by the recursion
    of Erlang's loss formula. Source: Erlang (1917).
    """
    if isinstance(servers, bool) or not isinstance(servers, int) or servers < 1:
        raise InputError(f"servers: must be a whole number of at least 1, got {servers!r}")
    load = at_least(offered_load, "offered_load", 0)
    if load >= servers:
        return Fraction(1)
    blocked = Fraction(1)
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def mmc_latency(servers: int, service_rate: Fraction, arrival_rate: Fraction) -> Extended:
    """Mean wait plus service in an M/M/c system in seconds; infinite from saturation on.

    Source: Kleinrock (1975).
    """
    if arrival_rate >= servers * service_rate:
        return math.inf
    wait = erlang_c(servers, arrival_rate / service_rate)
    return wait / (servers * service_rate - arrival_rate) + 1 / service_rate


def mmc_latencies(most: int, service_rate: Fraction, arrival_rate: Fraction) -> list[Extended]:
    """`mmc_latency` of 1, 2, ..., `most` servers, in one pass.

    With the offered load a = p/q and S_c = sum of a^k/k! for k <= c, the probability of waiting is
    c T_c / (c T_c + (c - a) S_(c-1)) for T_c = a^c/c!; kept times c! q^c, they are whole.
    """
    load = arrival_rate / service_rate
    top, bottom = load.as_integer_ratio()
    term, total = 1, 0
    latencies: list[Extended] = []
    for servers in range(1, most + 1):
        total = (total + term) * servers * bottom
        term *= top
        if load >= servers:
            latencies.append(math.inf)
            continue
        # The wait is that probability over c mu - lambda = (c - a) mu.
        spare = servers * bottom - top
        waiting = Fraction(servers * bottom * term, servers * bottom * term + spare * total)
        latencies.append(waiting / (servers * service_rate - arrival_rate) + 1 / service_rate)
    return latencies


@dataclass(frozen=True)
class ClosedNetworkReport:
    """A closed network of single-server stations at a given number of clients.

    throughput        cycles per second
    residence_time    seconds that a cycle spends in the stations, think time excluded
    queue_lengths     mean number of clients at each station
    utilisation       fraction of time that each station is busy
    saturation_point  clients N* at which the asymptotes of the throughput cross
    """

    throughput: Fraction
    residence_time: Fraction
    queue_lengths: tuple[Fraction, ...]
    utilisation: tuple[Fraction, ...]
    saturation_point: Fraction
    method: str


def mva(
    service_demands: Sequence[object], clients: int, think_time: object = 0
) -> ClosedNetworkReport:
    """Exact mean value analysis of a closed product-form network (Reiser and Lavenberg 1980).

    `service_demands` are seconds of work per cycle at each station. For n = 1, 2, ... clients:
    1. an arrival finds the queues of n - 1 clients: R_k = D_k (1 + Q_k);
    2. Little's law for the cycle: X = n / (Z + sum R);
    3. Little's law for each station: Q_k = X R_k.

    The queues are kept as whole numbers h_k over one denominator h, Q_k = h_k / h, and times in
    units of 1/c: with r_k = D_k (h + h_k) the steps become h <- Z h + sum r_k and h_k <- n r_k, so
    nothing has to be reduced before the end. Raises `InputError` where that takes more than
    `MAX_MVA_WORK`.
    """
    demands = [at_least(d, "service_demands", 0) for d in service_demands]
    think = at_least(think_time, "think_time", 0)
    if not any(demands):
        raise InputError("service_demands: at least one must be greater than 0")
    if isinstance(clients, bool) or not isinstance(clients, int) or clients < 1:
        raise InputError(f"clients: must be a whole number of at least 1, got {clients!r}")
    # A length of the largest numbers from above: each client multiplies them by Z + sum D and n.
    units = math.lcm(think.denominator, *(d.denominator for d in demands))
    *work, idle = (d.numerator * (units // d.denominator) for d in (*demands, think))
    digits = clients * (units.bit_length() + (sum(work) + idle + clients).bit_length())
    if digits > MAX_MVA_DIGITS or digits * clients * len(demands) > MAX_MVA_WORK:
        raise InputError(
            f"clients: {clients} at {len(demands)} stations give numbers that are too long; "
            "allowed: fewer clients, or service_demands and think_time with fewer digits"
        )
    whole, queues, waits = 1, [0] * len(work), [0] * len(work)
    before = whole
    for population in range(1, clients + 1):
        waits = [d * (whole + queue) for d, queue in zip(work, queues, strict=True)]
        before, whole = whole, idle * whole + sum(waits)
        queues = [population * wait for wait in waits]
    throughput = Fraction(clients * units * before, whole)
    return ClosedNetworkReport(
        throughput=throughput,
        residence_time=Fraction(sum(waits), units * before),
        queue_lengths=tuple(Fraction(queue, whole) for queue in queues),
        utilisation=tuple(throughput * d for d in demands),
        saturation_point=saturation_point(demands, think),
        method="exact mean value analysis",
    )


def saturation_point(service_demands: Sequence[Fraction], think_time: Fraction) -> Fraction:
    """N* = (Z + sum D) / max D, where the two throughput bounds of a closed network cross.

    Source: the asymptotic bounds of Denning and Buzen (1978).
    """
    return (think_time + sum(service_demands, Fraction(0))) / max(service_demands)
