"""Closed loops: a product-form network, the response time law, and the knee.

The network: clients think for exponential times and then go to one of two workers, drawn at
random, whose time is shared by those present. Its means depend on the service times through their
mean only (Baskett, Chandy, Muntz and Palacios 1975), so equal lengths will do, and exact mean
value analysis gives them.
"""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

from anarchy.config.router import Router
from anarchy.config.scenario import Scenario, Topology, with_fields
from anarchy.config.workload import ClosedLoop
from anarchy.games.queueing.closed_forms import mva
from anarchy.measure.control_variates import batch_means, controlled_mean
from anarchy.measure.knee.cycle import operational_bound
from anarchy.measure.knee.simulated import simulated_knee
from anarchy.measure.validation.checks import CONFIDENCE, Row, exact_check, interval_check
from anarchy.measure.validation.queue_scenarios import INSTANT, TOKEN, TOKENS, latency, scenario
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import simulate

WORKERS = 2
"""Workers that share the requests of the product-form network."""

THINK_TIME = 10
"""Mean think time of the product-form network, in mean service times."""

LOADS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
"""Each point has the fewest clients that keep the workers busy for this share of the time."""

LIMITS = {0.8: 0.01, 1.0: 0.03}
"""Wanted relative half-width, by the largest load that it is for."""

REQUESTS = 200_000
"""Measured requests of a point of the network in the full build."""

FEWEST = 3000
"""Measured requests of a point in the coarsest build."""

BATCHES, FEWEST_IN_BATCH = 60, 100
"""Batches of a point, and requests of each from which on the point is judged."""

RESPONSE_TOLERANCE = 0.003
"""How far E2E + think time may be from clients / throughput."""

KNEE_TOLERANCE = 0.05
"""How far the simulated knee may be from N*."""

BUSY = 0.995
"""Share of the time that the busiest worker is busy at the knee."""

LARGEST = 4096
"""Clients at which the search for a knee gives up."""

WARMUP_CYCLES = 5.0
"""Completions per client before measuring."""

CLIENTS = (8, 64, 192)
"""Clients at which the response time law is checked."""

CYCLES = 60
"""Measured completions per client for the response time law, whose error is a share of a cycle."""

OUTPUT_TOKENS: tuple[int, ...] = (48, 96, 144, 256)
HANDOFFS: tuple[float, ...] = (0.005, 0.05, 0.2)
"""Output lengths and hand-off times (seconds) between which the knee is compared with N*."""

KNEE_REQUESTS = 2000
"""Measured requests at every number of clients that a search tries."""


def check_network(seed: int, effort: float = 1.0) -> list[Row]:
    """Mean residence time of the product-form network at each load."""
    return [
        _check_clients(_clients(load), load, seed, max(FEWEST, round(REQUESTS * effort)))
        for load in LOADS
    ]


def _demands() -> list[Fraction]:
    return [Fraction(1, WORKERS)] * WORKERS


def _clients(load: float) -> int:
    clients = 1
    while mva(_demands(), clients, THINK_TIME).utilisation[0] < load:
        clients += 1
    return clients


def _check_clients(clients: int, load: float, seed: int, requests: int) -> Row:
    workload = ClosedLoop(
        kind="closed-loop",
        clients=clients,
        think_time=THINK_TIME,
        templates=1,
        input_tokens=1,
        output_tokens=TOKENS,
    )
    run = simulate(
        scenario(workload, Topology(prefill=1, decode=WORKERS), router=Router(policy="random")),
        latency(INSTANT, TOKEN, shared=True),
        seed=seed,
        replication=clients,
        requests=requests,
        warmup_cycles=WARMUP_CYCLES * THINK_TIME,
    )
    # Requests that arrived last are in the log only if they were quick.
    settled = run.log.e2e[run.measured][: requests - 10 * clients]
    found = controlled_mean(batch_means(settled, BATCHES))
    expected = float(mva(_demands(), clients, THINK_TIME).residence_time)
    return interval_check(
        f"mva-{round(100 * load)}-mean",
        "mva",
        f"closed loop, {clients} clients",
        "mean sojourn",
        expected,
        found.interval(CONFIDENCE),
        found.p_value(expected),
        next(limit for bound, limit in LIMITS.items() if load <= bound),
        load,
        judged=len(settled) >= FEWEST_IN_BATCH * BATCHES,
    ) | {"n": len(settled)}


def check_response_times(
    scenarios: Mapping[str, Scenario], tables: Mapping[str, Latency], seed: int
) -> list[Row]:
    """E2E + think time = clients / throughput in every scenario at some numbers of clients."""
    rows = []
    for name, given in scenarios.items():
        for clients in CLIENTS:
            changed = with_fields(given, {"workload.clients": clients}, "validation")
            assert isinstance(changed.workload, ClosedLoop)
            run = simulate(
                changed,
                Latency(tables[name].table),
                seed=seed,
                requests=CYCLES * clients,
                warmup_cycles=WARMUP_CYCLES,
            )
            cycle = float(run.log.e2e[run.measured].mean()) + changed.workload.think_time
            throughput = float(run.measured.sum()) / (run.end - run.start)
            rows.append(
                exact_check(
                    f"response-{name}-{clients}",
                    "closed-loops",
                    f"{name}, {clients} clients",
                    "E2E + think time",
                    clients / throughput,
                    cycle,
                    RESPONSE_TOLERANCE,
                )
            )
    return rows


def check_knees(
    scenarios: Mapping[str, Scenario],
    tables: Mapping[str, Latency],
    seed: int,
    output_tokens: Sequence[int] = OUTPUT_TOKENS,
    handoffs: Sequence[float] = HANDOFFS,
) -> list[Row]:
    """The simulated knee against N* in every scenario, over output lengths and hand-off times."""
    rows = []
    for name, given in scenarios.items():
        for tokens in output_tokens:
            for handoff in handoffs:
                values = {"workload.output_tokens": tokens, "engine.handoff.overhead": handoff}
                changed = with_fields(given, values, "validation")
                bound = operational_bound(changed, Latency(tables[name].table))
                assert bound is not None
                assert not math.isinf(bound)
                knee = simulated_knee(
                    changed,
                    Latency(tables[name].table),
                    busy=BUSY,
                    largest=LARGEST,
                    requests=KNEE_REQUESTS,
                    warmup_cycles=WARMUP_CYCLES,
                    seed=seed,
                )
                rows.append(
                    exact_check(
                        f"knee-{name}-{tokens}-{round(1000 * handoff)}",
                        "knees",
                        f"{name}, {tokens} tokens, {1000 * handoff:g} ms",
                        "knee",
                        bound,
                        None if knee is None else float(knee),
                        KNEE_TOLERANCE,
                    )
                )
    return rows
