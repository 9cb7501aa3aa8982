"""A live measurement that is none: a run of the simulator, seen as a campaign sees Dynamo."""

from typing import Any

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.config.live import LivePoint
from anarchy.config.scenario import with_fields
from anarchy.config.settings import load_scenario
from anarchy.live.measuring.load import Answer
from anarchy.live.measuring.metrics import Histogram
from anarchy.live.measuring.router_log import Decision
from anarchy.live.measuring.rows import Observation, point_rows
from anarchy.serving.service_times.lookup import Latency, load_latency
from anarchy.serving.simulate import simulate

DILATION = 4.0
EDGES = [0.1, 0.22, 0.47, 1.0, float("inf")]

FIELDS = {"engine.first_token": "decode-step", "workload.clients": 16}


@pytest.fixture(scope="session")
def point() -> LivePoint:
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d-v09")
    return LivePoint(
        name="70b-16",
        series="70b",
        scenario=with_fields(scenario, FIELDS, "test"),
        dilation=DILATION,
        warmup_cycles=2,
        requests=16 * 8,
    )


@pytest.fixture(scope="session")
def latency(point: LivePoint) -> Latency:
    return load_latency(paths.ROOT / paths.LATENCY, point.scenario.model.latency)


def pretend(point: LivePoint, latency: Latency, seed: int, **changes: Any) -> list[dict]:
    """The rows of a campaign that met a simulator with some fields changed instead of Dynamo."""
    fields = {name.replace("__", "."): value for name, value in changes.items()}
    clients = point.workload.clients
    run = simulate(
        with_fields(point.scenario, fields, "test"),
        latency,
        seed=seed,
        requests=point.requests + 2 * clients,
        warmup_cycles=point.warmup_cycles,
    )
    log, warmup = run.log, round(point.warmup_cycles * clients)
    order = np.argsort(log.done, kind="stable")
    start = log.done[order[warmup - 1]]
    rows = order[warmup : warmup + point.requests]
    answers = [
        Answer(*(DILATION * column[row] for column in (log.arrival, log.first_token, log.done)))
        for row in rows
    ]
    routed = np.argsort(log.routed, kind="stable")
    decided = [row for row in routed if start < log.routed[row] <= log.done[rows[-1]]]
    ttft = np.array([answer.first - answer.sent for answer in answers])
    seen = Observation(
        start=DILATION * start,
        answers=answers,
        decisions=[
            Decision(tuple(log.decode_cost[row].tolist()), 0.0, int(log.decode_worker[row]))
            for row in decided
        ],
        prefill_decisions=[],
        ttft=Histogram({edge: float((ttft <= edge).sum()) for edge in EDGES}, float(ttft.sum())),
        requests=len(answers),
        free=0.9,
        lateness=0.001,
    )
    return [dict(row) for row in point_rows(point, seen)]
