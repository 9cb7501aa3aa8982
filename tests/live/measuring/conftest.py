"""A stub of the frontend, and a small point to measure on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from anarchy.common import paths
from anarchy.config.live import LivePoint
from anarchy.config.scenario import with_fields
from anarchy.config.settings import load_scenario
from anarchy.serving.service_times.lookup import Latency, load_latency
from tests.live.measuring.stub_frontend import StubFrontend, serving

CLIENTS, WARMUP, REQUESTS, OUTPUT = 3, 2.0, 12, 5


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[StubFrontend]:
    log = tmp_path / "frontend.log"
    log.touch()
    with serving(StubFrontend(log)) as stub:
        yield stub


@pytest.fixture(scope="session")
def point() -> LivePoint:
    """Three clients, a thousand times as fast as the scenario."""
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d-v09")
    values = {"workload.clients": CLIENTS, "workload.output_tokens": OUTPUT}
    return LivePoint(
        name="p",
        series="s",
        scenario=with_fields(scenario, values, "test"),
        dilation=0.001,
        warmup_cycles=WARMUP,
        requests=REQUESTS,
    )


@pytest.fixture(scope="session")
def latency(point: LivePoint) -> Latency:
    return load_latency(paths.ROOT / paths.LATENCY, point.scenario.model.latency)
