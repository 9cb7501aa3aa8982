"""Bad input: one line that names file, key or line and what is allowed, code 2, nothing written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from anarchy.cli.main import main
from anarchy.common import paths
from anarchy.config.yaml_files import merge, read_yaml
from tests.workflow.conftest import contents, copy_project, snakemake


def change(file: str, values: dict[str, Any]) -> Callable[[Path], None]:
    """Lay values over a configuration file."""

    def apply(root: Path) -> None:
        path = root / "config" / file
        path.write_text(yaml.safe_dump(merge(read_yaml(path), values), sort_keys=False))

    return apply


def negative_rate(root: Path) -> None:
    path = root / "config/scenarios/70b-1p2d.yaml"
    data = read_yaml(path)
    data["assumptions"] = {}
    data["workload"] = {"kind": "poisson", "rate": -2.5, "input_tokens": 128, "output_tokens": 8}
    path.write_text(yaml.safe_dump(data))


def missing_trace(root: Path) -> None:
    change("scenarios/mooncake-8p8d.yaml", {"workload": {"trace": "data/absent.jsonl"}})(root)


def broken_trace(root: Path) -> None:
    line = json.dumps({"timestamp": 0, "input_length": 10, "output_length": 1, "hash_ids": [0]})
    lines = [line] * 5000
    lines[4710] = line[:-5]
    (root / "data").mkdir(exist_ok=True)
    (root / "data/own.jsonl").write_text("\n".join(lines) + "\n")
    change("scenarios/mooncake-8p8d.yaml", {"workload": {"trace": "data/own.jsonl"}})(root)


def unordered_table(root: Path) -> None:
    path = root / "config/latency/llama31-70b-fp8-tp4-b200-trtllm.json"
    table = json.loads(path.read_text())
    tokens = table["prefill"]["tokens"]
    tokens[3], tokens[4] = tokens[4], tokens[3]
    path.write_text(json.dumps(table))


CASES = [
    pytest.param(
        change("scenarios/70b-1p2d.yaml", {"workload": {"think_tme": 0.1}}),
        ["70b-1p2d.yaml", "workload.think_tme", "did you mean 'think_time'?"],
        id="misspelt-key",
    ),
    pytest.param(
        negative_rate, ["70b-1p2d.yaml", "workload.rate", "greater than or equal to", "-2.5"],
        id="negative-rate",
    ),
    pytest.param(
        change("scenarios/70b-1p2d.yaml", {"router": {"policy": "kvv"}}),
        ["router.policy", "unknown router policy 'kvv'", "did you mean 'kv'?"],
        id="unknown-router",
    ),
    pytest.param(missing_trace, ["data/absent.jsonl"], id="missing-trace"),
    pytest.param(broken_trace, ["data/own.jsonl:4711:"], id="trace-with-a-broken-line"),
    pytest.param(
        unordered_table,
        ["llama31-70b-fp8-tp4-b200-trtllm.json", "prefill.tokens"],
        id="latency-table-with-a-non-monotone-axis",
    ),
    pytest.param(
        change("experiments/concurrency.yaml", {"sweep": {"workload.clients": [0, 1]}}),
        ["concurrency.yaml", "workload.clients", "greater than or equal to 1"],
        id="no-clients",
    ),
    pytest.param(
        change("scenarios/70b-1p5d-v09.yaml", {"topology": {"decode": 6}}),
        ["70b-1p5d-v09.yaml", "28 GPUs", "at most 6 workers"],
        id="more-decode-workers-than-gpus",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "words"), CASES)
def test_check_names_the_fault_in_one_line(
    spoil: Callable[[Path], None],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(paths.ROOT / paths.CONFIG, tmp_path / paths.CONFIG)
    spoil(tmp_path)
    before = contents(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    for word in words:
        assert word in captured.err
    assert contents(tmp_path) == before


def test_the_workflow_itself_ends_with_the_same_line(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "spoilt")
    broken_trace(project)
    done = snakemake(project, "all")
    assert done.returncode == 2
    assert "data/own.jsonl:4711:" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not (project / "build").exists()
