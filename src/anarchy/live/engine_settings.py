"""What the stack tells its workers, and the scenarios that they can serve."""

from anarchy.common.errors import InputError, shown
from anarchy.config.base import Factor, Model
from anarchy.config.scenario import Scenario, get_field
from anarchy.serving.service_times.table import LatencyTable

FIXED = {
    "planner.rule": "none",
    "outages": [],
    "engine.memory.paged": False,
    "engine.handoff.link": "none",
    "engine.local_prefill_below": 0,
    "engine.cache.eviction": "lru",
    "engine.cache.host.capacity_tokens": 0,
    "engine.cache.disk.capacity_tokens": 0,
    "engine.cache.network.capacity_tokens": 0,
    "router.policy": "kv",
    "router.decode_overlap": False,
    "router.normalise": True,
    "router.tracking.replicas": 1,
    "router.tracking.overlooked": 0,
}
"""Fields whose other values neither the engines here nor Dynamo v0.9.0 have."""


class EngineSettings(Model):
    """A scenario with its service times, all of which `dilation` multiplies."""

    scenario: Scenario
    latency: LatencyTable
    dilation: Factor
    model_folder: str


def refuse_what_is_not_live(scenario: Scenario) -> None:
    """Raise InputError for a scenario of which the live stack would measure another one."""
    for path, allowed in FIXED.items():
        value = get_field(scenario, path)
        if value != allowed:
            raise InputError(f"live: {path}: {shown(value)} is simulated only; allowed: {allowed}")
