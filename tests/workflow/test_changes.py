"""What a change of a finished build does: a new experiment, a user's router, traces not at hand."""

import shutil
from pathlib import Path

import yaml

from anarchy.common.files import read_rows
from tests.workflow.conftest import OUT, contents, copy_built, has_tex, snakemake, targets

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
    project = copy_built(built, tmp_path / "extended")
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


def test_absent_traces_fall_back_on_reference_values(built: Path, tmp_path: Path) -> None:
    """Offline and without the traces the paper still has all its figures and numbers, marked."""
    project = copy_built(built, tmp_path / "offline")
    shutil.rmtree(project / OUT / "results/inputs", ignore_errors=True)
    for made_of_traces in [*(project / OUT).rglob("*-routing*")]:
        if made_of_traces.is_dir():
            shutil.rmtree(made_of_traces)
        else:
            made_of_traces.unlink(missing_ok=True)
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
