"""Replicas of a router that split the stream selfishly: what K of them lose together at most.

The judges are dispatchers that best-respond to each other in turn until none moves: they know
neither the level of marginal cost nor that the equilibrium is symmetric.
"""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from anarchy.games.queueing.closed_forms import parallel_mm1
from anarchy.games.queueing.dispatchers import (
    Pool,
    enclose,
    equal_dispatchers,
    saturation_loss,
    slowdown_ratio,
    worst_ratio,
)
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.games.theorems.queueing import splits

BOUND, SHARES, SATURATION = "thm:dispatchers", "prop:shares", "prop:dispatchers-saturation"

IN_TURN = "best responses in turn until none moves"
EXACT = "split by one level of marginal cost, enclosed in rationals"

POOLS: dict[str, tuple[tuple[int, ...], tuple[int, ...], Fraction]] = {
    "two": ((4, 1), (0, 0), Fraction(7, 2)),
    "three": ((9, 4, 1), (0, 0, 0), Fraction(12)),
    "prefix": ((1, 1), (0, 24), Fraction(19, 20)),
    "prefixes": ((4, 1, 1), (0, 2, 3), Fraction(4)),
}
"""Service rates, offsets and demands of the checks."""

SETTLED = 1e-13
"""Change of the flows, relative to the demand, below which the dispatchers have come to rest."""

COLD = 10**6
"""Slowdown of the warm server in the instance that comes close to the bound."""

COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Dispatchers of the curves."""

CURVE_POOLS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "1 warm, 999 cold, 100 times slower": ((1,) * 1000, (0, *[99] * 999)),
    "1 warm, 24 cold, 9 times slower": ((1,) * 25, (0, *[8] * 24)),
    "2 workers, one 4 times slower": ((4, 1), (0, 0)),
}
"""Rates and offsets of the curves; the first server is the one that fills."""


def check_rows(most: int | None = None) -> list[Row]:
    """One row per instance; see the module for the judges."""
    return rows_of(
        _equilibrium_rows,
        _bound_rows,
        _attained_rows,
        _slowdown_rows,
        _share_rows,
        _limit_rows,
        _saturation_rows,
        most=most,
    )


def curve_rows() -> list[Row]:
    """Ratios by number of dispatchers: the two bounds, and pools where their cold servers enter.

    Every row: id, series, dispatchers, value and unit.
    """
    rows = []
    for count in COUNTS:
        values = {"upper bound known": math.sqrt(count), "worst case": float(worst_ratio(count))}
        for name, (rates, offsets) in CURVE_POOLS.items():
            demand = entry_demand(rates, offsets, count)
            price = equal_dispatchers(rates, demand, count, offsets).price_of_anarchy
            values[name] = float(price or 1)
        rows += [
            {
                "id": f"{name}:{count}",
                "series": name,
                "dispatchers": count,
                "value": value,
                "unit": "ratio",
            }
            for name, value in values.items()
        ]
    return rows


def entry_demand(rates: Sequence[int], offsets: Sequence[int], dispatchers: int) -> Fraction:
    """The demand at which the first server is so slow that others come into use, or nearly so."""
    level = min(
        offset + Fraction(1, rate) for rate, offset in zip(rates[1:], offsets[1:], strict=True)
    )
    (flow,), _ = _pool(rates[:1], offsets[:1], dispatchers).flows(level, digits=12)
    return flow


def _pool(rates: Sequence[int], offsets: Sequence[int], dispatchers: int) -> Pool:
    kinds = zip(map(Fraction, rates), map(Fraction, offsets), strict=True)
    return Pool(tuple(kinds), (1,) * len(rates), dispatchers)


def in_turn(
    rates: Sequence[float], offsets: Sequence[float], demands: Sequence[float]
) -> list[float]:
    """The flows of all servers once each dispatcher, of `demands` each, replies best to others."""
    flows = [[0.0] * len(rates) for _ in demands]
    total = [0.0] * len(rates)
    moved = math.inf
    while moved > SETTLED * sum(demands):
        moved = 0.0
        for own, demand in zip(flows, demands, strict=True):
            left = [r - t + x for r, t, x in zip(rates, total, own, strict=True)]
            reply = splits.fill(
                [splits.power(r, 2.0, b) for r, b in zip(left, offsets, strict=True)], demand
            )
            moved = max(moved, *(abs(new - old) for new, old in zip(reply, own, strict=True)))
            total = [t - old + new for t, old, new in zip(total, own, reply, strict=True)]
            own[:] = reply
    return total


def loss_in_turn(
    rates: Sequence[float], offsets: Sequence[float], demands: Sequence[float]
) -> float:
    """Cost of those flows over the least cost, in floats."""
    flows = in_turn(rates, offsets, demands)
    least = splits.least_delay(rates, sum(demands), offsets)
    return splits.total_delay(rates, flows, offsets) / least


def flat_alternative_ratio(dispatchers: int, slowdown: int) -> float:
    """Cost over optimum of one server of rate 1 beside a pool so large that it never fills.

    The demand slows the server down by that factor; a request to the pool costs what one more
    request per second to the server would cost its dispatcher, so that none is sent there.
    """
    from scipy.optimize import minimize_scalar  # here, so that others start sooner without

    demand = 1 - Fraction(1, slowdown)
    cold = float(_pool((1,), (0,), dispatchers).marginal(0, demand))
    flow = float(demand)
    # In units of the root of the slack, in which the cost is flat around its least value.
    found = minimize_scalar(
        lambda slack: (1 - slack) / slack + (flow - 1 + slack) * cold,
        bounds=(1 / slowdown, 1.0),
        method="bounded",
        options={"xatol": splits.TOLERANCE},
    )
    return (slowdown - 1) / float(found.fun)


def _equilibrium_rows() -> Iterator[Row]:
    for name, (rates, offsets, demand) in POOLS.items():
        for count in (1, 2, 3, 5):
            report = equal_dispatchers(rates, demand, count, offsets)
            yield check(
                f"dispatchers-equilibrium-{name}-{count}",
                BOUND,
                "cost over optimum of equal dispatchers",
                _setting(rates, offsets, demand, f"{count} dispatchers"),
                loss_in_turn(rates, offsets, [float(demand / count)] * count),
                report.price_of_anarchy,
                IN_TURN,
            )


def _bound_rows() -> Iterator[Row]:
    for name, (rates, offsets, demand) in POOLS.items():
        for count in (2, 4):
            yield check(
                f"dispatchers-bound-{name}-{count}",
                BOUND,
                "cost over optimum of equal dispatchers, below the worst case",
                _setting(rates, offsets, demand, f"{count} dispatchers"),
                loss_in_turn(rates, offsets, [float(demand / count)] * count),
                worst_ratio(count),
                IN_TURN,
                "<=",
            )


def _attained_rows() -> Iterator[Row]:
    """The same statement where it is nearly attained, from either side."""
    for count in (2, 4, 16, 64):
        for relation in ("<=", ">="):
            yield check(
                f"dispatchers-{'below' if relation == '<=' else 'near'}-{count}",
                BOUND,
                f"cost over optimum beside a cold pool that never fills, {relation} the worst case"
                + (" less one per cent" if relation == ">=" else ""),
                f"{count} dispatchers, the warm server slowed down {COLD} times",
                flat_alternative_ratio(count, COLD),
                float(worst_ratio(count)) * (1 if relation == "<=" else 0.99),
                "minimisation over the flow to the warm server",
                relation,
            )


def _slowdown_rows() -> Iterator[Row]:
    for count, slowdown in ((2, 4), (4, 9), (4, 100), (16, 25)):
        yield check(
            f"dispatchers-slowdown-{count}-{slowdown}",
            BOUND,
            "cost over optimum beside a cold pool that never fills",
            f"{count} dispatchers, the warm server slowed down {slowdown} times",
            flat_alternative_ratio(count, slowdown),
            slowdown_ratio(count, slowdown),
            "minimisation over the flow to the warm server",
        )


def _share_rows() -> Iterator[Row]:
    """Unequal shares of the same demand, where all use all servers and where some do not."""
    for name, shares, alike in (
        ("two-one", (2, 1), ("two", "three")),
        ("near", (11, 10, 9), ("two", "three")),
        ("one-large", (8, 1, 1), ()),
        ("many-small", (5, 1, 1, 1, 1, 1), ()),
    ):
        for pool, (rates, offsets, demand) in POOLS.items():
            equal = equal_dispatchers(rates, demand, len(shares), offsets)
            parts = [float(demand * share / sum(shares)) for share in shares]
            same = pool in alike
            yield check(
                f"dispatchers-shares-{name}-{pool}",
                SHARES,
                "cost with unequal shares, "
                + ("the same if all use all servers" if same else "at most that with equal ones"),
                _setting(rates, offsets, demand, f"shares in proportion {_text(shares)}"),
                splits.total_delay(rates, in_turn(rates, offsets, parts), offsets),
                float(equal.equilibrium_cost),
                IN_TURN,
                "=" if same else "<=",
            )


def _limit_rows() -> Iterator[Row]:
    for name in ("two", "three"):
        rates, _, demand = POOLS[name]
        for count, limit in (
            (1, Fraction(1)),
            (10**12, parallel_mm1(rates, demand).price_of_anarchy),
        ):
            yield check(
                f"dispatchers-limit-{name}-{count}",
                BOUND,
                "cost over optimum of one dispatcher and of very many",
                f"rates {_text(rates)}, no offsets, demand {demand}, {count} dispatchers",
                equal_dispatchers(rates, demand, count).price_of_anarchy,
                limit,
                EXACT,
            )


def _saturation_rows() -> Iterator[Row]:
    slack = Fraction(1, 10**40)
    for rates, count in (((4, 1), 2), ((4, 1), 5), ((9, 4, 1), 3), ((7, 5, 2, 1), 16)):
        found, best = (
            enclose(_pool(rates, (0,) * len(rates), k), sum(rates) - slack).cost for k in (count, 1)
        )
        yield check(
            f"dispatchers-saturation-{'-'.join(map(str, rates))}-{count}",
            SATURATION,
            "loss over slack close to capacity",
            f"rates {_text(rates)}, no offsets, {count} dispatchers, slack 10^-40",
            float((found[0] - best[1]) / slack),
            saturation_loss(rates, count),
            EXACT,
        )


def _setting(
    rates: Sequence[int], offsets: Sequence[int], demand: Fraction, dispatchers: str
) -> str:
    paid = f"offsets {_text(offsets)}" if any(offsets) else "no offsets"
    return f"rates {_text(rates)}, {paid}, demand {demand}, {dispatchers}"


def _text(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
