"""The whole DAG on the tiny configuration: complete, deterministic, resumable, extensible."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from anarchy.common.files import read_rows
from tests.workflow.conftest import contents, copy_project, environment, has_tex, snakemake, targets

OUT = Path("build/tiny")
EXPERIMENTS = ("concurrency", "router-sweep", "mooncake-routing", "azure-routing")
ON_TRACES = ("mooncake-routing", "azure-routing")


def products(project: Path) -> dict[str, bytes]:
    """What two builds must agree on to the byte."""
    results = contents(project / OUT / "results")
    found = {k: v for k, v in results.items() if not k.startswith("machine/")}
    found |= {k: v for k, v in contents(project / OUT / "figures").items() if k.endswith(".pdf")}
    found |= {f"generated/{k}": v for k, v in contents(project / OUT / "paper/generated").items()}
    if has_tex():
        found["main.pdf"] = (project / OUT / "paper/main.pdf").read_bytes()
    return found


def test_every_phase_has_its_products(built: Path) -> None:
    out = built / OUT
    for name in (*EXPERIMENTS, "knee-map", "parallel-queues"):
        for suffix in ("pdf", "png"):
            assert (out / "figures" / f"{name}.{suffix}").stat().st_size > 1000, name
    for name in EXPERIMENTS:
        assert (out / "paper/generated/tables/experiments" / f"{name}.tex").is_file()
    for table in ("bounds", "assumptions", "scenarios", "facts/knee-map"):
        assert r"\toprule" in (out / f"paper/generated/tables/{table}.tex").read_text()
    assert r"\newcommand" in (out / "paper/generated/numbers.tex").read_text()
    assert read_rows(out / "results/theory/bounds.json")
    assert read_rows(out / "results/machine/provenance.json")


@pytest.mark.skipif(not has_tex(), reason="latexmk and pdflatex are not installed")
def test_the_paper_is_a_pdf_without_loose_ends(built: Path) -> None:
    assert (built / OUT / "paper/main.pdf").read_bytes().startswith(b"%PDF-")
    log = (built / OUT / "paper/main.log").read_text(errors="replace")
    assert "Output written on" in log
    assert "undefined" not in log.lower()
    assert "Not part of this build" not in log


def test_a_second_run_has_nothing_to_do(built: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (built / OUT).rglob("*") if p.is_file()}
    done = snakemake(built, *targets())
    assert done.returncode == 0
    after = {p: p.stat().st_mtime_ns for p in (built / OUT).rglob("*") if p.is_file()}
    assert after == before


def test_a_killed_build_resumes_to_the_same_bytes_elsewhere(built: Path, tmp_path: Path) -> None:
    """Another folder, time zone, locale and hash seed, and a kill -9 on the way."""
    project = copy_project(tmp_path / "elsewhere")
    changes = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "77"}
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "none", "--cores", "2"]
    command += ["--quiet", "all", *targets(), "--config", "overlay=config/tiny.yaml"]
    started = subprocess.Popen(
        command,
        cwd=project,
        env=environment(project, **changes),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    points = project / OUT / "results/points"
    deadline = time.monotonic() + 60
    while not list(points.rglob("*.json")) and time.monotonic() < deadline:
        assert started.poll() is None, "the build ended before it could be killed"
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    assert not (project / OUT / "paper/generated/numbers.tex").exists()
    # What ./reproduce does: its own lock replaces Snakemake's, which a kill leaves behind.
    done = snakemake(project, *targets(), "--nolock", **changes)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    ours, theirs = products(project), products(built)
    assert sorted(ours) == sorted(theirs)
    assert [name for name in theirs if ours[name] != theirs[name]] == []


ROUTER = '''
"""A user's own router: always the last worker."""

from anarchy.serving.reference.router.policy import Policy, register


@register("last-worker")
class LastWorker(Policy):
    def costs(self, view):
        return [float(-worker) for worker in range(len(view.active))]
'''

EXPERIMENT = {
    "title": r"A user's router & 100% of $\omega$_{x} \input{/etc/passwd}",
    "question": "Does a new file appear in the paper?",
    "scenarios": ["70b-1p2d"],
    "sweep": {"router.policy": ["kv", "last-worker"]},
    "replications": 2,
    "requests": 100,
    "measures": ["ttft-mean", "decode-imbalance"],
    "figure": {"kind": "bar", "x": "router.policy", "y": ["decode-imbalance"]},
    "table": {"measures": ["ttft-mean", "decode-imbalance"]},
    "plugins": ["my_routers/last.py"],
}


def test_an_experiment_is_one_file_and_a_router_one_class(built: Path, tmp_path: Path) -> None:
    project = tmp_path / "extended"
    shutil.copytree(built, project, symlinks=True)
    ours = {k: v for k, v in contents(project).items() if not k.startswith((".", "build"))}
    (project / "my_routers").mkdir()
    (project / "my_routers/last.py").write_text(ROUTER)
    (project / "config/experiments/my-router.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    done = snakemake(project, *targets())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    rows = read_rows(project / OUT / "results/experiments/my-router.json")
    imbalance = {
        row["router.policy"]: row["value"] for row in rows if row["id"] == "decode-imbalance"
    }
    assert imbalance["last-worker"] == 2.0, "all requests went to one of two workers"
    assert imbalance["kv"] < 1.1
    assert (project / OUT / "figures/my-router.pdf").is_file()
    assert (project / OUT / "paper/generated/tables/experiments/my-router.tex").is_file()
    if has_tex():
        outline = (project / OUT / "results/machine/latex/main.aux").read_text()
        assert "A user" in outline
        log = (project / OUT / "paper/main.log").read_text(errors="replace")
        assert "my-router.pdf" in log, "the figure is on a page of the appendix"
    unchanged = {k: v for k, v in contents(project).items() if k in ours}
    assert unchanged == ours


def test_absent_traces_fall_back_on_reference_values(tmp_path: Path) -> None:
    """Offline and without the traces the paper still has all its figures and numbers, marked."""
    project = copy_project(tmp_path / "offline")
    sources = yaml.safe_load((project / "config/traces.yaml").read_text())
    for source in sources["traces"].values():
        source["url"] = "http://127.0.0.1:9/absent"
    (project / "config/traces.yaml").write_text(yaml.safe_dump(sources))
    wanted = [
        f"{OUT}/paper/generated/numbers.tex",
        f"{OUT}/figures/mooncake-routing.pdf",
        f"{OUT}/paper/generated/tables/compare/mooncake-routing.tex",
    ]
    done = snakemake(project, *wanted, ANARCHY_TRACE_DIR=str(tmp_path / "nothing"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert not (project / OUT / "results/points/mooncake-routing").exists()
    assert r"\committed{" in (project / wanted[0]).read_text()
