"""The simulator's side of controlled runs: the same phases and the same controller, many times.

One row a run, one for each of its phases, over the stretch that counts live, and one for each poll
of the controller that saw something. The simulated
frontend takes the host's time for each request, as elsewhere beside live measurements.
"""

import math
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from anarchy.common.files import Row
from anarchy.config.live import ControlledRun, Stretch
from anarchy.config.scenario import with_fields
from anarchy.control.histogram import Histogram
from anarchy.control.window import LEVEL
from anarchy.measure.validation.live.simulated import Runs
from anarchy.serving.log.request_log import RequestLog, Run
from anarchy.serving.replications import simulate_many
from anarchy.serving.service_times.lookup import Latency, load_latency
from anarchy.serving.simulate import simulate
from anarchy.workload.cycles import cycle_throughput

ALONE: dict[str, Any] = {
    "workload.clients": 1,
    "workload.templates": 1,
    "workload.phases": [],
    "controller": None,
}
"""A client that is alone and asks one prompt again and again."""


def simulate_controlled_runs(
    runs: Sequence[ControlledRun], measured: Sequence[Row], latency_folder: Path, asked: Runs
) -> list[Row]:
    """The rows of all runs, each of which is simulated as often as is asked."""
    find = cache(partial(load_latency, latency_folder))
    heads = {row["id"]: row for row in measured if row["group"] == "run"}
    overhead = fmean(
        _host_seconds(run, find(run.scenario.model.latency), heads[run.name]["alone"])
        for run in runs
    )
    return [
        row
        for run in runs
        for row in _simulate(run, find(run.scenario.model.latency), overhead, asked)
    ]


def _host_seconds(run: ControlledRun, latency: Latency, seen: float) -> float:
    """Seconds by the wall clock that the host takes for a request of a client that is alone."""
    alone = with_fields(run.scenario, ALONE, run.name)
    simulated = simulate(alone, latency, seed=0, requests=2, warmup_cycles=1.0).log.ttft[1:]
    return max(0.0, seen - float(simulated.mean())) * run.dilation


def _simulate(run: ControlledRun, latency: Latency, overhead: float, asked: Runs) -> list[Row]:
    scenario = with_fields(run.scenario, {"frontend.overhead": overhead / run.dilation}, run.name)
    results = simulate_many(
        scenario,
        latency,
        [{}],
        seed=asked.seed,
        replications=asked.replications,
        cores=1,  # the jobs share the machine
        reduce=partial(run_rows, run=run),
    )
    return [
        {**row, "replication": number, "host": overhead}
        for number, rows in enumerate(results)
        for row in rows
    ]


def run_rows(simulated: Run, run: ControlledRun) -> list[Row]:
    """What one run shows: when its controller switched, if it did, and each of its phases."""
    history = simulated.control
    assert history is not None
    times = history.time[history.switches].tolist()
    head: Row = {
        "group": "run",
        "run": run.name,
        "switches": len(times),
        "first": times[0] if times else None,
        "last": times[-1] if times else None,
    }
    edges = run.controller.edges
    phases = [
        {"run": run.name, **_phase(simulated.log, stretch, edges)} for stretch in run.stretches
    ]
    polls: list[Row] = [
        {"group": "poll", "run": run.name, "poll": number, "time": time, "p99": p99}
        for number, (time, p99) in enumerate(
            zip(history.time.tolist(), history.p99.tolist(), strict=True)
        )
        if not math.isnan(p99)
    ]
    return [head, *phases, *polls]


def _phase(log: RequestLog, stretch: Stretch, edges: Sequence[float]) -> Row:
    """The means and tails of the requests that were done in the stretch."""
    done = log.select((log.done > stretch.start) & (log.done <= stretch.end))
    seen = log.select((log.first_token > stretch.start) & (log.first_token <= stretch.end))
    routed = log.select((log.routed > stretch.start) & (log.routed <= stretch.end))
    lowest = routed.decode_cost.min(axis=1, keepdims=True)
    tied = (routed.decode_cost == lowest).sum(axis=1) > 1
    return {
        "group": "phase",
        "phase": stretch.phase,
        "throughput": cycle_throughput(np.sort(done.done).tolist(), stretch.clients),
        "e2e": float(done.e2e.mean()),
        "ttft": float(done.ttft.mean()),
        "ttft_p99": float(np.percentile(done.ttft, 100 * LEVEL)),
        "page_p99": Histogram.empty(edges).adding(seen.ttft.tolist()).quantile(LEVEL),
        "tied": float(tied.mean()),
        "busiest": float(np.bincount(routed.decode_worker).max() / len(routed)),
    }
