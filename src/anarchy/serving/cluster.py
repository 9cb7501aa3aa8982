"""One call simulates a scenario and returns its run.

Arrival -> prefill router -> prefill worker -> KV hand-off -> decode router -> decode worker ->
done. Each leg has its own policy instance and its own random streams.
"""

from anarchy.config import Scenario
from anarchy.serving.elastic import ElasticSystem
from anarchy.serving.latency import Latency
from anarchy.serving.log import Run
from anarchy.serving.paged import PagedSystem
from anarchy.serving.paged_elastic import PagedElasticSystem, PagedPlannedSystem
from anarchy.serving.planned import PlannedSystem
from anarchy.serving.system import System
from anarchy.traces import TraceData


def simulate(
    scenario: Scenario,
    latency: Latency,
    *,
    seed: int,
    replication: int = 0,
    requests: int = 4000,
    warmup_cycles: float = 3.0,
    trace: TraceData | None = None,
) -> Run:
    """Simulate one run.

    `requests` completions are measured after a warm-up of `warmup_cycles` completions per client
    (closed loop) or a tenth of `requests` (Poisson); a trace is measured whole. Equal arguments
    give equal runs; runs that differ in the router only see the same requests.
    """
    return prepare(
        scenario,
        latency,
        seed=seed,
        replication=replication,
        requests=requests,
        warmup_cycles=warmup_cycles,
        trace=trace,
    ).run()


def prepare(
    scenario: Scenario,
    latency: Latency,
    *,
    seed: int,
    replication: int = 0,
    requests: int = 4000,
    warmup_cycles: float = 3.0,
    trace: TraceData | None = None,
) -> System:
    """What `simulate` runs, before it runs: its `progress` may be read from another thread."""
    return _system(scenario)(scenario, latency, seed, replication, requests, warmup_cycles, trace)


def _system(scenario: Scenario) -> type[System]:
    paged = scenario.engine.memory.paged
    if scenario.planner.rule != "none":
        return PagedPlannedSystem if paged else PlannedSystem
    if scenario.outages:
        return PagedElasticSystem if paged else ElasticSystem
    return PagedSystem if paged else System
