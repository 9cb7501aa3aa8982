"""Shared pieces of the simulator's tests: a latency table, small scenarios."""

from typing import Any

import pytest

from anarchy.common import paths
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.serving.service_times.lookup import Latency, load_latency


@pytest.fixture
def latency() -> Latency:
    return load_latency(paths.ROOT / paths.LATENCY, "llama31-70b-fp8-tp4-b200-trtllm")


@pytest.fixture(scope="session")
def published() -> Scenario:
    return load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")


def changed(scenario: Scenario, **values: Any) -> Scenario:
    """The scenario with fields replaced: `workload__clients=4` sets workload.clients."""
    return with_fields(scenario, {k.replace("__", "."): v for k, v in values.items()}, "test")
