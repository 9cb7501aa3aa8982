"""The TTFT of a request that is alone, beside a run with a single client."""

import pytest

from anarchy.common import paths
from anarchy.config.scenario import with_fields
from anarchy.config.settings import load_scenario
from anarchy.serving.service_times.lookup import load_service_times
from anarchy.serving.service_times.unloaded import unloaded_ttft
from anarchy.serving.simulate import simulate


@pytest.mark.parametrize("event", ["prefill", "handoff", "decode-step"])
def test_a_single_client_sees_the_unloaded_ttft(event: str) -> None:
    values = {
        "workload.clients": 1,
        "engine.cache.enabled": False,
        "engine.first_token": event,
        "frontend.overhead": 0.003,
    }
    scenario = with_fields(load_scenario(paths.SCENARIOS, "70b-1p2d"), values, "test")
    latency = load_service_times(paths.LATENCY, scenario.model)
    log = simulate(scenario, latency, seed=1, requests=5, simulator="reference").log
    assert log.ttft.tolist() == pytest.approx([unloaded_ttft(scenario, latency, 128)] * len(log))
