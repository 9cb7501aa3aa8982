"""Routers that hear late: both simulators swing as the theory of old loads says."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from anarchy.common import paths
from anarchy.config.scenario import Scenario
from anarchy.config.settings import load_scenario
from anarchy.config.yaml_files import read_yaml
from anarchy.games.queueing.stale_loads import (
    critical_age,
    relay_cycle,
    router_gain,
    swing_bound,
)
from anarchy.games.theorems.queueing import relays
from anarchy.serving.log.held_requests import mean_gap as mean_gap_of_log
from anarchy.serving.log.request_log import Run
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import Simulator, simulate
from tests.serving.conftest import changed

TABLE, STEP = "fixed-100ms-8ms", 250
"""Prefill takes 100 ms and a token 8 ms whatever the load; answers have 250 tokens on average."""

SERVICE = 1 / (STEP * 0.008)
"""Requests per second that a decode worker finishes for each that it holds."""

REPLICAS = 100
"""Replicas of the router; each knows its own placements at once and the others' late."""

SETTLED, ENDING, SAMPLE = 8.0, 12.0, 0.02
"""Seconds until the start is forgotten; before the end of the log, which lacks requests that are
not done by then; and between two looks at the workers."""


def deployment(
    rate: float, temperature: float, age: float, normalise: bool, workers: int = 2
) -> Scenario:
    """Decode workers with room for all, and more prefill workers than are ever busy."""
    prefill = int(0.15 * rate)
    return changed(
        load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d"),
        model__latency=TABLE,
        hardware__gpus=4 * (prefill + workers),
        topology__decode=workers,
        topology__prefill=prefill,
        engine__decode__slots=100_000,
        engine__handoff__overhead=0.0,
        workload={
            "kind": "poisson",
            "rate": rate,
            "templates": 1,
            "input_tokens": 64,
            "output_tokens": STEP,
            "output_lengths": {"kind": "exponential", "mean_tokens": STEP},
        },
        router__temperature=temperature,
        router__overlap_weight=0.0,
        router__normalise=normalise,
        router__tracking={"replicas": REPLICAS, "replica_lag": age},
    )


def quick(scenario: Scenario) -> Scenario:
    """With prefill of a tenth of a millisecond in place of many workers."""
    return changed(scenario, topology__prefill=1, topology__prefill_speed=[1000])


def gaps(run: Run, sample: float = SAMPLE) -> NDArray[np.int64]:
    """Requests that the first decode worker holds more than the second, every `sample` seconds."""
    log = run.log
    clock = np.arange(SETTLED, log.routed.max() - ENDING, sample)
    held = []
    for worker in (0, 1):
        mine = log.decode_worker == worker
        placed, left = np.sort(log.routed[mine]), np.sort(log.done[mine])
        held.append(np.searchsorted(placed, clock) - np.searchsorted(left, clock))
    return np.asarray(held[0] - held[1])


def mean_gap(rate: float, temperature: float, age: float) -> float:
    """Mean size of the gap over a cycle of the relay: it falls for `age`, then rises to zero."""
    amplitude, _, period = relay_cycle(rate, SERVICE, temperature, age)
    level = rate * math.tanh(1 / (2 * temperature)) / SERVICE
    rise = period / 2 - age
    falling = level * age - amplitude / SERVICE
    rising = (level + amplitude) * -math.expm1(-SERVICE * rise) / SERVICE - level * rise
    return (falling + rising) / (period / 2)


@pytest.mark.parametrize(
    ("simulator", "rate", "seconds"), [("compiled", 1000.0, 60), ("reference", 400.0, 45)]
)
def test_normalised_costs_swing_as_a_relay(simulator: Simulator, rate: float, seconds: int) -> None:
    scenario = deployment(rate, 1.0, 1.0, normalise=True)
    run = simulate(
        scenario,
        load_latency(paths.ROOT / paths.LATENCY, TABLE),
        seed=1,
        requests=int(rate * seconds),
        simulator=simulator,
    )
    assert np.abs(gaps(run)).mean() == pytest.approx(mean_gap(rate, 1.0, 1.0), rel=0.03)


def test_a_softmax_in_requests_is_quiet_below_the_critical_age_only() -> None:
    rate, temperature = 1000.0, 100.0
    critical = critical_age(router_gain(rate, 2, temperature), SERVICE)
    noise = math.sqrt(rate / SERVICE)  # of requests that toss a coin
    spread = {}
    for share in (0.8, 1.2):
        scenario = deployment(rate, temperature, share * critical, normalise=False)
        latency = load_latency(paths.ROOT / paths.LATENCY, TABLE)
        run = simulate(scenario, latency, seed=1, requests=int(30 * rate), simulator="compiled")
        spread[share] = gaps(run).std()
    assert spread[0.8] < noise < 2 * noise < spread[1.2]


def test_the_critical_age_is_that_of_what_a_run_responds_to() -> None:
    """Regressing what the gap does on what it was gives K, and with it the age, within 3 %.

    Two workers are chosen by their gap through a hyperbolic tangent, of which K is the slope.
    """
    rate, temperature, step, steps = 1000.0, 100.0, 0.01, 5
    critical = critical_age(router_gain(rate, 2, temperature), SERVICE)
    late = round(critical / 2 / step)
    scenario = quick(deployment(rate, temperature, late * step, normalise=False))
    latency = load_latency(paths.ROOT / paths.LATENCY, TABLE)
    run = simulate(scenario, latency, seed=1, requests=int(300 * rate), simulator="compiled")
    gap = gaps(run, step).astype(float)
    at = np.arange(late, len(gap) - steps, steps)
    push = 2 * temperature * np.tanh(gap / (2 * temperature))
    seen = sum((push[at - late + k] + push[at - late + k + 1]) * step / 2 for k in range(steps))
    change = gap[at + steps] - gap[at] * math.exp(-SERVICE * step * steps)
    found = -float(change @ seen / (seen @ seen))
    assert critical_age(found, SERVICE) == pytest.approx(critical, rel=0.03)


@pytest.mark.parametrize("workers", [3, 8])
def test_more_workers_under_normalised_costs_swing_as_the_equations_say(workers: int) -> None:
    """Which cycle they take is not proved; the simulator takes that of the equations."""
    rate, temperature = 300.0 * workers, 1.0
    scenario = quick(deployment(rate, temperature, 1.0, normalise=True, workers=workers))
    latency = load_latency(paths.ROOT / paths.LATENCY, TABLE)
    run = simulate(scenario, latency, seed=1, requests=int(35 * rate), simulator="compiled")
    mixed = np.random.default_rng(workers).normal(size=workers)
    equations = relays.widest_gaps(workers, temperature, SERVICE, mixed) * rate / relays.ARRIVALS
    ending = run.log.routed.max() - ENDING
    found = mean_gap_of_log(run.log, workers, SETTLED, ending)
    assert found == pytest.approx(equations.mean(), rel=0.1)
    assert found < swing_bound(rate, workers, SERVICE, temperature, 1.0)


def test_the_line_over_the_map_of_prefill_is_the_critical_temperature() -> None:
    settings = read_yaml(paths.ROOT / paths.EXPERIMENTS / "stale-prefill.yaml")
    each = settings["set"]["workload.rate"] / settings["set"]["topology.prefill"]
    for age, temperature in settings["figure"]["curve"][1:]:
        assert critical_age(each / temperature, 0) == pytest.approx(age, rel=1e-3)
