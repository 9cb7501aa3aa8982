"""Operational laws of a closed loop: N*, bounds on its knee, and the lengths that they allow."""

import math
from dataclasses import replace
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.measure.knee.cycle import Cycle, cycle_of, operational_bound
from anarchy.measure.knee.simulated import simulated_knee
from anarchy.serving.service_times.lookup import Latency, load_latency

SCENARIO = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
TABLE = SCENARIO.model.latency
UNCACHED = {"engine__cache__enabled": False}
AGREEMENT = 0.05  # how far a simulated knee may lie from its bounds


@pytest.fixture
def latency() -> Latency:
    return load_latency(paths.ROOT / paths.LATENCY, SCENARIO.model.latency)


def changed(**values: Any) -> Scenario:
    return with_fields(SCENARIO, {k.replace("__", "."): v for k, v in values.items()}, "test")


def knee_of(scenario: Scenario, latency: Latency) -> int | None:
    return simulated_knee(
        scenario, latency, busy=0.995, largest=512, requests=800, warmup_cycles=3, seed=1
    )


@pytest.mark.parametrize(
    "scenario",
    [
        changed(),
        changed(workload__output_tokens=40),
        changed(engine__handoff__overhead=0.3),
        changed(topology__decode=5),
        changed(engine__cache__enabled=False),
        changed(frontend__overhead=0.3),
        changed(frontend__overhead=0.02, frontend__serial=True),
        changed(frontend__overhead=0.005, frontend__serial=True),
    ],
    ids=[
        "published",
        "short-output",
        "long-hand-off",
        "five-decode-workers",
        "no-cache",
        "slow-host",
        "frontend-is-the-bottleneck",
        "frontend-is-not",
    ],
)
def test_simulated_knee_agrees_with_the_operational_bound(
    scenario: Scenario, latency: Latency
) -> None:
    bound = operational_bound(scenario, latency)
    knee = knee_of(scenario, latency)
    assert bound is not None
    assert knee is not None
    assert abs(knee / bound - 1) < AGREEMENT


def test_batched_prefill_moves_the_bound_up(latency: Latency) -> None:
    serial = operational_bound(changed(engine__cache__enabled=False), latency)
    batched = operational_bound(
        changed(engine__cache__enabled=False, engine__prefill__batch_requests=4), latency
    )
    assert serial is not None
    assert batched is not None
    assert batched > 1.5 * serial


def test_a_host_moves_the_bound_by_its_share_of_the_bottleneck(latency: Latency) -> None:
    """A delay of h adds h/D; a serial process of h adds that too, or divides by h instead of D."""

    def bound(**frontend: Any) -> float:
        values = {f"frontend__{name}": value for name, value in frontend.items()}
        found = operational_bound(changed(engine__cache__enabled=False, **values), latency)
        assert found is not None
        return found

    demand = latency.prefill(128)
    plain = bound()
    assert bound(overhead=0.1) == pytest.approx(plain + 0.1 / demand, rel=1e-3)
    assert bound(overhead=demand / 2, serial=True) == pytest.approx(plain + 0.5, rel=1e-3)
    # Half the rate leaves smaller decode batches, which are a little faster.
    assert bound(overhead=2 * demand, serial=True) == pytest.approx(1 + plain / 2, rel=0.1)


def test_the_last_block_of_a_cached_prompt_is_work_of_a_full_step(latency: Latency) -> None:
    """64 prompts of one token each are a step of one short prompt; of 16 tokens each, a longer."""

    def bound(whole: bool) -> float:
        cache = {"enabled": True, "block_tokens": 16, "whole_blocks": whole}
        fields = {"engine.prefill.batch_requests": 64, "workload.output_tokens": 1}
        scenario = with_fields(SCENARIO, {**fields, "engine.cache": cache}, "test")
        found = operational_bound(scenario, latency)
        assert found is not None
        return found

    step, own = latency.prefill(64 * 16), latency.prefill(16)
    assert bound(False) / bound(True) == pytest.approx(step / own, rel=0.05)


def test_no_bound_for_several_prefill_workers(latency: Latency) -> None:
    assert operational_bound(changed(topology__prefill=2), latency) is None


def cycle(**values: Any) -> Cycle:
    found = cycle_of(changed(**values), load_latency(paths.ROOT / paths.LATENCY, TABLE))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "values",
    [
        {"workload__output_tokens": 32, "engine__prefill__batch_requests": 4},
        {"workload__output_tokens": 8, "engine__prefill__batch_requests": 16},
        {"workload__output_tokens": 16, "engine__prefill__batch_requests": 64, **UNCACHED},
        {"workload__output_tokens": 32, "engine__prefill__batch_requests": 64, **UNCACHED},
        {
            "workload__output_tokens": 6,
            "engine__prefill__batch_requests": 64,
            "frontend__overhead": 0.002,
            "frontend__serial": True,
        },
        {
            "workload__output_tokens": 32,
            "engine__prefill__batch_requests": 16,
            "frontend__overhead": 0.002,
            "frontend__serial": True,
            **UNCACHED,
        },
    ],
)
def test_a_simulated_knee_lies_between_its_bounds(values: dict[str, Any], latency: Latency) -> None:
    knee = knee_of(changed(engine__cache__whole_blocks=True, **values), latency)
    found = cycle(engine__cache__whole_blocks=True, **values)
    elsewhere = found.elsewhere(values["workload__output_tokens"])
    least, most = (line.at(elsewhere) for line in found.bracket(0.995))
    assert least < most
    assert knee is not None
    assert least * (1 - AGREEMENT) <= knee <= most * (1 + AGREEMENT)


def test_one_prompt_at_a_time_leaves_the_bounds_one_client_apart() -> None:
    """Service and delays that never vary: the knee is 1 + Z/D, rounded up."""
    alone = replace(
        cycle(), step=lambda n: 0.1, full=1, delay=0.5, itl=lambda batch, context: 0.01, workers=9
    )
    elsewhere = alone.elsewhere(50)
    assert elsewhere == pytest.approx(1.0)
    least, most = (line.at(elsewhere) for line in alone.bracket(1.0))
    assert (least, most) == (pytest.approx(11), pytest.approx(12))
    assert alone.bound(50) == pytest.approx(11)


@pytest.mark.parametrize("tokens", [1.0, 7.5, 40.0, 144.0, 300.0])
@pytest.mark.parametrize("host", [{}, {"host": 0.02, "serial": True}, {"host": 0.05}])
def test_the_output_length_of_a_number_of_clients(tokens: float, host: dict[str, Any]) -> None:
    """It undoes the fixed point, which it does not need."""
    found = replace(cycle(engine__prefill__batch_requests=2), **host)
    assert found.output_tokens(found.elsewhere(tokens)) == pytest.approx(tokens)
    assert found.crossing.longest(found, found.bound(tokens)) == pytest.approx(tokens)


def test_no_output_is_short_enough_for_fewer_clients_than_prefill_takes() -> None:
    found = cycle(engine__prefill__batch_requests=64)
    assert found.crossing.longest(found, 2.0) == 0.0
    assert math.isinf(replace(found, workers=1).bound(10**6))


def test_only_the_recomputed_block_leaves_a_length_that_fits_the_published_knee() -> None:
    """64 cached prompts a step: one token each and no answer is short enough, 16 and a few are."""
    cache = {"engine__cache__block_tokens": 16, "engine__prefill__batch_requests": 64}
    tokens, block = (cycle(engine__cache__whole_blocks=whole, **cache) for whole in (False, True))
    assert tokens.bound(1) > 128
    assert block.bound(1) < 96 < block.bound(5) <= 128 < block.bound(7)
