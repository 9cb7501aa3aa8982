"""Small closed loops whose clients change, with service times by hand."""

from functools import cache
from typing import Any

from anarchy.common import paths
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.table import LatencyTable
from anarchy.serving.service_times.table_files import load_table

SEED = 7


@cache
def latency(uneven: bool = False) -> Latency:
    """Prefill in 10 ms and 0.2 ms a token; decode steps of 10 ms and 4 ms a further sequence.

    Or else steps that are shorter for some larger batches.
    """
    table = load_table(paths.ROOT / paths.LATENCY, "fixed-100ms-8ms").model_dump()
    table["prefill"]["tokens"] = [1, 101, 1001]
    table["prefill"]["seconds"] = [0.01 + 2e-4 * t for t in (1, 101, 1001)]
    table["itl"]["batch"] = [1, 2, 12]
    table["itl"]["seconds"] = [[0.01 + 4e-3 * b for b in (0, 1, 11)]]
    if uneven:
        table["itl"]["batch"] = [1, 2, 3, 4, 6, 12]
        table["itl"]["seconds"] = [[0.012, 0.03, 0.011, 0.028, 0.02, 0.05]]
    return Latency(LatencyTable.model_validate(table))


def phased(phases: list[tuple[float, int]], **fields: Any) -> Scenario:
    """Phases of so many seconds and clients, named a, b, ...; keys have __ for a dot."""
    named = [
        {"name": chr(ord("a") + k), "duration": duration, "clients": clients}
        for k, (duration, clients) in enumerate(phases)
    ]
    changed = {
        "topology.prefill": 1,
        "topology.decode": 2,
        "engine.cache.enabled": False,
        "workload.clients": max(clients for _, clients in phases),
        "workload.phases": named,
        "workload.output_tokens": 5,
        "workload.ramp": 0.0,
    }
    changed |= {name.replace("__", "."): value for name, value in fields.items()}
    return with_fields(load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d"), changed, "test")
