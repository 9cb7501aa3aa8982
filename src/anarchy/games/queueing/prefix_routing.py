"""Selfish routing when a cached prefix is worth something: how much it can lose, and a toll.

M/M/1 servers of rate mu share one stream; whoever joins server j pays its time there, 1/(mu - x_j)
seconds, and an *offset* b_j, the seconds of prefill that a cold cache costs. The cost of a split
is the sum of x_j/(mu - x_j) + b_j x_j. The statements are proved in the paper's section on
parallel queues.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from anarchy.common.errors import InputError
from anarchy.games.common.rational import Extended, at_least, positive, rational, root


def slowdown_bound(slowdown: object) -> Extended:
    """Most that selfish routing loses, (1 + sqrt K)/2.

    K >= 1 is the largest ratio of a server's latency to its latency without load, offsets left
    out, in the equilibrium.
    """
    value, exact = root(at_least(slowdown, "slowdown", 1))
    return (1 + value) / 2 if exact else float((1 + value) / 2)


def prefix_bound(service_rate: object, offset: object) -> Extended:
    """The same for servers of one rate whose offsets are at most `offset`: K <= 1 + mu B."""
    rate, most = positive(service_rate, "service_rate"), at_least(offset, "offset", 0)
    return slowdown_bound(1 + rate * most)


def mistuned_toll_ratio(
    service_rates: Sequence[object], demand: object, exponent: object
) -> Extended:
    """Cost over optimum of the rule "least (n + 1)^(1 + theta)/mu", all servers used by both.

    (P Q - m S)/(R^2 - m S), where P and Q are the sums of mu^(1/(1 + theta)) and
    mu^(theta/(1 + theta)), R that of sqrt mu and S the slack; 1 at `exponent` theta = 1. A float
    unless theta is 1.
    """
    rates = [positive(rate, "service_rates") for rate in service_rates]
    theta = at_least(exponent, "exponent", 0)
    slack = sum(rates, Fraction(0)) - rational(demand, "demand")
    if slack <= 0:
        raise InputError(f"demand: must be below the total service rate {sum(rates)}")
    if theta == 1:
        return Fraction(1)
    whole, idle = [float(rate) for rate in rates], len(rates) * float(slack)

    def total(power: Fraction) -> float:
        return sum(math.pow(rate, power) for rate in whole)

    crossed = total(1 / (1 + theta)) * total(theta / (1 + theta))
    return (crossed - idle) / (total(Fraction(1, 2)) ** 2 - idle)
