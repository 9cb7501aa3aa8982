"""The configuration models: what they accept, what they refuse and in which words."""

from pathlib import Path
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.experiment import Experiment
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import SCHEMA_MODELS, Settings, load_scenario, load_settings
from anarchy.config.validation import json_schema, validate
from anarchy.config.yaml_files import merge, read_yaml

SCENARIOS = paths.ROOT / paths.SCENARIOS


def published() -> dict[str, Any]:
    return load_scenario(SCENARIOS, "70b-1p2d").model_dump()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"workload": {"clinets": 3}},
            "unknown key 'workload.clinets'; did you mean 'clients'?",
            id="misspelt-key",
        ),
        pytest.param(
            {"engine": {"prefil": {}}},
            "unknown key 'engine.prefil'; did you mean 'prefill'?",
            id="misspelt-section",
        ),
        pytest.param(
            {"zzz": 1}, "unknown key 'zzz'; allowed: assumptions, description,", id="unknown-key"
        ),
        pytest.param(
            {"workload": {"clients": 0}},
            "workload.clients: input should be greater than or equal to 1 (got 0)",
            id="no-clients",
        ),
        pytest.param(
            {"engine": {"handoff": {"bandwidth": -5.0}}},
            "engine.handoff.bandwidth: input should be greater than or equal to 1 (got -5.0)",
            id="negative-bandwidth",
        ),
        pytest.param(
            {"assumptions": {}, "workload": {"kind": "poisson", "rate": 1.0, "clients": 3}},
            "unknown key 'workload.clients'; allowed: input_lengths, input_tokens, kind,",
            id="key-of-another-workload",
        ),
        pytest.param(
            {"topology": {"decode": 6}},
            "topology 1P/6D needs 28 GPUs, hardware.gpus is 24: at most 6 workers of 4 GPUs",
            id="too-many-decode-workers",
        ),
        pytest.param(
            {"workload": {"kind": "closed"}},
            "does not match any of the expected tags: 'closed-loop', 'poisson', 'mmpp'",
            id="unknown-workload",
        ),
        pytest.param(
            {"router": {"ties": "coin"}},
            "router.ties: input should be 'smallest-cache', 'random' or 'first' (got 'coin')",
            id="unknown-tie-rule",
        ),
        pytest.param(
            {"router": {"temperature": float("nan")}},
            "router.temperature: input should be",
            id="nan",
        ),
        pytest.param(
            {"assumptions": {"workload.lenght": "guess"}},
            "x.yaml: unknown field 'workload.lenght' at 'lenght'",
            id="assumption-of-no-field",
        ),
    ],
)
def test_faults_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as fault:
        validate(Scenario, merge(published(), change), "x.yaml")
    assert str(fault.value).startswith("x.yaml: ")
    assert message in str(fault.value)
    assert "\n" not in str(fault.value)


def test_negative_rate_is_refused() -> None:
    data = published() | {"assumptions": {}}
    data["workload"] = {"kind": "poisson", "rate": -1, "input_tokens": 1, "output_tokens": 1}
    with pytest.raises(InputError, match=r"workload\.rate: .* than or equal to 0\.000001 \(got -1"):
        validate(Scenario, data, "x.yaml")


def test_missing_key_is_named() -> None:
    data = published()
    del data["topology"]
    with pytest.raises(InputError, match=r"x\.yaml: key 'topology' is missing"):
        validate(Scenario, data, "x.yaml")


def test_scenarios_extend_one_another() -> None:
    scenario = load_scenario(SCENARIOS, "70b-1p5d")
    assert (scenario.topology.prefill, scenario.topology.decode) == (1, 5)
    assert scenario.model == load_scenario(SCENARIOS, "70b-1p2d").model


def test_a_circle_of_scenarios_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b")
    (tmp_path / "b.yaml").write_text("extends: a")
    with pytest.raises(InputError, match="extends itself through a -> b -> a"):
        load_scenario(tmp_path, "a")


def test_unknown_scenario_suggests_a_name() -> None:
    with pytest.raises(InputError, match=r"unknown scenario '70b-1p3d'; did you mean '70b-1p"):
        load_scenario(SCENARIOS, "70b-1p3d")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", ":1: not YAML"),
        ("- 1\n- 2\n", "expected keys with values, not list"),
        ("a: 1\nb: 2\na: 3\n", ":3: key 'a' is given twice"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", ":3: merges (<<) are not allowed; write the keys out"),
        ("? [a]\n: 1\n? [a]\n: 2\n", "not YAML: found unhashable key"),
        ("a: !!timestamp 2024-13-45", "not YAML: could not determine a constructor"),
        ("a: " + "9" * 5000, ":1: number longer than 1000 characters"),
        ("a: !!python/object/apply:os.system ['true']", "not YAML: could not determine"),
    ],
)
def test_unreadable_yaml_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as fault:
        read_yaml(path)
    assert message in str(fault.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)


def test_merge_replaces_lists_and_merges_mappings() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    assert merge(base, {"a": {"c": [9]}}) == {"a": {"b": 1, "c": [9]}, "d": 3}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 3}, "the base is left alone"


def test_with_fields_validates_anew() -> None:
    scenario = load_scenario(SCENARIOS, "70b-1p2d")
    changed = with_fields(scenario, {"workload.clients": 7, "router.temperature": 0.5}, "x")
    assert changed.router.temperature == 0.5
    with pytest.raises(InputError, match=r"x: workload\.clients: input should be greater"):
        with_fields(scenario, {"workload.clients": 0}, "x")
    with pytest.raises(InputError, match=r"x: unknown key 'workload.client'; did you mean"):
        with_fields(scenario, {"workload.client": 1}, "x")


def test_overlay_is_laid_over_the_settings(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("replications: 3\nbootstrap: {resamples: 200}")
    base = load_settings(paths.ROOT / paths.SETTINGS)
    settings = load_settings(paths.ROOT / paths.SETTINGS, overlay)
    assert (settings.replications, settings.bootstrap.resamples) == (3, 200)
    assert settings.bootstrap.block == base.bootstrap.block
    overlay.write_text("replication: 3")
    with pytest.raises(InputError, match="did you mean 'replications'"):
        load_settings(paths.ROOT / paths.SETTINGS, overlay)


@pytest.mark.parametrize("name", sorted(SCHEMA_MODELS))
def test_committed_schemas_have_not_drifted(name: str) -> None:
    """`anarchy schema` writes them."""
    committed = paths.ROOT / paths.SCHEMAS / f"{name}.schema.json"
    assert committed.read_text(encoding="utf-8") == json_schema(SCHEMA_MODELS[name])


def test_no_schema_without_a_model() -> None:
    committed = {p.name for p in (paths.ROOT / paths.SCHEMAS).iterdir()}
    assert committed == {f"{name}.schema.json" for name in SCHEMA_MODELS}


def test_every_committed_configuration_is_valid() -> None:
    for path in (paths.ROOT / paths.EXPERIMENTS).glob("*.yaml"):
        validate(Experiment, read_yaml(path), str(path))
    for path in SCENARIOS.glob("*.yaml"):
        load_scenario(SCENARIOS, path.stem)
    for path in (paths.ROOT / paths.CONFIG).glob("*.yaml"):
        if path.name not in ("config.yaml", "traces.yaml"):
            load_settings(paths.ROOT / paths.SETTINGS, path)
    validate(Settings, read_yaml(paths.ROOT / paths.SETTINGS), "config.yaml")
