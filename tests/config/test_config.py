"""The configuration models: what they accept, what they refuse and in which words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anarchy.cli.schema import SCHEMA_MODELS
from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.experiment import Experiment
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import (
    Settings,
    TraceSources,
    load_scenario,
    load_settings,
)
from anarchy.config.validation import json_schema, validate
from anarchy.config.workload import Poisson
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
            {"zzz": 1}, "unknown key 'zzz'; allowed: assumptions, controller,", id="unknown-key"
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
        pytest.param(
            {"controller": {"thresholds": {"transition": 10.0, "saturated": 1.0}}},
            "controller.thresholds: transition (10.0) must be less than saturated (1.0)",
            id="thresholds-out-of-order",
        ),
        pytest.param({"controller": {"polls": 0}}, "controller.polls", id="no-poll-has-to-agree"),
        pytest.param({"controller": {"interval": 0.0}}, "controller.interval", id="polls-for-ever"),
        pytest.param({"controller": {"smoothing": 0.0}}, "controller.smoothing", id="no-sample"),
        pytest.param(
            {"controller": {"edges": [1.0, 1.0]}}, "controller: edges must ascend", id="edges"
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


def leaves(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted path and the value of everything that is no section."""
    for key, value in data.items():
        if isinstance(value, dict) and key != "assumptions":
            yield from leaves(value, f"{path}{key}.")
        elif not isinstance(value, dict | list | tuple):
            yield f"{path}{key}", value


LEAVES = dict(leaves(published()))
del LEAVES["workload.kind"]  # a tag, which has words of its own


@pytest.mark.parametrize("path", LEAVES)
def test_numbers_truth_values_and_text_are_different_things(path: str) -> None:
    scenario = load_scenario(SCENARIOS, "70b-1p2d")
    others = {bool: [0, 1, "yes"], int: [True, "5"], float: [True, "5"], str: [True, 5]}
    for wrong in others.get(type(LEAVES[path]), [True]):
        with pytest.raises(InputError, match=rf"x: {path}: "):
            with_fields(scenario, {path: wrong}, "x")


@pytest.mark.parametrize(("written", "read"), [(1e3, 1000), (64.0, 64)])
def test_whole_numbers_may_be_written_as_decimals(written: float, read: int) -> None:
    scenario = with_fields(load_scenario(SCENARIOS, "70b-1p2d"), {"workload.clients": written}, "x")
    assert scenario.workload.clients == read  # type: ignore[union-attr]
    with pytest.raises(InputError, match="a whole number is wanted"):
        with_fields(scenario, {"workload.clients": 1.5}, "x")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("workload.clients", 100_001),
        ("workload.templates", 10**8),
        ("workload.think_time", 1e300),
        ("engine.handoff.overhead", 1e300),
        ("engine.handoff.bandwidth", 1e-300),
        ("planner.interval", 1e-12),
        ("planner.sampling", 1e-12),
        ("router.tracking.replicas", 10**8),
        ("router.temperature", 1.79e308),
        ("topology.prefill", 10**8),
        ("description", "x" * 100_000),
        ("model.name", "\x1b[2J"),
    ],
)
def test_what_no_machine_could_run_is_refused(path: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"^x: {path}: ") as refused:
        with_fields(load_scenario(SCENARIOS, "70b-1p2d"), {path: value}, "x")
    assert len(str(refused.value)) < 250


def test_a_hundred_thousand_clients_are_allowed() -> None:
    scenario = load_scenario(SCENARIOS, "70b-1p2d")
    assert with_fields(scenario, {"workload.clients": 100_000}, "x")


@pytest.mark.parametrize("reverse", [False, True])
def test_changes_are_made_together_whatever_their_order(reverse: bool) -> None:
    changes = {"topology.prefill": 8, "hardware.gpus": 64}
    changes |= {"workload.rate": 3.0, "workload.kind": "poisson"}  # type: ignore[dict-item]
    changes |= {"workload.input_tokens": 64, "workload.output_tokens": 10}
    if reverse:
        changes = dict(reversed(changes.items()))
    changed = with_fields(load_scenario(SCENARIOS, "70b-1p2d"), changes, "x")
    assert (changed.topology.prefill, changed.hardware.gpus) == (8, 64)
    assert changed.workload.model_dump(exclude_defaults=True) == {
        "kind": "poisson",
        "rate": 3.0,
        "input_tokens": 64,
        "output_tokens": 10,
    }
    assert not [path for path in changed.assumptions if path.startswith("workload")]
    assert "engine.decode.slots" in changed.assumptions


def test_a_section_that_was_null_can_be_set_field_by_field() -> None:
    changes = {"workload.input_lengths.kind": "fixed", "workload.input_lengths.tokens": 7}
    changed = with_fields(load_scenario(SCENARIOS, "70b-1p2d"), changes, "x")
    assert changed.workload.input_lengths.tokens == 7  # type: ignore[union-attr]
    changes = {"workload.input_lengths.kind": "geometric", "workload.input_lengths.mean_tokens": 9}
    assert with_fields(changed, changes, "x").workload.input_lengths.kind == "geometric"  # type: ignore[union-attr]


