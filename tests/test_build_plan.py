"""The plan: everything is validated before a job starts, and faults name file and key."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from anarchy.build_jobs import point_job
from anarchy.build_plan import Plan, load_plan
from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.experiment import combinations
from anarchy.config.settings import load_scenario
from anarchy.config.yaml_files import merge, read_yaml
from anarchy.workload import trace_files

EXPERIMENT: dict[str, Any] = {
    "title": "A small one",
    "question": "Does it work?",
    "scenarios": ["70b-1p2d"],
    "sweep": {"workload.clients": [1, 4], "router.temperature": [0.0, 0.5]},
    "measures": ["ttft-mean", "prefill-load"],
    "figure": {"kind": "line", "x": "workload.clients", "y": ["ttft-mean"]},
    "table": {"measures": ["ttft-mean"]},
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the configuration with one small experiment and no study."""
    shutil.copytree(paths.ROOT / paths.CONFIG, tmp_path / paths.CONFIG)
    for folder in (paths.EXPERIMENTS, paths.STUDIES):
        for path in (tmp_path / folder).iterdir():
            path.unlink()
    for path in (paths.CLAIMS, paths.LIVE, paths.SILICON):  # they name what is not there, or much
        (tmp_path / path).unlink()
    write(tmp_path, {})
    return tmp_path


def write(root: Path, change: dict[str, Any], name: str = "small") -> None:
    data = merge(EXPERIMENT, change)
    (root / paths.EXPERIMENTS / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False))


def test_points_are_all_combinations_with_their_fields_set(root: Path) -> None:
    plan = load_plan(root=root)
    points = plan.points["small"]
    assert [point.values for point in points] == combinations(EXPERIMENT["sweep"])
    assert [point.scenario.workload.clients for point in points] == [1, 1, 4, 4]  # type: ignore[union-attr]
    assert len({point.name for point in points}) == 4
    assert points[1].name == "70b-1p2d__clients-1__temperature-0.5"


def test_variants_are_an_axis_whose_fields_are_laid_over_those_of_set(root: Path) -> None:
    ablation = EXPERIMENT | {
        "set": {"router.ties": "random"},
        "sweep": {"workload.clients": [1, 4]},
        "variants": {"plain": {}, "soft": {"router.temperature": 0.7, "router.ties": "first"}},
    }
    (root / paths.EXPERIMENTS / "small.yaml").write_text(yaml.safe_dump(ablation, sort_keys=False))
    points = load_plan(root=root).points["small"]
    assert [(point.values["variant"], point.values["workload.clients"]) for point in points] == [
        ("plain", 1),
        ("plain", 4),
        ("soft", 1),
        ("soft", 4),
    ]
    routers = [(p.scenario.router.temperature, p.scenario.router.ties) for p in points]
    assert routers == [(0.0, "random")] * 2 + [(0.7, "first")] * 2
    assert points[3].name == "70b-1p2d__variant-soft__clients-4"


