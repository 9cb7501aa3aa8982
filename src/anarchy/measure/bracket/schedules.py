"""Schedules among which the best is sought: other routers, and pools of fewer decode workers.

All are runs of the same requests. A schedule may leave workers idle, so the pool of the first k
decode workers has schedules of the whole pool; prefill keeps all of its workers.
"""

from collections.abc import Iterator
from typing import Any, Unpack

from anarchy.config.scenario import Scenario, with_fields
from anarchy.serving.log.request_log import RequestLog
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import Options, simulate

DECODE_ROUTERS = ("round-robin", "join-shortest-queue", "toll")
"""Routers that know the truth at once; `toll` makes a request pay what it costs the others."""

ROUTERS = (*DECODE_ROUTERS, "kv", "latency-aware")
"""With more, for pools of several prefill workers, which differ in what they have cached."""

FEWER = "join-shortest-queue"
"""The router of the pools of fewer workers."""


def schedules(
    scenario: Scenario, latency: Latency, *, seed: int, **options: Unpack[Options]
) -> Iterator[RequestLog]:
    """Logs of runs with the arguments of `simulate.simulate`, but for the run itself."""
    for changed in _alternatives(scenario):
        other = with_fields(scenario, changed, "bracket")
        yield simulate(other, latency, seed=seed, **options).log


def _alternatives(scenario: Scenario) -> Iterator[dict[str, Any]]:
    """The fields in which the schedules differ from the scenario."""
    topology = scenario.topology
    for policy in DECODE_ROUTERS if topology.prefill == 1 else ROUTERS:
        yield {"router": {"policy": policy}}
    fastest = sorted(topology.decode_speed, reverse=True)
    workers = topology.decode // 2
    while workers:
        pool = {"topology.decode": workers, "topology.decode_speed": fastest[:workers]}
        yield {"router": {"policy": FEWER}} | pool
        workers //= 2
