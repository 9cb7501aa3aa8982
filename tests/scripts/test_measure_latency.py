"""The command: what it says where it cannot measure, and that nothing but PyTorch is missing."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.measure_latency import short_name

from anarchy.common import paths
from tests.scripts.committed import SHARDS, model_of

SCRIPT = paths.ROOT / "scripts" / "measure_latency.py"
WITH_TORCH = {"agreement", "devices", "kernels", "layers", "plain"}


def run(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the script; `path` is a folder of packages that hide others."""
    variables = dict(os.environ) | ({"PYTHONPATH": str(path)} if path else {})
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_what_counts_bytes_and_keeps_cells_needs_no_torch() -> None:
    modules = {file.stem: file for file in (paths.ROOT / "scripts" / "shard").glob("*.py")}
    assert modules.keys() > WITH_TORCH
    for name in modules.keys() - WITH_TORCH:
        tree = ast.walk(ast.parse(modules[name].read_text(encoding="utf-8")))
        imported = {node.module or "" for node in tree if isinstance(node, ast.ImportFrom)}
        assert not imported & {"torch", *(f"shard.{other}" for other in WITH_TORCH)}, name


def test_modules_are_short() -> None:
    for file in (SCRIPT, *SCRIPT.with_name("shard").glob("*.py")):
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("stem", SHARDS)
def test_a_file_has_the_name_of_the_committed_one(stem: str) -> None:
    assert f"{model_of(stem)}-{short_name(SHARDS[stem].gpu)}" == stem


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_without_pytorch_there_is_one_line(device: str) -> None:
    try:
        import torch
    except ImportError:
        done = run("--device", device)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines() == [
            "torch is not installed; allowed: a Python with the group gpu of pyproject.toml"
        ]
    else:
        pytest.skip(f"PyTorch {torch.__version__} is installed")


def test_without_a_gpu_there_is_one_line(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("triton", reason="Triton is not installed")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = run("--out", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "PyTorch finds no CUDA GPU; allowed: a machine with one, or --device cpu"
    ]
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "gpt"], "choose from"),
        (["--grid", "huge"], "choose from"),
        (["--device", "cpu", "--model", "llama31-8b-fp8-tp1"], "leave --model out"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]


def test_help_teaches() -> None:
    done = run("--help")
    assert done.returncode == 0
    for told in (
        "--grid quick",
        "only what is missing",
        "Not in these times",
        "no GPU has run it yet",
    ):
        assert told in " ".join(done.stdout.split())


def test_it_runs_on_a_cpu_and_the_second_time_has_nothing_to_do(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    first = run("--device", "cpu", "--out", str(tmp_path))
    assert (first.returncode, first.stdout) == (0, "")
    (file,) = tmp_path.iterdir()
    written = file.read_bytes()
    second = run("--device", "cpu", "--out", str(tmp_path))
    assert second.returncode == 0
    assert second.stderr.splitlines() == [f"{file}: 4 of 4 cells are there"]
    assert file.read_bytes() == written