def test_a_job_carries_its_keys_and_the_settings(root: Path) -> None:
    plan = load_plan(root=root)
    job = point_job(plan, plan.points["small"][2])
    assert job.keys == {"scenario": "70b-1p2d", "workload.clients": 4, "router.temperature": 0.0}
    assert job.replications == plan.settings.replications
    write(root, {"replications": 3, "requests": 77})
    plan = load_plan(root=root)
    job = point_job(plan, plan.points["small"][0])
    assert (job.replications, job.requests) == (3, 77)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"scenarios": ["70b-1p3d"]},
            "small.yaml: unknown scenario '70b-1p3d'; did you mean",
            id="unknown-scenario",
        ),
        pytest.param(
            {"sweep": {"router.policy": ["kv", "roundrobin"]}},
            "small.yaml: router.policy: unknown router policy 'roundrobin'; did you mean",
            id="unknown-router",
        ),
        pytest.param(
            {"sweep": {"workload.clients": [0]}},
            "small.yaml: workload.clients: input should be greater than or equal to 1 (got 0)",
            id="no-clients",
        ),
        pytest.param(
            {"sweep": {"topology.decode": [2, 9]}},
            "at most 6 workers of 4 GPUs",
            id="more-decode-workers-than-gpus",
        ),
        pytest.param(
            {"sweep": {"workload.klients": [1]}},
            "small.yaml: unknown key 'workload.klients'; did you mean 'clients'?",
            id="unknown-swept-field",
        ),
        pytest.param(
            {"set": {"model.latency": "llama31-70b-fp8-tp4-b200-trtlm"}},
            "did you mean 'llama31-70b-fp8-tp4-b200-trtllm'?",
            id="unknown-latency-table",
        ),
        pytest.param(
            {"set": {"model.all_reduce": 1e-5}},
            "small.yaml: model.all_reduce is 1e-05, but the times of "
            "'nvidia/Llama-3.1-70B-Instruct-FP8' on b200_sxm by trtllm include all-reduce; "
            "allowed: 0",
            id="all-reduce-that-the-table-includes",
        ),
        pytest.param(
            {"measures": ["ttft-men"]},
            "unknown measure 'ttft-men'; did you mean 'ttft-mean'?",
            id="unknown-measure",
        ),
        pytest.param(
            {"table": {"measures": ["itl-mean"]}},
            "measure 'itl-mean' is not measured",
            id="table-of-what-is-not-measured",
        ),
        pytest.param(
            {"figure": {"series": "router.policy"}},
            "'router.policy' is not swept",
            id="figure-of-what-is-not-swept",
        ),
        pytest.param(
            {"knee": {"field": "workload.clients"}, "measures": ["ttft-mean"]},
            "key 'knee' needs the measure 'prefill-load'",
            id="knee-without-load",
        ),
        pytest.param(
            {"measures": ["ttft-mean", "goodput"]},
            "small.yaml: measure 'goodput': its requests have no such objective",
            id="goodput-without-objectives",
        ),
        pytest.param(
            {
                "scenarios": ["70b-1p2d-tenants", "70b-1p2d"],
                "measures": ["ttft-mean", "goodput:chat"],
            },
            "small.yaml: unknown measure 'goodput:chat'; did you mean 'goodput'",
            id="tenant-of-one-scenario",
        ),
        pytest.param(
            {"measures": ["ttft-mean", "ttft-mean"]},
            "small.yaml: measures: 'ttft-mean' occurs twice",
            id="measure-twice",
        ),
        pytest.param(
            {"sweep": {"workload.clients": [1, 1.0]}},
            "small.yaml: sweep.workload.clients: '1.0' occurs twice",
            id="value-twice",
        ),
        pytest.param(
            {"measures": ["ttft-mean", "prefill-load"], "knee": {"field": "scenario"}},
            "small.yaml: knee.field: 'scenario' is no field of numbers",
            id="knee-over-scenarios",
        ),
        pytest.param(
            {"sweep": {"router.ties": ["first", "random"]}, "knee": {"field": "router.ties"}},
            "small.yaml: knee.field: 'router.ties' is no field of numbers",
            id="knee-over-text",
        ),
        pytest.param(
            {"sweep": {"model.name": ["x" * 190, "y"]}},
            "characters; allowed: 200",
            id="name-too-long-for-a-file",
        ),
        pytest.param(
            {"sweep": {"description": ["x" * 300, "y"]}},
            "small.yaml: sweep.description.0: string should have at most 200 characters",
            id="value-too-long",
        ),
        pytest.param(
            {"sweep": {"engine.cache.capacity_tokens": [1]}},
            "small.yaml: engine.cache.capacity_tokens: 1, but a prompt has 128 tokens",
            id="prompt-without-room",
        ),
        pytest.param(
            {"sweep": {"workload.templates": [100_000], "workload.input_tokens": [100_000]}},
            "small.yaml: workload.templates: they have 156,200,000 blocks",
            id="templates-beyond-memory",
        ),
        pytest.param(
            {"sweep": {"engine.memory.paged": [True], "engine.cache.block_tokens": [10**8]}},
            "small.yaml: engine.cache.capacity_tokens: a request of 128 prompt and 144 output",
            id="block-beyond-memory",
        ),
        pytest.param(
            {"sweep": {"engine.cache.enabled": ["on", "off"]}},
            "small.yaml: engine.cache.enabled: true or false is wanted (got 'on')",
            id="text-for-a-truth-value",
        ),
        pytest.param(
            {
                "sweep": {
                    "workload.clients": list(range(1, 120)),
                    "engine.decode.slots": [*range(1, 99)],
                }
            },
            "small.yaml: 23324 combinations of scenarios and values; allowed: 10000",
            id="too-many-points",
        ),
        pytest.param(
            {"variants": {"soft": {"router.temperature": 0.7}}},
            "small.yaml: 'router.temperature' is both in the variant 'soft' and in 'sweep'",
            id="varied-and-swept",
        ),
        pytest.param({"title": "x" * 100_000}, "small.yaml: title: string should", id="long-title"),
        pytest.param({"title": "\x1b[2J"}, "small.yaml: title: control", id="title-with-escapes"),
        pytest.param({"plugins": ["mine.py"]}, "no such plugin file", id="missing-plugin"),
        pytest.param(
            {
                "compare": {
                    "field": "router.temperature",
                    "baseline": 0.7,
                    "measures": ["ttft-mean"],
                }
            },
            "compare.baseline: 0.7 is not swept; allowed: 0.0, 0.5",
            id="baseline-outside-the-sweep",
        ),
    ],
)
def test_faults_of_an_experiment(root: Path, change: dict[str, Any], message: str) -> None:
    write(root, change)
    with pytest.raises(InputError) as fault:
        load_plan(root=root)
    assert message in str(fault.value)
    assert "\n" not in str(fault.value)


