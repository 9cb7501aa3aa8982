"""The simulator's own decisions are explained whole; wrong ones, and another rule, are not."""

from dataclasses import replace

import numpy as np
import pytest

from anarchy.config.live import LivePoint
from anarchy.config.scenario import with_fields
from anarchy.live.measuring.accounting import MARGIN, Served, explained
from anarchy.live.measuring.router_log import Decision
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import simulate

BLOCKS = 8


def run(point: LivePoint, latency: Latency, counting: str) -> tuple[list[Decision], list[Served]]:
    """A run of a router that counts so: its decisions, and its requests."""
    fields = {
        "router.tracking.active_blocks": counting,
        "workload.clients": 16,
        "workload.output_tokens": 144,
    }
    scenario = with_fields(point.scenario, fields, "test")
    log = simulate(scenario, latency, seed=1, requests=200).log
    order = np.argsort(log.routed, kind="stable")
    decisions = [
        Decision(tuple(log.decode_cost[i]), 0.0, int(log.decode_worker[i]), log.routed[i])
        for i in order
    ]
    served = zip(log.arrival, log.done, log.prompt, strict=True)
    return decisions, [Served(*map(float, request[:2]), int(request[2])) for request in served]


@pytest.mark.parametrize("counting", ["distinct", "per-request"])
def test_the_simulators_decisions_are_explained(
    point: LivePoint, latency: Latency, counting: str
) -> None:
    decisions, served = run(point, latency, counting)
    assert explained(decisions, served, BLOCKS, counting == "distinct") == len(decisions) > 200
    assert explained(decisions, served, BLOCKS, counting != "distinct") < len(decisions) / 2


def test_a_wrong_cost_is_not_explained(point: LivePoint, latency: Latency) -> None:
    decisions, served = run(point, latency, "distinct")
    wrong = replace(decisions[50], costs=tuple(cost + 64 for cost in decisions[50].costs))
    decisions[50] = wrong
    assert explained(decisions, served, BLOCKS, True) == len(decisions) - 1


def test_an_end_near_a_decision_may_be_known_or_not() -> None:
    served = [Served(0.0, 1.0, 4), Served(0.5, 9.0, 2)]
    for late in (-MARGIN / 2, MARGIN / 2):
        for cost in (8.0, 16.0):
            decisions = [Decision((8.0,), 0.0, 0, 0.1), Decision((cost,), 0.0, 0, 1.0 + late)]
            assert explained(decisions, served, BLOCKS, True) == 2
    early = [Decision((8.0,), 0.0, 0, 0.1), Decision((8.0,), 0.0, 0, 1.0 - 2 * MARGIN)]
    assert explained(early, served, BLOCKS, True) == 1
