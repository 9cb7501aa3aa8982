"""What PoA-hat bounds, and what not: windows whose game is small enough to be solved exactly.

In every check the product's own estimator reads a hand-made log, and the game behind the log is
solved by enumeration beside it. All n requests of a window are present together and are equal
unless said otherwise; with k requests on a worker each of them costs latency(k).
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product

import numpy as np

from anarchy.config.estimator import Estimator
from anarchy.games.common.equilibrium_report import EquilibriumReport
from anarchy.games.common.latency import Latency, Polynomial, Table
from anarchy.games.routing import congestion
from anarchy.games.routing.solve import solve_routing
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.measure.estimators.empirical_poa import window_costs
from anarchy.serving.log.request_log import RequestLog, Run

READINGS, RECTANGULAR = "prop:index-readings", "prop:index-rectangular"
GREEDY, BOUNDS = "prop:index-greedy", "prop:index-bounds"

LOAD = Polynomial((Fraction(0), Fraction(1)))
SQUARE = Polynomial((Fraction(0), Fraction(0), Fraction(1)))
DIPPING = Table((Fraction(1), Fraction(3), Fraction(3), Fraction(3)))
"""A latency whose total k latency(k) = 1, 6, 9, 12 is not convex."""

FLATTENING = Table((Fraction(20), Fraction(11)))
"""A latency whose total 20, 22 is convex from one request on, but not from none."""

BURSTS = (
    (8, 2, "load", LOAD),
    (6, 3, "load", LOAD),
    (12, 2, "load", LOAD),
    (8, 2, "square", SQUARE),
)
"""Requests, workers and latency of the bursts on which every reading is checked."""

LOW, HIGH = 61, 70
"""Least and greatest entry of the rectangular matrices that are not constant."""

ONE_LOG = "the product's estimator on a hand-made log"
ALL_LOGS = "the product's estimator on every routing of the window"
SOLVER = "exhaustive enumeration of the game"
POA = "price of anarchy of the game behind the log"

Numbers = Sequence[Sequence[int]]


def index(
    chosen: Sequence[int],
    costs: Numbers,
    options: dict[str, str],
    latency: Latency = LOAD,
    seconds: Sequence[int] | None = None,
    tokens: Sequence[int] | None = None,
) -> Fraction:
    """PoA-hat of one window, from the product's estimators, as the rational it stands for.

    chosen   worker of each request, shape (n,)
    costs    what the router saw, shape (n, workers): the requests on each worker, or with the
             entry "router-cost" the matrix itself
    options  fields of `Estimator` that differ from its defaults
    latency  inter-token latency by batch
    seconds  decode latency as it happened, shape (n,), default 1
    tokens   output tokens, shape (n,), default 1
    """
    n = len(chosen)
    seen = np.asarray(costs, dtype=float)
    clock = np.arange(n, dtype=float)
    whole = np.zeros(n, dtype=np.int64)
    log = RequestLog(
        arrival=clock,
        prefill_start=clock,
        prefill_end=clock,
        routed=clock,
        first_token=clock,
        decode_start=clock,
        done=clock + np.asarray(seconds if seconds is not None else [1] * n),
        prefill_worker=whole,
        decode_worker=np.asarray(chosen, dtype=np.int64),
        prompt=whole,
        tenant=whole,
        input_tokens=whole,
        output_tokens=np.asarray(tokens if tokens is not None else [1] * n, dtype=np.int64),
        cached_tokens=whole,
        prefill_cost=np.zeros((n, 1)),
        decode_cost=seen,
        decode_active=seen,
    )
    run = Run(
        log=log,
        measured=np.ones(n, dtype=bool),
        start=0.0,
        end=float(n),
        prefill_busy=np.zeros(1),
        prefill_work=np.zeros(1),
        decode_busy=np.zeros(seen.shape[1]),
        extrapolated=0,
        table_context=0,
    )
    estimator = Estimator.model_validate({"window": n, **options})
    found = window_costs(run, estimator, lambda batch, _: float(latency(batch)))
    # All costs are whole numbers here, which floats hold exactly.
    return Fraction(float(found.actual[0])) / Fraction(float(found.optimal[0]))


def solve(latencies: Sequence[Latency], offsets: Numbers) -> EquilibriumReport:
    """The game of a window: request i on worker j costs latencies[j](load) + offsets[i][j]."""
    names = [f"w{j}" for j in range(len(latencies))]
    return solve_routing(
        congestion.CongestionGame(
            latency=dict(zip(names, latencies, strict=True)),
            players=tuple(
                tuple(
                    congestion.Strategy(frozenset({name}), Fraction(offset))
                    for name, offset in zip(names, row, strict=True)
                )
                for row in offsets
            ),
        )
    )


def places(latencies: Sequence[Latency], offsets: Numbers) -> list[list[int]]:
    """The n x (m n) matrix whose column (j, k) is the k-th place on worker j.

    Its entry is the offset plus the marginal cost k latency_j(k) - (k - 1) latency_j(k - 1).
    Everything is whole, as the latencies used here are.
    """
    numbers = range(1, len(offsets) + 1)
    totals = [[0, *(k * int(latency(k)) for k in numbers)] for latency in latencies]
    return [
        [
            offset + total[k] - total[k - 1]
            for offset, total in zip(row, totals, strict=True)
            for k in numbers
        ]
        for row in offsets
    ]


def index_by_places(
    latencies: Sequence[Latency], offsets: Numbers, chosen: Sequence[int]
) -> Fraction:
    """PoA-hat with the places of the workers as columns: the numerator adds up to the real cost."""
    taken = [chosen[:i].count(worker) for i, worker in enumerate(chosen)]
    columns = [worker * len(chosen) + place for worker, place in zip(chosen, taken, strict=True)]
    return index(
        columns,
        places(latencies, offsets),
        {"entry": "router-cost", "matching": "rectangular"},
    )


def check_rows(most: int | None = None) -> list[Row]:
    """All checks of the section on the index."""
    return rows_of(_readings, _rectangular, _greedy, _bracket, _places, most=most)


def _readings() -> Iterator[Row]:
    """A burst routed in turn, of a game whose price of anarchy is one, read in every way."""
    for n, m, word, latency in BURSTS:
        name = f"counterexamples-{n}-{m}-{word}"
        place = f"{n} requests, {m} workers, latency = {word}"
        poa = solve([latency] * m, [[0] * m] * n).price_of_anarchy
        yield check(f"{name}-poa", READINGS, POA, place, poa, Fraction(1), SOLVER)
        q = n // m
        chosen = [i % m for i in range(n)]
        growing = [[chosen[:i].count(j) for j in range(m)] for i in range(n)]
        last, met = [q] * n, [i // m + 1 for i in range(n)]
        one, end = Fraction(latency(1)), Fraction(latency(q))
        mean = sum((Fraction(latency(k)) for k in range(1, q + 1)), Fraction(0)) / q
        moments = {
            "idle": ("idle", growing, one),
            "final": ("window-start", [[q - 1] * m] * n, end),
            "arrival": ("arrival", growing, mean),
        }
        numerators = {"final": ("realised", last, end), "met": ("realised", met, mean)}
        for moment, (freezing, seen, below) in moments.items():
            for cost, (numerator, loads, above) in (
                numerators | {"frozen": ("frozen", last, below)}
            ).items():
                options = {"freezing": freezing, "numerator": numerator}
                seconds = [int(latency(load)) for load in loads]
                found = index(chosen, seen, options, latency, seconds)
                label = f"{name}-{moment}-{cost}"
                setting = f"{place}; matrix {moment}, numerator {cost}"
                quantity = "index of each reading"
                yield check(label, READINGS, quantity, setting, found, above / below, ONE_LOG)


def _rectangular() -> Iterator[Row]:
    """Six requests on two workers: every routing where the routing must not matter."""
    n, m = 6, 2
    place = "6 requests, 2 workers"
    idle = {"freezing": "idle", "matching": "rectangular"}
    loads = {"matching": "rectangular"}
    quantity = "rectangular index, routing of no influence"
    for label, sizes in (("equal", [1] * n), ("sizes", [1, 2, 3, 4, 5, 6])):
        stated = Fraction(sum(sizes), sum(sorted(sizes)[:m]))
        routings = product(range(m), repeat=n)
        found = [index(chosen, [[0] * m] * n, idle, tokens=sizes) for chosen in routings]
        for end, value in (("least", min(found)), ("greatest", max(found))):
            name = f"counterexamples-rectangular-{label}-{end}"
            setting = f"{place}, {label} of requests, {end} of all routings"
            yield check(name, RECTANGULAR, quantity, setting, value, stated, ALL_LOGS)
    # All on one worker whose entries are the least, or each request on its dearest worker.
    least = Fraction(n * LOW, LOW + (m - 1) * HIGH)
    greatest = Fraction(n * HIGH, m * LOW)
    quantity, setting = "rectangular index by its bounds", f"{place}, entries {LOW} to {HIGH}"
    for end, chosen, mine, other, stated in (
        ("least", [0] * n, LOW, HIGH, least),
        ("greatest", [i % m for i in range(n)], HIGH, LOW, greatest),
    ):
        seen = [[(mine if j == worker else other) - 1 for j in range(m)] for worker in chosen]
        value = index(chosen, seen, loads)
        name = f"counterexamples-rectangular-attained-{end}"
        yield check(name, RECTANGULAR, quantity, setting, value, stated, ONE_LOG)
    seen = [[LOW - 1 + (7 * i + 4 * j) % (HIGH - LOW + 1) for j in range(m)] for i in range(n)]
    found = [index(chosen, seen, loads) for chosen in product(range(m), repeat=n)]
    for end, value, relation, stated in (
        ("least", min(found), ">=", least),
        ("greatest", max(found), "<=", greatest),
    ):
        name = f"counterexamples-rectangular-between-{end}"
        yield check(name, RECTANGULAR, quantity, setting, value, stated, ALL_LOGS, relation)


def _greedy() -> Iterator[Row]:
    """An empty worker fills up with b requests while b - 1 others hold b old ones each."""
    for b in (4, 6):
        name = f"counterexamples-greedy-{b}"
        place = f"{b} requests, {b} workers, all but one with {b} old requests"
        latencies = [LOAD, *[Polynomial((Fraction(b), Fraction(1)))] * (b - 1)]
        nothing, chosen = [[0] * b] * b, [0] * b
        loss = Fraction(4 * b, 3 * b + 2)
        poa = solve(latencies, nothing).price_of_anarchy
        yield check(f"{name}-poa", GREEDY, POA, place, poa, loss, SOLVER)
        seen = [[i, *[b] * (b - 1)] for i in range(b)]
        for matching, stated in (
            ("unconstrained", Fraction(1)),
            ("balanced", Fraction(b + 1, 2 * b)),
        ):
            found = index(chosen, seen, {"matching": matching})
            quantity = f"index of a greedy run, {matching}"
            yield check(f"{name}-{matching}", GREEDY, quantity, place, found, stated, ONE_LOG)
        found = index_by_places(latencies, nothing, chosen)
        yield check(f"{name}-places", BOUNDS, "index by places", place, found, loss, ONE_LOG)


def _bracket() -> Iterator[Row]:
    """The idle index over the run's true loss, over all routings of unequal requests."""
    m = 2
    options = {"freezing": "idle", "numerator": "realised", "matching": "unconstrained"}
    for word, latency, sizes in (
        ("load", LOAD, [1, 1, 2, 3, 5]),
        ("square", SQUARE, [1, 1, 2, 3, 5]),
        # The two ends: nobody has to share, and all have to share alike.
        ("alone", LOAD, [1, 2]),
        ("alike", LOAD, [1, 1, 1, 1]),
    ):
        costs, found = [], []
        for chosen in product(range(m), repeat=len(sizes)):
            loads = [chosen.count(worker) for worker in chosen]
            paid = [w * int(latency(k)) for w, k in zip(sizes, loads, strict=True)]
            costs.append(sum(paid))
            found.append(index(chosen, [[0] * m] * len(sizes), options, latency, paid, sizes))
        ratios = [value * min(costs) / cost for value, cost in zip(found, costs, strict=True)]
        place = f"sizes {', '.join(map(str, sizes))}, {m} workers, {word}"
        fair = -(-len(sizes) // m)
        for end, value, relation, stated in (
            ("least", min(ratios), ">=", Fraction(1)),
            ("greatest", max(ratios), "<=", Fraction(latency(fair)) / Fraction(latency(1))),
        ):
            name, quantity = f"counterexamples-bracket-{word}-{end}", "idle index over true loss"
            yield check(name, BOUNDS, quantity, place, value, stated, ALL_LOGS, relation)


def _places() -> Iterator[Row]:
    """The index by places beside the solver: exact if total costs are convex, above if not."""
    crossed = [[0, 1], [1, 0]]
    name, place = "counterexamples-crossed", "2 requests with prefixes on different workers"
    poa = solve([LOAD, LOAD], crossed).price_of_anarchy
    yield check(f"{name}-poa", BOUNDS, POA, place, poa, Fraction(2), SOLVER)
    for label, routing, stated in (("best", (0, 1), Fraction(1)), ("worst", (1, 0), Fraction(2))):
        found = index_by_places([LOAD, LOAD], crossed, routing)
        setting = f"{place}, {label} equilibrium"
        yield check(f"{name}-{label}", BOUNDS, "index by places", setting, found, stated, ONE_LOG)
    steep = Polynomial((Fraction(1), Fraction(2)))
    mixed = [[0, 3, 1], [2, 0, 0], [4, 1, 0], [0, 0, 5], [1, 0, 2]]
    for label, place, latencies, offsets, stated in (
        ("convex", "5 requests, 3 unlike workers", [LOAD, steep, SQUARE], mixed, Fraction(1)),
        ("dipping", "4 requests, 2 workers", [DIPPING] * 2, [[0, 0]] * 4, Fraction(5, 4)),
        ("from-one", "2 requests, 2 workers", [FLATTENING] * 2, [[0, 0]] * 2, Fraction(11, 2)),
    ):
        optimum = Fraction(solve(latencies, offsets).optimum)
        ratios = [
            index_by_places(latencies, offsets, chosen)
            * optimum
            / _cost(latencies, offsets, chosen)
            for chosen in product(range(len(latencies)), repeat=len(offsets))
        ]
        for end, value in (("least", min(ratios)), ("greatest", max(ratios))):
            name, quantity = f"counterexamples-{label}-{end}", "index by places over true loss"
            yield check(name, BOUNDS, quantity, place, value, stated, ALL_LOGS)


def _cost(latencies: Sequence[Latency], offsets: Numbers, chosen: Sequence[int]) -> Fraction:
    """What a routing of the window really costs."""
    return sum(
        (Fraction(latencies[j](chosen.count(j))) + offsets[i][j] for i, j in enumerate(chosen)),
        Fraction(0),
    )
