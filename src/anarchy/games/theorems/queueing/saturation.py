"""The saturation law, its pole and the parallel queues around it: instances, checks and curves."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from anarchy.games.common.rational import Extended, exact_text, rational
from anarchy.games.queueing.closed_forms import parallel_mm1, saturation_limit
from anarchy.games.queueing.proxy_routing import (
    critical_demand,
    latency_aware_bound,
    latency_aware_ratio,
    linear_proxy_ratio,
)
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.games.theorems.queueing import splits

CURVE_CREDITS = (Fraction(1, 8), Fraction(1, 4), Fraction(1, 2))
"""Credits of the figure, in units of mu for loads and of 1/mu for latencies."""

CURVE_SERVERS = (2, 5)
"""Pool sizes whose critical load the figure shows."""

BY_HAND = "exact split, levels raised server by server"
NUMERIC = "split by root finding, optimum by sequential quadratic programming"
BISECTED = "bisection for the first demand of infinite cost"

PROXY_RATIO = "cost over optimum under a linear proxy"
AWARE_RATIO = "cost over optimum of a latency-aware router"
CRITICAL = "first overloading demand over capacity"


def check_rows(most: int | None = None) -> list[Row]:
    """Instances of the statements on parallel queues, each beside a solver ignorant of them."""
    return rows_of(
        _parallel_rows,
        _slack_rows,
        _proxy_rows,
        _critical_rows,
        _latency_aware_rows,
        most=most,
    )


def _numeric_ratio(
    rates: Sequence[int], demand: Fraction, inverses: Sequence[splits.Inverse]
) -> float:
    """Cost of the split that equalises the proxies over the least cost, in floats."""
    flows = splits.fill(inverses, float(demand))
    return splits.total_delay(rates, flows) / splits.least_delay(rates, float(demand))


def _parallel_rows() -> list[Row]:
    def row(name: str, rates: list[int], demand: Fraction, stated: Extended, relation: str) -> Row:
        return check(
            f"saturation-parallel-{name}",
            "prop:parallel",
            "cost over optimum of selfish routing",
            f"M/M/1 servers of rates {_text(rates)}, demand {demand}",
            _numeric_ratio(rates, demand, [splits.latency(rate, 0) for rate in rates]),
            stated,
            NUMERIC,
            relation,
        )

    near = Fraction(139, 10)
    return [
        row("entry", [4, 1], Fraction(3), Fraction(6, 5), "="),
        # r m / [(sum sqrt mu)^2 - m S], as both splits use all servers.
        row("all-used", [9, 4, 1], near, 3 * near / (36 - 3 * (14 - near)), "="),
        row("above-limit", [9, 4, 1], near, saturation_limit([9, 4, 1]), ">="),
        row("equal", [2, 2, 2], Fraction(5), Fraction(1), "="),
        # Selfish routing uses the fast server alone, the optimum all three.
        row("servers-of-the-optimum", [400, 1, 1], Fraction(399), Fraction(3), "<="),
    ]


def _slack_rows() -> list[Row]:
    """Any split at all: here every server has the same utilisation."""

    def row(name: str, demand: Fraction, relation: str) -> Row:
        rates = [9, 4, 1]
        flows = [demand * rate / sum(rates) for rate in rates]
        slacks = [rate - flow for rate, flow in zip(rates, flows, strict=True)]
        cost = sum(flow / slack for flow, slack in zip(flows, slacks, strict=True))
        marginal = [math.isqrt(rate) / slack for rate, slack in zip(rates, slacks, strict=True)]
        return check(
            f"saturation-slack-{name}",
            "lem:slack",
            "cost over optimum of a split",
            f"M/M/1 servers of rates {_text(rates)} with equal utilisation, demand {demand}",
            float(cost) / splits.least_delay(rates, float(demand)),
            cost / (cost - sum(slacks) * _weighted_variance(slacks, marginal)),
            "optimum by sequential quadratic programming",
            relation,
        )

    return [row("all-used", Fraction(12), "="), row("one-idle", Fraction(5), "<=")]


def _proxy_rows() -> Iterator[Row]:
    quarter, pole = Fraction(1, 4), Fraction(7, 4)
    two, three = [quarter, Fraction(0)], [Fraction(1, 2), quarter, Fraction(0)]
    for name, credits, demand in (
        ("two", two, Fraction(3, 2)),
        ("two-just-used", two, quarter),
        ("two-near-pole", two, pole - Fraction(1, 1000)),
        ("two-at-pole", two, pole),
        ("two-beyond-pole", two, Fraction(9, 5)),
        ("three", three, Fraction(2)),
        ("three-tied", [quarter, quarter, Fraction(0)], Fraction(5, 2)),
        ("three-at-pole", three, Fraction(9, 4)),
    ):
        rates, stated = [1] * len(credits), linear_proxy_ratio(1, demand, credits)
        setting = f"rates 1, credits {_text(credits)}, demand {demand}"
        given = ("thm:saturation", PROXY_RATIO, setting)
        exact = parallel_mm1(rates, demand, credits).price_of_anarchy
        yield check(f"saturation-proxy-{name}", *given, exact, stated, BY_HAND)
        if stated < math.inf:
            inverses = [splits.linear(float(credit)) for credit in credits]
            found = _numeric_ratio(rates, demand, inverses)
            yield check(f"saturation-proxy-{name}-numeric", *given, found, stated, NUMERIC)
    low = Fraction(1, 5)
    yield check(
        "saturation-proxy-two-unused",
        "thm:saturation",
        PROXY_RATIO,
        f"rates 1, credits {_text(two)}, demand {low}, at which one server is idle",
        parallel_mm1([1, 1], low, two).price_of_anarchy,
        (2 - low) / (2 * (1 - low)),
        BY_HAND,
    )


def _critical_rows() -> Iterator[Row]:
    cases: tuple[tuple[str, list[int], list[str]], ...] = (
        ("two", [1, 1], ["1/4", "0"]),
        ("three", [1, 1, 1], ["1/2", "1/4", "0"]),
        ("one-favoured-of-five", [1] * 5, ["1/2", "0", "0", "0", "0"]),
        # Servers idle at the critical demand, where the linear law alone would say 1/2 and 1/6.
        ("one-idle", [1, 1, 1], ["5/4", "1", "0"]),
        ("all-but-one-idle", [1, 1, 1], ["3/2", "1/2", "0"]),
        ("unequal", [4, 1], ["0", "0"]),
        # Credits that make the proxies agree at capacity.
        ("calibrated", [4, 1], ["3", "0"]),
    )
    for name, rates, credits in cases:
        yield check(
            f"saturation-critical-{name}",
            "thm:finite-proxy",
            CRITICAL,
            f"rates {_text(rates)}, linear proxy, credits {_text(credits)}",
            float(_first_overload(rates, credits)),
            critical_demand(rates, credits) / sum(rates),
            BISECTED,
        )
    # x^2 - 3/4 and x^2 reach 1/4, at which the first server is full, at loads 1 and 1/2.
    curved = [splits.squared(0.75), splits.squared(0.0)]
    yield check(
        "saturation-critical-squared",
        "thm:finite-proxy",
        CRITICAL,
        "rates 1, proxy: squared load, less credits 3/4, 0",
        float(splits.first_overload(lambda share: splits.fill(curved, float(2 * share))[0] >= 1)),
        Fraction(3, 4),
        BISECTED,
    )


def _latency_aware_rows() -> Iterator[Row]:
    for name, rate, demand, credit in (
        ("two", 1, Fraction(3, 2), Fraction(3)),
        ("two-irrational", 2, Fraction(3), Fraction(1, 4)),
        ("two-just-used", 1, Fraction(1, 5), Fraction(1, 4)),
        ("two-unused", 1, Fraction(1, 6), Fraction(1, 4)),
        ("two-fast-unused", 2, Fraction(1, 2), Fraction(1, 4)),
        # The linear proxy with the same credit has been overloaded from 7/4 on.
        ("two-near-capacity", 1, Fraction(19, 10), Fraction(1, 4)),
    ):
        credits = [credit, Fraction(0)]
        setting = f"rates {rate}, credits {_text(credits)}, demand {demand}"
        given = ("thm:latency-aware", AWARE_RATIO, setting)
        inverses = [splits.latency(rate, float(credit)) for credit in credits]
        found = _numeric_ratio([rate, rate], demand, inverses)
        stated = latency_aware_ratio(rate, demand, credit)
        yield check(f"saturation-aware-{name}", *given, found, stated, NUMERIC)
        bound = latency_aware_bound(rate, demand, credits)
        yield check(f"saturation-aware-{name}-bound", *given, found, bound, NUMERIC, "<=")
    # Slacks 1/2, 1/3, 1/6 are latencies 2, 3, 6, hence credits 0, 1, 4 and demand 2.
    slacks = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    credits = [Fraction(0), Fraction(1), Fraction(4)]
    given = ("thm:latency-aware", AWARE_RATIO, "rates 1, credits 0, 1, 4, demand 2")
    inverses = [splits.latency(1, float(credit)) for credit in credits]
    found = _numeric_ratio([1, 1, 1], Fraction(2), inverses)
    stated = 1 + _weighted_variance(slacks, credits) / (3 * 2)
    yield check("saturation-aware-three", *given, found, stated, NUMERIC)
    bound = latency_aware_bound(1, 2, credits)
    yield check("saturation-aware-three-bound", *given, found, bound, NUMERIC, "<=")
    # 16 blocks a request and a cached prefix of 4 are a credit of 4/(16 * 2) = 1/8 s.
    inverses = [splits.active_blocks(2, 16, credit) for credit in (4, 0)]
    yield check(
        "saturation-aware-active-blocks",
        "cor:blocks",
        "cost over optimum of a router that counts the blocks present",
        "rates 2, requests of 16 blocks, prefixes of 4 and 0 cached, demand 3",
        _numeric_ratio([2, 2], Fraction(3), inverses),
        latency_aware_ratio(2, 3, Fraction(1, 8)),
        NUMERIC,
    )


def _text(values: Sequence[object]) -> str:
    return ", ".join(str(value) for value in values)


def curve_rows() -> list[dict[str, Any]]:
    """The rows behind the figure, for servers of rate 1.

    Every row: id, quantity ("price of anarchy" or "critical load"), router ("plain",
    "linear-proxy" or "latency-aware"), servers, credit of the one favoured server, load (demand
    over capacity, None for a critical load), value, exact, unit, pole (load at which the law puts
    the pole, None where there is none below capacity).
    """
    rows = []
    percents = [Fraction(percent, 100) for percent in range(1, 100)]
    for load in percents:
        value = parallel_mm1([1, 1], 2 * load).price_of_anarchy
        rows.append(_curve_row("plain", Fraction(0), load, value, None))
    for credit in CURVE_CREDITS:
        pole = critical_demand([1, 1], [credit, 0]) / 2
        # The loads at which the second server comes into use, and close to the pole.
        extra = {credit / 2, credit / (1 + credit) / 2, pole}
        extra |= {pole - Fraction(1, 50 * 2**halvings) for halvings in range(9)}
        for load in sorted({*percents, *extra}):
            value = parallel_mm1([1, 1], 2 * load, [credit, 0]).price_of_anarchy
            rows.append(_curve_row("linear-proxy", credit, load, value, pole))
            value = latency_aware_ratio(1, 2 * load, credit)
            rows.append(_curve_row("latency-aware", credit, load, value, None))
    for servers in CURVE_SERVERS:
        for eighths in range(13):
            credit = Fraction(eighths, 8)
            credits = [credit] + [Fraction(0)] * (servers - 1)
            rows.append(
                {
                    "id": f"saturation-critical:{servers}:credit-{credit}",
                    "quantity": "critical load",
                    "router": "linear-proxy",
                    "servers": servers,
                    "credit": float(credit),
                    "load": None,
                    "value": float(_first_overload([1] * servers, credits)),
                    "exact": None,
                    "unit": "ratio",
                    "pole": float(critical_demand([1] * servers, credits) / servers),
                }
            )
    return rows


def _curve_row(
    router: str, credit: Fraction, load: Fraction, value: Extended | None, pole: Fraction | None
) -> dict[str, Any]:
    return {
        "id": f"saturation-{router}:credit-{credit}:load-{load}",
        "quantity": "price of anarchy",
        "router": router,
        "servers": 2,
        "credit": float(credit),
        "load": float(load),
        "value": None if value is None else float(value),
        "exact": exact_text(value),
        "unit": "ratio",
        "pole": None if pole is None else float(pole),
    }


def _weighted_variance(weights: Sequence[Fraction], values: Sequence[Fraction]) -> Fraction:
    total = sum(weights, Fraction(0))
    mean = sum((w * v for w, v in zip(weights, values, strict=True)), Fraction(0)) / total
    squares = (w * (v - mean) ** 2 for w, v in zip(weights, values, strict=True))
    return sum(squares, Fraction(0)) / total


def _first_overload(rates: Sequence[object], credits: Sequence[object]) -> Fraction:
    """Share of the capacity from which on a linear proxy's cost is infinite, 1 if none below."""
    capacity = sum((rational(rate, "rates") for rate in rates), Fraction(0))
    return splits.first_overload(
        lambda share: parallel_mm1(rates, share * capacity, credits).equilibrium_cost == math.inf
    )
