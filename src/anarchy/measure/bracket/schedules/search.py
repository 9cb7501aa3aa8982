"""Schedules among which the best is sought, all of them runs of the same requests.

Other routers come first, and pools of fewer decode workers: a schedule may leave workers idle, so
the pool of the first k decode workers has schedules of the whole pool; prefill keeps all of its
workers. Nothing controls them. Then come plans that no router could make: shares of the decode
workers for a closed loop without phases, and for recorded arrivals an assignment to prefill workers
that knows what is yet to come. A local search may follow, from the best of all these.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Unpack

import numpy as np

from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.workload import ClosedLoop
from anarchy.measure.bracket.schedules.clairvoyant import clairvoyant_workers
from anarchy.measure.bracket.schedules.local_search import Neighbourhood, explored
from anarchy.measure.bracket.schedules.shares import shared_out
from anarchy.measure.bracket.service_limits import ServiceLimits
from anarchy.serving.log.request_log import Ints, RequestLog
from anarchy.serving.rules.plan import NO_PLAN, POLICY
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import Options, prepare
from anarchy.workload.traces import TraceData

DECODE_ROUTERS = ("round-robin", "join-shortest-queue", "toll")
"""Routers that know the truth at once; `toll` makes a request pay what it costs the others."""

ROUTERS = (*DECODE_ROUTERS, "kv", "latency-aware")
"""With more, for pools of several prefill workers, which differ in what they have cached."""

FEWER = "join-shortest-queue"
"""The router of the pools of fewer workers."""

COSTS = (lambda log: log.e2e, lambda log: log.ttft)
"""What the local search makes small, one after the other: times of the requests in seconds."""


def schedules(
    scenario: Scenario,
    latency: Latency,
    *,
    seed: int,
    replays: int = 0,
    **options: Unpack[Options],
) -> Iterator[RequestLog]:
    """Logs of runs with the arguments of `simulate.simulate`, but for the run itself.

    The local search makes so many `replays` at most; its choices are drawn from `seed`.
    """

    def run(changed: dict[str, Any], plan: Ints = NO_PLAN) -> RequestLog:
        other = with_fields(scenario, {"controller": None} | changed, "bracket")
        given: Options = {**options, "plan": plan}
        return prepare(other, latency, seed=seed, costs=False, **given).run().log

    logs = {}
    for policy in _routers(scenario):
        logs[policy] = run(_router(policy))
        yield logs[policy]
    for changed in _fewer_workers(scenario):
        yield run(changed)
    router = min(logs, key=lambda policy: float(logs[policy].e2e.mean()))
    best = logs[router]
    for plan in _plans(scenario, latency, best, options.get("trace")):
        log = run(_router(router), plan)
        yield log
        best = min(best, log, key=lambda log: float(log.e2e.mean()))
    workers = scenario.topology.prefill, scenario.topology.decode
    for cost in COSTS:
        near = Neighbourhood(lambda plan: run(_router(router), plan), cost, workers)
        rng = np.random.default_rng(seed)
        yield from explored(near, _recorded(scenario, best), replays // len(COSTS), rng)


def _routers(scenario: Scenario) -> Sequence[str]:
    """Those that are worth their time: a run with phases is long, and its phases are measured."""
    if scenario.topology.prefill > 1:
        return ROUTERS
    workload = scenario.workload
    has_phases = isinstance(workload, ClosedLoop) and bool(workload.phases)
    return DECODE_ROUTERS[:2] if has_phases else DECODE_ROUTERS


def _router(policy: str) -> dict[str, Any]:
    return {"router": {"policy": policy}}


def _fewer_workers(scenario: Scenario) -> Iterator[dict[str, Any]]:
    """The fields of pools of half the decode workers, a quarter, and so on: the fastest ones."""
    topology = scenario.topology
    fastest = sorted(topology.decode_speed, reverse=True)
    workers = topology.decode // 2
    while workers:
        pool = {"topology.decode": workers, "topology.decode_speed": fastest[:workers]}
        pool["topology.decode_cache"] = []
        yield _router(FEWER) | pool
        workers //= 2


def _plans(
    scenario: Scenario, latency: Latency, log: RequestLog, trace: TraceData | None
) -> Iterator[Ints]:
    """Plans that are better informed than any router; `log` is of the same requests."""
    workload, topology = scenario.workload, scenario.topology
    table = Latency(latency.table)  # looking ahead must not count as look-ups beyond it
    if isinstance(workload, ClosedLoop) and topology.decode > 1 and not workload.phases:
        limits = ServiceLimits(scenario, table, workload.clients)
        sent = len(log) + workload.clients
        for workers in shared_out(limits, log, sent):
            yield _plan(np.full(sent, POLICY), workers)
    elif trace is not None and topology.prefill > 1:
        workers = clairvoyant_workers(ServiceLimits(scenario, table, len(log)), log, trace)
        yield _plan(workers, np.full(len(log), POLICY))


def _plan(prefill: Ints, decode: Ints) -> Ints:
    return np.stack([prefill, decode], axis=1)


def _recorded(scenario: Scenario, log: RequestLog) -> Ints:
    """What a log's requests did; what has been sent and was not done, the policy decides."""
    workload = scenario.workload
    open_ = workload.clients if isinstance(workload, ClosedLoop) else 0
    plan = _plan(log.prefill_worker, log.decode_worker)
    return np.concatenate([plan, np.full((open_, 2), POLICY)])
