"""The knee by simulation: how full prefill, or a serial frontend, is at so many clients."""

import math

import numpy as np

from anarchy.config.scenario import Scenario, with_fields
from anarchy.measure.knee.cycle import operational_bound
from anarchy.measure.knee.search import find_knee
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import simulate


def simulated_load(
    scenario: Scenario,
    latency: Latency,
    clients: int,
    *,
    requests: int,
    warmup_cycles: float,
    seed: int,
    replication: int = 0,
) -> float:
    """The share of its capacity that prefill or a serial frontend uses, whichever is more.

    Load is work over time (`Run.prefill_work`), which without batching is the time it is busy.
    Decode workers do not count: a batch of one keeps one busy, so being busy is not being full.
    """
    run = simulate(
        with_fields(scenario, {"workload.clients": clients}, "knee search"),
        latency,
        seed=seed,
        replication=replication,
        requests=requests,
        warmup_cycles=warmup_cycles,
    )
    return float(max(np.max(run.prefill_work), run.frontend_busy) / (run.end - run.start))


def simulated_knee(
    scenario: Scenario,
    latency: Latency,
    *,
    busy: float,
    largest: int,
    requests: int,
    warmup_cycles: float,
    seed: int,
    replication: int = 0,
    guess: int | None = None,
) -> int | None:
    """The fewest clients at which the load is `busy`; None if `largest` have less.

    The search begins at `guess` clients, or near N* without one.
    """

    def load_at(clients: int) -> float:
        return simulated_load(
            scenario,
            latency,
            clients,
            requests=requests,
            warmup_cycles=warmup_cycles,
            seed=seed,
            replication=replication,
        )

    if guess is None:
        bound = operational_bound(scenario, latency)
        guess = 1 if bound is None or math.isinf(bound) else round(bound)
    return find_knee(load_at, busy, largest, guess)


def search_knees(
    scenario: Scenario,
    latency: Latency,
    *,
    busy: float,
    largest: int,
    searches: int,
    requests: int,
    warmup_cycles: float,
    seed: int,
) -> list[int | None]:
    """The knee with each of some seeds; ends at the first that is not found."""
    knees: list[int | None] = []
    for replication in range(searches):
        knee = simulated_knee(
            scenario,
            latency,
            busy=busy,
            largest=largest,
            requests=requests,
            warmup_cycles=warmup_cycles,
            seed=seed,
            replication=replication,
            guess=knees[-1] if knees else None,
        )
        knees.append(knee)
        if knee is None:
            break
    return knees