def test_an_experiment_may_ask_for_tenants_and_their_objectives(root: Path) -> None:
    measures = ["ttft-mean", "goodput", "slo-attainment:documents", "ttft-p99:chat"]
    write(root, {"scenarios": ["70b-1p2d-tenants"], "measures": measures})
    plan = load_plan(root=root)
    assert point_job(plan, plan.points["small"][0]).measures == measures


def test_an_overlay_is_blamed_for_its_own_faults(root: Path) -> None:
    overlay = root / "overlay.yaml"
    overlay.write_text("adjust: {experiments: {smal: {replications: 2}}}")
    with pytest.raises(InputError, match=r"overlay\.yaml: adjust: .* did you mean 'small'"):
        load_plan(overlay, root)
    overlay.write_text("adjust: {experiments: {small: {replicatons: 2}}}")
    with pytest.raises(InputError, match=r"overlay\.yaml: unknown key 'replicatons'"):
        load_plan(overlay, root)


def test_an_overlay_can_leave_an_experiment_out(root: Path) -> None:
    write(root, {})
    overlay = root / "overlay.yaml"
    overlay.write_text("output: build/some\nadjust: {experiments: {small: null}}")
    plan = load_plan(overlay, root)
    assert "small" in load_plan(root=root).experiments
    assert list(plan.left_out) == ["small"]
    assert "small" not in {*plan.experiments, *plan.points, *plan.missing}
    overlay.write_text("adjust: {experiments: {smal: null}}")
    with pytest.raises(InputError, match=r"overlay\.yaml: adjust: .* did you mean 'small'"):
        load_plan(overlay, root)


def test_an_overlay_changes_the_models_on_measured_hardware(root: Path) -> None:
    shutil.copy(paths.ROOT / paths.SILICON, root / paths.SILICON)
    overlay = root / "overlay.yaml"
    overlay.write_text("output: build/some\nadjust: {silicon: {searches: 3, batch_requests: [4]}}")
    silicon, before = (load_plan(o, root).silicon for o in (overlay, None))
    assert silicon is not None
    assert before is not None
    assert silicon == before.model_copy(update={"searches": 3, "batch_requests": [4]}) != before
    overlay.write_text("output: build/some\nadjust: {silicon: {serches: 3}}")
    with pytest.raises(InputError, match=r"overlay\.yaml: unknown key 'serches'"):
        load_plan(overlay, root)


def kinds(plan: Plan) -> set[str]:
    """What tells the experiments of a plan apart."""
    figures = [e.figure for e in plan.experiments.values()]
    found = {f"a {figure.kind} chart" for figure in figures}
    drawn = ("series", "rows", "panels", "curve", "published", "log_x", "log_y", "in_text")
    found |= {part for figure in figures for part in drawn if getattr(figure, part)}
    parts = ("knee", "compare", "spread", "rivals", "phases", "variants", "estimators")
    found |= {part for e in plan.experiments.values() for part in parts if getattr(e, part)}
    scenarios = [point.scenario for points in plan.points.values() for point in points]
    return found | {scenario.workload.kind for scenario in scenarios}


def test_the_tiny_build_has_experiments_of_all_kinds() -> None:
    tiny = load_plan(paths.ROOT / paths.CONFIG / "tiny.yaml", paths.ROOT)
    assert tiny.left_out
    assert kinds(tiny) == kinds(load_plan(root=paths.ROOT))


