"""Selfish routing with cached prefixes: its worst case, where it peaks, and the toll against it.

Unlike a stream without prefixes it is not bounded by the number of servers: one warm server beside
many cold ones loses up to (1 + sqrt K)/2, K being how much slower it is than without load.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from anarchy.games.common.rational import rational
from anarchy.games.queueing.prefix_routing import (
    mistuned_toll_ratio,
    prefix_bound,
    slowdown_bound,
)
from anarchy.games.queueing.seen_queues import Price, least_cost, rule_cost
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.games.theorems.queueing import splits
from anarchy.games.theorems.queueing.saturation import NUMERIC

SELFISH, TOLL = "thm:selfish-prefix", "prop:toll"

LOSS = "cost over optimum of selfish routing with prefixes"

POOLS: dict[str, tuple[tuple[int, ...], Fraction]] = {
    "two": ((0, 24), Fraction(24, 25)),
    "two-peak": ((0, 24), Fraction(961, 1000)),
    "two-late": ((0, 24), Fraction(3, 2)),
    "four": ((0, 3, 8, 8), Fraction(2)),
    "many-cold": ((0, *[8] * 24), Fraction(9, 10)),
    "two-loaded": ((0, 3), Fraction(3, 2)),
    "half-cold": ((0, 0, 0, 3, 3, 3), Fraction(5, 2)),
}
"""Offsets, in units of the unloaded time in a server of rate 1, and demands of the checks."""


SEEN: dict[str, tuple[str, Price, str, str]] = {
    "linear": ("2 n + 1", lambda held, rate: (2 * held + 1) / rate, "<=", "1.006"),
    "square": ("(n + 1)^2", lambda held, rate: (held + 1) ** 2 / rate, ">=", "1.03"),
    "selfish": ("n + 1", lambda held, rate: (held + 1) / rate, ">=", "1.05"),
}
"""Rules of a router that sees n requests at a server: in words, its price, and what it costs at
most, or at least, over the best."""


def check_rows(most: int | None = None) -> list[Row]:
    """One row per instance; the solvers find roots or minimise the cost."""
    return rows_of(
        _beyond_servers_rows,
        _flat_rows,
        _bound_rows,
        _slowdown_rows,
        _toll_rows,
        _seen_rows,
        most=most,
    )


def selfish_flows(
    rates: Sequence[float], offsets: Sequence[float], demand: Fraction
) -> list[float]:
    """The equilibrium: one common level of latency plus offset on the servers in use."""
    inverses = [splits.latency(rate, -offset) for rate, offset in zip(rates, offsets, strict=True)]
    return splits.fill(inverses, float(demand))


def selfish_ratio(rates: Sequence[float], offsets: Sequence[float], demand: Fraction) -> float:
    """Cost of the equilibrium over the least cost, in floats."""
    flows = selfish_flows(rates, offsets, demand)
    best = splits.least_delay(rates, float(demand), offsets)
    return splits.total_delay(rates, flows, offsets) / best


def flat_alternative_ratio(rate: float, latency: float) -> float:
    """Cost over optimum of one server beside an alternative of a latency that load leaves alone.

    The demand is what brings the server to that latency.
    """
    from scipy.optimize import minimize_scalar  # here, so that others start sooner without

    demand = rate - 1 / latency
    found = minimize_scalar(
        lambda flow: flow / (rate - flow) + (demand - flow) * latency,
        bounds=(0.0, demand),
        method="bounded",
        options={"xatol": splits.TOLERANCE},
    )
    return demand * latency / float(found.fun)


def _beyond_servers_rows() -> Iterator[Row]:
    """Two servers lose more than twice the optimum: the bound of a stream without prefixes."""
    offsets, demand = POOLS["two"]
    # All on the warm server costs 24, the split (4/5, 4/25) costs 4216/525.
    yield check(
        "prefix-beyond-servers",
        SELFISH,
        f"{LOSS}, beside one split worked out by hand",
        f"2 servers of rate 1, offsets {_text(offsets)}, demand {demand}",
        selfish_ratio([1, 1], offsets, demand),
        24 / Fraction(4216, 525),
        NUMERIC,
        ">=",
    )


def _flat_rows() -> Iterator[Row]:
    """The worst case: a cold pool so large that its latency does not move."""
    for rate, latency in ((1, 4), (1, 10), (1, 100), (2, 8)):
        slowdown = rate * latency
        yield check(
            f"prefix-flat-{rate}-{latency}",
            SELFISH,
            f"{LOSS}, beside a cold pool that never fills",
            f"one warm server of rate {rate}, {slowdown} times slower at equilibrium than unloaded",
            flat_alternative_ratio(rate, latency),
            slowdown_bound(slowdown),
            "minimisation over the flow to the warm server",
        )


def _bound_rows() -> Iterator[Row]:
    for name, (offsets, demand) in POOLS.items():
        yield check(
            f"prefix-bound-{name}",
            SELFISH,
            f"{LOSS}, below the bound of its largest offset",
            f"{len(offsets)} servers of rate 1, offsets {_text(sorted(set(offsets)))}, "
            f"demand {demand}",
            selfish_ratio([1.0] * len(offsets), offsets, demand),
            prefix_bound(1, max(offsets)),
            NUMERIC,
            "<=",
        )


def _slowdown_rows() -> Iterator[Row]:
    """Servers of unequal rates: the slowdown of the equilibrium itself is what bounds the loss."""
    for name, rates, offsets, demand in (
        ("unequal", (4.0, 1.0, 1.0), (0.0, 1.0, 2.0), Fraction(3)),
        ("fast-cold", (1.0, 50.0), (0.0, 20.0), Fraction(95, 100)),
    ):
        flows = selfish_flows(rates, offsets, demand)
        slowdown = max(rate / (rate - flow) for rate, flow in zip(rates, flows, strict=True))
        yield check(
            f"prefix-slowdown-{name}",
            SELFISH,
            f"{LOSS}, below the bound of the largest slowdown",
            f"rates {_text(rates)}, offsets {_text(offsets)}, demand {demand}",
            selfish_ratio(rates, offsets, demand),
            slowdown_bound(rational(slowdown, "slowdown")),
            NUMERIC,
            "<=",
        )


def _toll_rows() -> Iterator[Row]:
    def ratio(
        rates: Sequence[float], offsets: Sequence[float], demand: Fraction, exponent: float
    ) -> float:
        inverses = [
            splits.power(rate, exponent, offset)
            for rate, offset in zip(rates, offsets, strict=True)
        ]
        flows = splits.fill(inverses, float(demand))
        best = splits.least_delay(rates, float(demand), offsets)
        return splits.total_delay(rates, flows, offsets) / best

    for name, (offsets, demand) in POOLS.items():
        yield check(
            f"prefix-toll-{name}",
            TOLL,
            "cost over optimum of the rule that squares the queue",
            f"{len(offsets)} servers of rate 1, offsets {_text(sorted(set(offsets)))}, "
            f"demand {demand}",
            ratio([1.0] * len(offsets), offsets, demand, 2.0),
            Fraction(1),
            NUMERIC,
        )
    for theta in (Fraction(0), Fraction(1, 2), Fraction(2)):
        rates, demand = (9, 4, 1), Fraction(27, 2)
        yield check(
            f"prefix-mistuned-{theta}".replace("/", "-"),
            TOLL,
            "cost over optimum with another exponent",
            f"rates {_text(rates)}, no offsets, demand {demand}, exponent {1 + theta}",
            ratio(rates, (0.0,) * 3, demand, float(1 + theta)),
            mistuned_toll_ratio(rates, demand, theta),
            NUMERIC,
        )


def _seen_rows() -> Iterator[Row]:
    """A router that sees the queues: a toll that is linear in them comes closest to the best."""
    for rates, demand, rules in (
        ((4, 1), 3, SEEN),
        ((4, 1), 4, ("linear",)),
        ((9, 1), 6, ("linear",)),
    ):
        best = least_cost(rates, demand)
        for name in rules:
            words, price, relation, stated = SEEN[name]
            yield check(
                f"prefix-seen-{name}-{rates[0]}-{demand}",
                TOLL,
                f"cost over that of the best router that sees the queues, {name}",
                f"rates {_text(rates)}, demand {demand}, least ({words})/mu",
                rule_cost(rates, demand, price) / best,
                Fraction(stated),
                "value iteration on the two queues",
                relation,
            )


def _text(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