def test_a_child_may_have_another_workload(tmp_path: Path) -> None:
    child = tmp_path / "child.yaml"
    workload = "workload: {kind: poisson, rate: 3, input_tokens: 64, output_tokens: 10}"
    child.write_text(f"extends: 70b-1p2d\n{workload}\n")
    scenario = load_scenario(tmp_path, "child", SCENARIOS)
    assert isinstance(scenario.workload, Poisson)
    assert scenario.workload.templates == 5, "the default, not the base's"
    assert "workload.think_time" not in scenario.assumptions, "what was said of the other workload"
    child.write_text(f"extends: 70b-1p2d\n{workload}\nassumptions: {{workload.clients: ours}}\n")
    with pytest.raises(InputError, match=r"child\.yaml: unknown field 'workload\.clients'"):
        load_scenario(tmp_path, "child", SCENARIOS)


@pytest.mark.parametrize(
    ("base", "child", "blamed"),
    [
        ("router: {tempature: 1}", "topology: {decode: 1}", "base"),
        ("topology: {decode: 0}", "router: {ties: first}", "base"),
        ("topology: {decode: 0}", "topology: {decode: -1}", "child"),
        ("assumptions: {workload.lenght: x}", "description: y", "base"),
        ("workload: {kind: poisson, rate: 1}", "description: y", "base"),
    ],
)
def test_the_file_that_holds_the_key_is_named(
    tmp_path: Path, base: str, child: str, blamed: str
) -> None:
    (tmp_path / "base.yaml").write_text(f"extends: 70b-1p2d\n{base}\n")
    (tmp_path / "child.yaml").write_text(f"extends: base\n{child}\n")
    with pytest.raises(InputError, match=rf"/{blamed}\.yaml: "):
        load_scenario(tmp_path, "child", SCENARIOS)


def test_all_missing_keys_are_named_at_once() -> None:
    with pytest.raises(InputError) as fault:
        validate(Experiment, {"title": "x", "scenarios": ["a"]}, "x.yaml")
    message = "x.yaml: keys 'question', 'measures', 'figure' and 'table' are missing"
    assert str(fault.value) == message


@pytest.mark.parametrize(
    "output",
    [
        *("../out", "/tmp/out", "config", "Config", "src/x", ".git", "a/../b", "a\0b", "a\nb"),
        *("a:b", "", "~/x", "$(x)", "-rf", "a b", "build/.git", "x" * 101),
    ],
)
def test_results_stay_in_folders_of_their_own(output: str) -> None:
    data = read_yaml(paths.ROOT / paths.SETTINGS)
    with pytest.raises(InputError, match=r"^x: output: "):
        validate(Settings, data | {"output": output}, "x")
    for allowed in (".", "build/quick", "mine"):
        assert validate(Settings, data | {"output": allowed}, "x").output == allowed


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("file", "../../../escape.csv"),
        ("file", "/etc/passwd"),
        ("file", "a/b.csv"),
        ("file", "a\nb"),
        ("file", ".."),
        ("url", "nonsense"),
        ("url", "javascript:alert(1)"),
    ],
)
def test_traces_stay_below_their_folder(key: str, value: str) -> None:
    data = read_yaml(paths.ROOT / paths.TRACES)
    data["traces"]["azure-code"][key] = value
    with pytest.raises(InputError, match=rf"^x: traces\.azure-code\.{key}: "):
        validate(TraceSources, data, "x")


def test_two_traces_are_two_files() -> None:
    data = read_yaml(paths.ROOT / paths.TRACES)
    data["traces"]["again"] = data["traces"]["azure-code"]
    with pytest.raises(InputError, match="another trace is called"):
        validate(TraceSources, data, "x")


def test_missing_key_is_named() -> None:
    data = published()
    del data["topology"]
    with pytest.raises(InputError, match=r"x\.yaml: key 'topology' is missing"):
        validate(Scenario, data, "x.yaml")


def test_scenarios_extend_one_another() -> None:
    scenario = load_scenario(SCENARIOS, "70b-1p5d")
    assert (scenario.topology.prefill, scenario.topology.decode) == (1, 5)
    assert scenario.model == load_scenario(SCENARIOS, "70b-1p2d").model


def test_a_scenario_extends_several_the_later_over_the_earlier(tmp_path: Path) -> None:
    (tmp_path / "fast.yaml").write_text("router: {temperature: 0.5, overlap_weight: 0.2}\n")
    (tmp_path / "last.yaml").write_text("router: {temperature: 0.7}\n")
    (tmp_path / "child.yaml").write_text("extends: [70b-1p5d, fast, last]\ndescription: mine\n")
    scenario = load_scenario(tmp_path, "child", SCENARIOS)
    assert scenario.topology.decode == 5
    assert (scenario.router.temperature, scenario.router.overlap_weight) == (0.7, 0.2)


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
        ("a: [1", ":1: not YAML: did not find expected"),
        ("a: [1\n", ":2: not YAML: did not find expected"),
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
        if path.name not in (
            "claims.yaml",
            "config.yaml",
            "live.yaml",
            "silicon.yaml",
            "traces.yaml",
        ):
            load_settings(paths.ROOT / paths.SETTINGS, path)
    validate(Settings, read_yaml(paths.ROOT / paths.SETTINGS), "config.yaml")