def test_swept_values_are_the_validated_ones(root: Path) -> None:
    write(root, {})
    path = root / paths.EXPERIMENTS / "small.yaml"
    text = path.read_text().replace("router.temperature:", "engine.handoff.overhead:")
    path.write_text(text.replace("- 0.0\n", "- 1e-3\n"))
    plan = load_plan(root=root)
    points = plan.points["small"]
    assert [point.values["engine.handoff.overhead"] for point in points[:2]] == [0.001, 0.5]
    sweep = plan.experiments["small"].sweep
    assert sweep["engine.handoff.overhead"] == [0.001, 0.5], "figures see numbers too"


def test_set_and_sweep_are_checked_together(root: Path) -> None:
    """Neither of them would fit alone."""
    write(root, {"set": {"topology.prefill": 8}, "sweep": {"hardware.gpus": [64, 128]}})
    points = load_plan(root=root).points["small"]
    assert {point.scenario.topology.prefill for point in points} == {8}


def test_a_folder_that_is_not_there_is_named(root: Path) -> None:
    (root / paths.SCENARIOS).rename(root / "elsewhere")
    with pytest.raises(InputError, match=rf"{paths.SCENARIOS}: no such folder"):
        load_plan(root=root)


@pytest.mark.parametrize("kind", ["pipe", "loop", "dangling"])
@pytest.mark.parametrize("folder", [paths.SCENARIOS, paths.EXPERIMENTS])
def test_what_is_no_file_is_not_read(root: Path, folder: Path, kind: str) -> None:
    """A pipe would keep the reader waiting for ever."""
    path = root / folder / "strange.yaml"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path if kind == "loop" else "absent")
    with pytest.raises(InputError, match=rf"{folder}/strange\.yaml: no regular file"):
        load_plan(root=root)
    with pytest.raises(InputError, match=rf"{folder}/strange\.yaml: no regular file"):
        load_scenario(root / folder, "strange")


def test_the_output_is_no_file(root: Path) -> None:
    overlay = root / "overlay.yaml"
    overlay.write_text("output: mine/deep")
    (root / "mine").write_text("")
    with pytest.raises(InputError, match=r"overlay\.yaml: output: .*mine is a file"):
        load_plan(overlay, root)


@pytest.mark.parametrize("name", ["My_Exp.yaml", "a b{c}.yaml", "small.yml"])
def test_file_names_are_fit_for_jobs(root: Path, name: str) -> None:
    (root / paths.EXPERIMENTS / name).write_text(yaml.safe_dump(EXPERIMENT))
    with pytest.raises(InputError, match="not the name of a configuration file"):
        load_plan(root=root)


@pytest.mark.parametrize("name", ["parallel-queues", "knee-map"])
def test_names_of_figures_are_unique(root: Path, name: str) -> None:
    source = paths.ROOT / paths.STUDIES / "knee-map.yaml"
    (root / paths.STUDIES / "knee-map.yaml").write_text(source.read_text())
    write(root, {}, name)
    with pytest.raises(InputError, match=f"the name '{name}' is taken"):
        load_plan(root=root)


POISSON = {
    "workload.kind": "poisson",
    "workload.rate": 5.0,
    "workload.templates": 1,
    "workload.input_tokens": 8,
}


