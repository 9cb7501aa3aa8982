"""Rows of the reference-bounds table and of the parallel-server curves, computed by the solvers."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from anarchy.games.common import literature
from anarchy.games.common.equilibrium_report import EquilibriumReport
from anarchy.games.common.latency import MM1, Latency, Polynomial
from anarchy.games.common.literature import KnownBound
from anarchy.games.common.rational import Extended, exact_text
from anarchy.games.common.smoothness import tight_poa
from anarchy.games.placement import topology
from anarchy.games.placement.game import CachingGame
from anarchy.games.placement.solve import solve_placement
from anarchy.games.queueing.closed_forms import parallel_mm1, saturation_limit
from anarchy.games.queueing.dispatchers import worst_ratio
from anarchy.games.routing import congestion, identical_servers, two_stage
from anarchy.games.routing.solve import solve_routing

Row = dict[str, Any]

AFFINE = Polynomial((Fraction(0), Fraction(1)))

PLAYERS = 12
"""Players of the tight bounds; for degrees up to 4 more players do not raise them."""

SERVER_LOAD = 12
"""Largest load of the identical servers; more does not change the first four digits."""

OFFSET_WEIGHTS = tuple(Fraction(*pair) for pair in ((1, 3), (2, 3), (1, 1), (5, 3), (2, 1), (4, 1)))
"""Weights at which the bound with offsets is shown: its flat part and both sides of it."""

CURVE_RATES = ((4, 1), (9, 4, 1), (16, 1, 1), (1, 1))
"""Service rates of the parallel-server curves; equal ones are the control, with ratio 1."""

CURVE_LOADS = (
    *(Fraction(percent, 100) for percent in range(1, 100)),
    *(1 - Fraction(1, 10**digits) for digits in (3, 4, 5)),
)
"""Loads of the curves: percent by percent, and close to capacity, where they meet their limit."""

WORST_ATOMIC, WORST_NONATOMIC = "worst equilibrium, atomic", "worst equilibrium, nonatomic"

LITERATURE, DERIVED = "closed form of the reference", "closed form derived in the text"
"""Methods of the rows that no certificate or enumeration backs."""


def bounds_rows() -> list[Row]:
    """The table of reference bounds, each row computed when this is called.

    Every row: id, quantity and setting (plain words), value (float), exact (lowest-terms string,
    None if irrational), unit "ratio", source (of the theorem, short), method, certified (True
    when the value is proven here by a checked certificate or by exhaustion, False when a closed
    form was evaluated: `LITERATURE` if we take it from the source, `DERIVED` if we prove it).
    """
    return [
        *_tight_rows(),
        *_offset_rows(),
        *_formula_rows(),
        *_routing_instance_rows(),
        *_caching_rows(),
        *_parallel_server_rows(),
    ]


def mm1_curve_rows(service_rates: Sequence[object], fractions: Iterable[Fraction]) -> list[Row]:
    """Price of anarchy of parallel M/M/1 servers at loads given as fractions of their capacity.

    Every row: id, rates (text), load (fraction of capacity), value and exact (the ratio, None with
    a reason at load 0 and from load 1 on), unit, the two costs (mean number of requests present)
    and how many servers each split uses.
    """
    rates = [Fraction(str(rate)) for rate in service_rates]
    label = ", ".join(str(rate) for rate in rates)
    rows = []
    for fraction in fractions:
        report = parallel_mm1(rates, fraction * sum(rates))
        rows.append(
            {
                "id": f"mm1:{label.replace(', ', '-')}:load-{fraction}",
                "rates": label,
                "load": float(fraction),
                "value": _number(report.price_of_anarchy),
                "exact": exact_text(report.price_of_anarchy),
                "unit": "ratio",
                "equilibrium_cost": _number(report.equilibrium_cost),
                "optimum_cost": _number(report.optimum_cost),
                "equilibrium_servers": _used(report.equilibrium_flow),
                "optimum_servers": _used(report.optimum_flow),
                "reason": report.reason,
            }
        )
    return rows


def parallel_queues_rows() -> list[Row]:
    """The curves of the parallel-server figure: `mm1_curve_rows` of every set of service rates."""
    return [row for rates in CURVE_RATES for row in mm1_curve_rows(rates, CURVE_LOADS)]


def _number(value: Extended | None) -> float | None:
    return None if value is None else float(value)


def _used(flow: tuple[Extended, ...] | None) -> int | None:
    return None if flow is None else sum(x > 0 for x in flow)


def _row(
    name: str,
    quantity: str,
    setting: str,
    value: Extended | None,
    source: str,
    method: str,
    certified: bool,
) -> Row:
    return {
        "id": name,
        "quantity": quantity,
        "setting": setting,
        "value": _number(value),
        "exact": exact_text(value),
        "unit": "ratio",
        "source": source,
        "method": method,
        "certified": certified,
    }


def _tight_row(
    name: str, setting: str, latency: Latency, players: int, source: str, weight: object = None
) -> Row:
    bound = tight_poa([latency], players, weight)
    certified = bound.certificate is not None and bound.certificate.check()
    return _row(name, WORST_ATOMIC, setting, bound.poa, source, bound.method, certified)


def _tight_rows() -> Iterator[Row]:
    """Tight bounds of unweighted atomic congestion games."""
    names = {1: "affine", 2: "quadratic", 3: "cubic", 4: "quartic"}
    for degree, name in names.items():
        monomial = Polynomial((Fraction(0),) * degree + (Fraction(1),))
        setting = f"{name} latencies, {PLAYERS} players"
        source = "Awerbuch et al. 2005" if degree == 1 else "Aland et al. 2011"
        yield _tight_row(f"atomic-degree-{degree}", setting, monomial, PLAYERS, source)
    yield _tight_row(
        "atomic-affine-two-players",
        "affine latencies, 2 players",
        AFFINE,
        2,
        "Christodoulou and Koutsoupias 2005",
    )
    identical = identical_servers.worst_case(SERVER_LOAD)
    yield _row(
        "atomic-identical-servers",
        WORST_ATOMIC,
        f"identical linear servers, each request restricted to some, load up to {SERVER_LOAD}",
        identical.point[0],
        "Caragiannis et al. 2011",
        "linear program over counts of servers, exact vertex with dual certificate",
        identical.check(),
    )
    for rate in (5, 10):
        setting = f"M/M/1 latencies of rate {rate}, 4 players"
        source = "Chandan et al. 2024"
        yield _tight_row(f"atomic-mm1-rate-{rate}", setting, MM1(Fraction(rate)), 4, source)


def _offset_rows() -> Iterator[Row]:
    """Bounds when an overlap offset is perceived at another weight than it has in the cost."""
    for weight in OFFSET_WEIGHTS:
        yield _tight_row(
            f"offset-weight-{weight}".replace("/", "-"),
            f"affine latencies and offsets perceived at weight {weight}, {PLAYERS} players",
            AFFINE,
            PLAYERS,
            "this paper",
            weight,
        )


def _formula_rows() -> Iterator[Row]:
    """Constants of the literature that are evaluated, not re-proven."""

    def row(name: str, quantity: str, setting: str, found: KnownBound) -> Row:
        return _row(name, quantity, setting, found.value, found.source, LITERATURE, False)

    for degree in (1, 2, 3):
        found = literature.weighted_polynomial(degree)
        setting = f"weighted players, degree {degree}"
        yield row(f"weighted-degree-{degree}", WORST_ATOMIC, setting, found)
    for degree in (1, 2, 3):
        found = literature.nonatomic_polynomial(degree)
        yield row(f"nonatomic-degree-{degree}", WORST_NONATOMIC, f"degree {degree}", found)
    yield row(
        "symmetric-affine-4",
        WORST_ATOMIC,
        "symmetric affine games, 4 players",
        literature.symmetric_affine(4),
    )
    yield row(
        "affine-price-of-stability",
        "best equilibrium, atomic",
        "affine latencies",
        literature.affine_price_of_stability(),
    )
    yield row(
        "greedy-selfish",
        "one greedy pass",
        "affine latencies, each arrival minds its own cost",
        literature.greedy_selfish(),
    )
    yield row(
        "greedy-least-increase",
        "one greedy pass",
        "affine latencies, each arrival adds least to the total",
        literature.greedy_least_increase(),
    )


def _enumerated(name: str, setting: str, report: EquilibriumReport, source: str) -> Row:
    return _row(
        name,
        "one instance, worst equilibrium",
        setting,
        report.price_of_anarchy,
        source,
        report.method,
        report.exact,
    )


def _routing_instance_rows() -> Iterator[Row]:
    """Small routing games that attain the affine bound."""
    yield _enumerated(
        "instance-three-players",
        "three players, six linear resources",
        solve_routing(three_player_game()),
        "Christodoulou and Koutsoupias 2005",
    )
    yield _enumerated(
        "instance-two-workers-offset",
        "two requests, two linear workers, offsets perceived at weight 2/3",
        solve_routing(two_worker_game(Fraction(2, 3))),
        "this paper",
    )
    yield _enumerated(
        "instance-two-stages",
        "four requests on two stages, each with two pairs of linear workers",
        two_stage.solve(four_request_game()),
        "this paper",
    )


def three_player_game() -> congestion.CongestionGame:
    """The instance on which the affine bound is attained (Christodoulou and Koutsoupias 2005).

    Player i may use {h_i, g_i} or {g_(i+1), h_(i-1), h_(i+1)}: all on the second is an
    equilibrium, all on the first is the optimum.
    """
    players = []
    for i in range(3):
        after, before = (i + 1) % 3, (i + 2) % 3
        players.append(
            (
                congestion.Strategy(frozenset({f"h{i}", f"g{i}"})),
                congestion.Strategy(frozenset({f"g{after}", f"h{before}", f"h{after}"})),
            )
        )
    names = [f"{kind}{i}" for kind in "hg" for i in range(3)]
    return congestion.CongestionGame(dict.fromkeys(names, AFFINE), tuple(players))


def two_worker_game(weight: Fraction) -> congestion.CongestionGame:
    """Two requests, two linear workers, each request with its prefix on a worker of its own.

    Off its own worker a request pays the offset 1/weight and perceives it as 1. Both requests on
    the wrong workers are then (just) at equilibrium: moving saves an offset perceived as 1 and
    adds one unit of load.
    """
    away = 1 / weight
    here, there = frozenset({"w0"}), frozenset({"w1"})
    zero = Fraction(0)
    first = (congestion.Strategy(here, zero), congestion.Strategy(there, away))
    second = (congestion.Strategy(here, away), congestion.Strategy(there, zero))
    return congestion.CongestionGame({"w0": AFFINE, "w1": AFFINE}, (first, second), weight)


def four_request_game() -> two_stage.TwoStageGame:
    """The affine bound attained by requests that choose a prefill and a decode worker.

    All on their first pairs is an equilibrium, all on their second the optimum. A worker of each
    stage is free, as where a request skips the stage.
    """
    free = Polynomial((Fraction(0),))
    prefill: dict[str, Latency] = {"a": AFFINE, "b": AFFINE, "free": free}
    decode: dict[str, Latency] = {"c": AFFINE, "d": AFFINE, "free": free}
    known = (
        (("a", "c"), ("free", "d")),
        (("free", "c"), ("a", "free")),
        (("b", "d"), ("free", "c")),
        (("free", "d"), ("b", "free")),
    )
    one, other = (dict.fromkeys(stage, Fraction(0)) for stage in (prefill, decode))
    requests = tuple(two_stage.Request(one, other, pairs) for pairs in known)
    return two_stage.TwoStageGame(prefill, decode, requests)


def _caching_rows() -> Iterator[Row]:
    """Placement games on a complete graph, with one assumption dropped, and on islands."""
    chun = "Chun et al. 2004"
    complete = topology.complete(8)
    yield _enumerated(
        "caching-complete",
        "complete graph of 8 nodes, placement cost 10",
        solve_placement(CachingGame.of(complete, 10)),
        chun,
    )
    yield _enumerated(
        "caching-complete-miss-cost",
        "complete graph of 8 nodes, placement cost 10, miss cost 9",
        solve_placement(CachingGame.of(complete, 10, miss_cost=9)),
        "this paper",
    )
    yield _enumerated(
        "caching-islands",
        "two islands of 8 nodes, distance 0 within and 99 between, placement cost 100",
        solve_placement(CachingGame.of(topology.clusters(2, 8, 0, 99), 100)),
        "this paper",
    )
    yield _enumerated(
        "caching-line",
        "line of 15 nodes, placement cost 14",
        solve_placement(CachingGame.of(topology.line(15), 14)),
        chun,
    )


def _parallel_server_rows() -> Iterator[Row]:
    """Parallel M/M/1 servers: small at capacity, unless the router misjudges the load."""
    bell = "Bell and Stidham 1983"
    rates = [Fraction(4), Fraction(1)]
    demand = Fraction(3)
    yield _row(
        "parallel-4-1-entry",
        WORST_NONATOMIC,
        "M/M/1 servers of rates 4 and 1, demand 3, at which the slow one enters",
        parallel_mm1(rates, demand).price_of_anarchy,
        bell,
        DERIVED,
        False,
    )
    yield _row(
        "parallel-4-1-limit",
        WORST_NONATOMIC,
        "M/M/1 servers of rates 4 and 1, demand tending to capacity",
        saturation_limit(rates),
        "this paper",
        DERIVED,
        False,
    )
    yield _row(
        "parallel-dispatchers-4",
        "worst equilibrium, dispatchers",
        "M/M/1 servers with offsets, shared by 4 dispatchers",
        worst_ratio(4),
        "this paper, from above; Ayesta et al. 2010",
        DERIVED,
        False,
    )
    equal = [Fraction(1), Fraction(1)]
    credit = [Fraction(1, 4), Fraction(0)]
    yield _row(
        "parallel-equal",
        WORST_NONATOMIC,
        "two equal M/M/1 servers of rate 1, demand 87/50",
        parallel_mm1(equal, Fraction(87, 50)).price_of_anarchy,
        bell,
        DERIVED,
        False,
    )
    yield _row(
        "parallel-equal-proxy",
        "router that follows load less a credit",
        "two equal M/M/1 servers of rate 1, demand 87/50, credit 1/4 on one",
        parallel_mm1(equal, Fraction(87, 50), credit).price_of_anarchy,
        "this paper",
        DERIVED,
        False,
    )
