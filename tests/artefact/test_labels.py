"""Names of fields, known and unknown."""

import pytest

from anarchy.artefact.labels import (
    FIELDS,
    axis_label,
    scenario_name,
    setting_text,
    value_text,
    variant_name,
)
from anarchy.common.paths import ROOT, SCENARIOS
from anarchy.config.scenario import get_field, with_fields
from anarchy.config.settings import load_scenario


def test_every_named_field_exists() -> None:
    loaded = [load_scenario(ROOT / SCENARIOS, n) for n in ("70b-1p2d", "mooncake-8p8d")]
    scenarios = [with_fields(scenario, {"controller": {}}, "test") for scenario in loaded]
    of_trace = {"workload.speed", "workload.rows"}
    # No scenario of ours has Poisson arrivals; `rate` is a field of those.
    for field in FIELDS.keys() - {"scenario", "variant", "phase", "workload.rate"}:
        get_field(scenarios[field in of_trace], field)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("70b-1p2d", "70B 1P/2D"),
        ("mooncake-8p8d", "mooncake 8P/8D"),
        ("my-system", "my system"),
        ("b200-3p10d-x", "b200 3P/10D x"),
    ],
)
def test_scenario_names(name: str, shown: str) -> None:
    assert scenario_name(name) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [("theta-0", "θ = 0"), ("theta-1-4", "θ = 1/4"), ("theta-x", "theta-x"), ("a-1-4", "a-1-4")],
)
def test_variant_names(name: str, shown: str) -> None:
    assert variant_name(name) == value_text("variant", name) == shown


def test_values_and_axis_share_a_unit() -> None:
    overheads = [0.0, 0.005, 0.1]
    path = "engine.handoff.overhead"
    assert axis_label(path, overheads) == "hand-off overhead (ms)"
    assert [value_text(path, v, overheads) for v in overheads] == ["0", "5", "100"]
    assert axis_label(path, [0.5, 2.0]) == "hand-off overhead (s)"


def test_service_times_are_told_apart_by_what_differs() -> None:
    names = ["llama-tp4-b200-trtllm", "llama-tp4-b200-vllm"]
    assert [value_text("model.latency", n, names) for n in names] == ["trtllm", "vllm"]
    assert setting_text("model.latency", names[0], names) == "trtllm"
    assert value_text("model.latency", names[0]) == names[0]
    assert value_text("model.latency", names[0], names[:1]) == names[0]
    assert [value_text("model.latency", n, ["a-b", "a"]) for n in ("a-b", "a", "c")] == [
        "b",
        "a",
        "c",
    ]


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("router.temperature", 0.7, "τ = 0.7"),
        ("router.policy", "kv", "kv"),
        ("scenario", "70b-1p5d", "70B 1P/5D"),
        ("engine.cache.enabled", False, "cache = off"),
        ("engine.handoff.bandwidth", None, "bandwidth = none"),
        ("engine.handoff.overhead", 0.05, "hand-off = 50 ms"),
        ("some.unknown_field", 3, "unknown field = 3"),
    ],
)
def test_settings(path: str, value: object, text: str) -> None:
    assert setting_text(path, value) == text