def axes(**more: list[Any]) -> dict[str, Any]:
    """Few axes and nothing that needs others."""
    few = {"engine.prefill.batch_requests": [1], "workload.output_tokens": [8, 144]}
    return {"axes": few | more, "variants": {}, "figure": {"y": "engine.prefill.batch_requests"}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (axes(**{"model.latency": ["absent"]}), "model.latency: .*absent"),
        (axes(**{"router.policy": ["kvv"]}), "unknown router policy 'kvv'"),
        (
            {"scenarios": ["70b-1p2d"], **axes(**{"topology.prefill": [1, 2]})},
            "is no closed loop with one prefill worker",
        ),
        (axes() | {"variants": {"open": POISSON}}, "is no closed loop"),
        ({"axes": {"workload.output_tokens": [1]}}, "batch_requests' must be among 'axes'"),
        ({"figure": {"y": "workload.output_tokens", "panels": [{"x.y": 1}]}}, "x.y is never 1"),
        ({"variants": {"one": {"workload.output_tokens": 1}}}, "both in the variant 'one'"),
        ({"above": 128, "upto": 96}, "'above' .* must be less than 'upto'"),
        (axes(**{"workload.clients": [4]}), "is what the search varies"),
        ({"facts": [{"claim": "C03", "text": "x", "measure": "ttft-p99", "clients": 1}]}, "a fact"),
    ],
)
def test_faults_of_a_study(root: Path, change: dict[str, Any], message: str) -> None:
    data = read_yaml(paths.ROOT / paths.STUDIES / "knee-map.yaml") | change
    (root / paths.STUDIES / "study.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(InputError, match=rf"study\.yaml: .*{message}"):
        load_plan(root=root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "knees"}, "kind: unknown kind 'knees'; .*allowed: estimators, knee-map"),
        ({"scenarios": ["71b"]}, "unknown scenario '71b'"),
        ({"scenarios": ["mooncake-8p8d"]}, "is no closed loop"),
        ({"levels": {"71b": 7.0}}, "unknown scenario '71b'"),
        ({"settings": {"router.heat": [0, 1]}}, "unknown key 'router.heat'"),
        ({"variants": {"a": {"router.policy": "kvv"}}}, "unknown router policy 'kvv'"),
        (
            {"properties": {"a": {"claim": "C01", "text": "x", "statistic": "plateau"}}},
            "a property",
        ),
        (
            {"properties": {"a": {"claim": "C01", "text": "x", "statistic": "p", "at_most": 1}}},
            "properties.a.statistic: unknown statistic 'p'",
        ),
    ],
)
def test_faults_of_a_study_of_estimators(root: Path, change: dict[str, Any], message: str) -> None:
    data = read_yaml(paths.ROOT / paths.STUDIES / "estimators.yaml")
    families = [
        {**data["families"][0], "windows": [{"window": 8}], "entries": [{"entry": "queue"}]}
    ]
    small = {"scenarios": ["70b-1p2d"], "levels": {}, "families": families, "survive": None}
    data = data | small | change
    data["properties"] = change.get("properties", {})
    if not data["properties"]:
        wanted = {"claim": "C01", "text": "x", "statistic": "flatness", "at_most": 1.1}
        data["properties"] = {"flat": wanted}
    (root / paths.STUDIES / "study.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(InputError, match=rf"study\.yaml: .*{message}"):
        load_plan(root=root)


def test_an_overlay_coarsens_an_experiment(root: Path) -> None:
    overlay = root / "overlay.yaml"
    overlay.write_text("adjust: {experiments: {small: {sweep: {workload.clients: [2]}}}}")
    plan = load_plan(overlay, root)
    assert [point.values["workload.clients"] for point in plan.points["small"]] == [2, 2]


def test_a_trace_out_of_reach_leaves_its_experiment_out(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANARCHY_TRACE_DIR", raising=False)
    monkeypatch.setattr(trace_files, "_reachable", lambda url: False)
    on_trace = {"scenarios": ["mooncake-8p8d"], "sweep": {"workload.clients": None}}
    data = merge(EXPERIMENT, on_trace) | {"sweep": {"router.policy": ["kv", "round-robin"]}}
    data["figure"] = {"kind": "bar", "x": "router.policy", "y": ["ttft-mean"]}
    (root / paths.EXPERIMENTS / "recorded.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    plan = load_plan(root=root)
    assert plan.missing == {"recorded": "mooncake-conversation"}
    assert "recorded" not in plan.experiments, "there are no reference values of it"
    (root / paths.REFERENCE / "experiments/recorded.json").write_text("[]")
    assert "recorded" in load_plan(root=root).experiments


def test_an_explicit_trace_file_must_exist(root: Path) -> None:
    scenario = read_yaml(root / paths.SCENARIOS / "mooncake-8p8d.yaml")
    scenario["workload"]["trace"] = str(root / "absent.jsonl")
    (root / paths.SCENARIOS / "own.yaml").write_text(yaml.safe_dump(scenario))
    write(root, {"scenarios": ["own"]})
    data = EXPERIMENT | {"scenarios": ["own"], "sweep": {"router.policy": ["kv"]}}
    data |= {"figure": {"kind": "bar", "x": "router.policy", "y": ["ttft-mean"]}}
    (root / paths.EXPERIMENTS / "small.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    with pytest.raises(InputError, match=r"absent\.jsonl"):
        load_plan(root=root)


@pytest.mark.parametrize(("rows", "accepted"), [(3, True), (4, False)])
def test_no_more_rows_than_the_trace_has(root: Path, rows: int, accepted: bool) -> None:
    row = '{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": [0]}\n'
    (root / "mine.jsonl").write_text(row * 3)
    scenario = read_yaml(root / paths.SCENARIOS / "mooncake-8p8d.yaml")
    scenario["workload"] |= {"trace": "mine.jsonl", "rows": rows}
    (root / paths.SCENARIOS / "own.yaml").write_text(yaml.safe_dump(scenario))
    if accepted:
        load_plan(root=root)
        return
    message = r"own\.yaml: workload\.rows: 4 rows asked for, the trace has 3$"
    with pytest.raises(InputError, match=message):
        load_plan(root=root)


@pytest.mark.parametrize(
    ("cache", "fault"),
    [
        ({"capacity_tokens": 600}, None),
        ({"capacity_tokens": 599}, "engine.cache.capacity_tokens: 599, but a prompt has 600"),
    ],
)
def test_the_prompts_of_a_trace_have_room(
    root: Path, cache: dict[str, int], fault: str | None
) -> None:
    row = '{"timestamp": 0, "input_length": 600, "output_length": 1, "hash_ids": [0, 1]}\n'
    (root / "mine.jsonl").write_text(row)
    scenario = read_yaml(root / paths.SCENARIOS / "mooncake-8p8d.yaml")
    scenario["workload"] |= {"trace": "mine.jsonl"}
    (root / paths.SCENARIOS / "own.yaml").write_text(yaml.safe_dump(scenario))
    data = EXPERIMENT | {"scenarios": ["own"], "sweep": {"router.policy": ["kv"]}}
    data |= {"figure": {"kind": "bar", "x": "router.policy", "y": ["ttft-mean"]}}
    data["set"] = {f"engine.cache.{key}": value for key, value in cache.items()}
    (root / paths.EXPERIMENTS / "small.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    if fault is None:
        load_plan(root=root)
        return
    with pytest.raises(InputError, match=fault):
        load_plan(root=root)


def test_the_examples_of_the_readme_are_accepted(root: Path) -> None:
    readme = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    experiment = re.search(r"```yaml\n(title: .*?)```", readme, re.DOTALL)
    router = re.search(r"```python\n(# my_routers/least_requests\.py\n.*?)```", readme, re.DOTALL)
    assert experiment is not None
    assert router is not None
    (root / "my_routers").mkdir()
    (root / "my_routers/least_requests.py").write_text(router.group(1))
    data = yaml.safe_load(experiment.group(1)) | {"plugins": ["my_routers/least_requests.py"]}
    data["set"] = {"router.policy": "least-requests"}
    path = root / paths.EXPERIMENTS / "long-outputs.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    assert len(load_plan(root=root).points["long-outputs"]) == 6


CLAIM = {"id": "C01", "text": "t", "published": "p", "mark": "A", "where": "sec:x"}


def claimed(root: Path, file: str, **more: Any) -> None:
    test = {"text": "q", "rule": "value", "rows": {"file": file, "id": "x"}, "at_least": 1}
    entry = CLAIM | {"tests": [test]} | more
    (root / paths.CLAIMS).write_text(yaml.safe_dump({"claims": [entry]}), encoding="utf-8")


def test_a_claim_names_results_that_the_build_makes(root: Path) -> None:
    claimed(root, "experiments/small.compare.json")
    ledger = load_plan(root=root).claims
    assert ledger is not None
    assert [claim.id for claim in ledger.claims] == ["C01"]


def test_a_claim_on_no_experiment_is_refused_unless_it_waits_for_one(root: Path) -> None:
    claimed(root, "experiments/smal.json")
    wanted = "claims.yaml: C01: no experiment makes experiments/smal.json; did you mean 'small'?"
    with pytest.raises(InputError, match=re.escape(wanted)):
        load_plan(root=root)
    claimed(root, "experiments/smal.json", open="waits")
    assert load_plan(root=root).claims is not None


def test_a_rule_that_is_not_known_is_refused_before_a_build(root: Path) -> None:
    claimed(root, "bracket.json", tests=[{"text": "q", "rule": "x", "rows": {"file": "a.json"}}])
    with pytest.raises(InputError, match=r"claims.yaml: C01: unknown rule of claims 'x'"):
        load_plan(root=root)
