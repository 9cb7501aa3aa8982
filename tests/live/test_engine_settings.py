"""What neither Dynamo v0.9.0 nor our engines have is refused, and settings survive their file."""

from typing import Any

import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import with_fields
from anarchy.config.settings import load_scenario
from anarchy.live.engine_settings import FIXED, EngineSettings, refuse_what_is_not_live
from anarchy.serving.service_times.lookup import load_latency

SCENARIO = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p5d")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("router.policy", "lmetric"),
        ("router.decode_overlap", True),
        ("engine.memory.paged", True),
        ("engine.handoff.link", "fifo"),
        ("engine.cache.disk.capacity_tokens", 4096),
        ("planner.rule", "load"),
        ("outages", [{"pool": "decode", "worker": 0, "at": 1.0, "until": 2.0}]),
    ],
)
def test_what_is_simulated_only_is_refused_in_one_line(path: str, value: Any) -> None:
    changed = with_fields(SCENARIO, {path: value}, "test")
    with pytest.raises(InputError) as refused:
        refuse_what_is_not_live(changed)
    assert str(refused.value).startswith(f"live: {path}: ")
    assert str(refused.value).endswith(f"is simulated only; allowed: {FIXED[path]}")


@pytest.mark.parametrize("name", ["70b-1p2d", "70b-1p5d", "340b-1p2d"])
def test_the_published_scenarios_are_live(name: str) -> None:
    refuse_what_is_not_live(load_scenario(paths.ROOT / paths.SCENARIOS, name))
    refuse_what_is_not_live(load_scenario(paths.ROOT / paths.SCENARIOS, f"{name}-v09"))


def test_settings_survive_their_file() -> None:
    table = load_latency(paths.ROOT / paths.LATENCY, SCENARIO.model.latency).table
    written = EngineSettings(scenario=SCENARIO, latency=table, dilation=4, model_folder="model")
    assert EngineSettings.model_validate_json(written.model_dump_json()) == written
