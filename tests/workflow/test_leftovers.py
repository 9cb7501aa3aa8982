"""A build makes what its plan names: what was deleted comes back, what was removed goes."""

from pathlib import Path

import yaml

from tests.workflow.conftest import OUT, contents, copy_built, snakemake, targets

EXPERIMENT = {
    "title": "An experiment that does not stay",
    "question": "What is left of it?",
    "scenarios": ["70b-1p2d"],
    "replications": 2,
    "requests": 50,
    "sweep": {"workload.clients": [2, 4]},
    "measures": ["ttft-mean"],
    "figure": {"kind": "line", "x": "workload.clients", "y": ["ttft-mean"]},
    "table": {"measures": ["ttft-mean"]},
}
DELETED = (
    "results/validation.json",
    "results/theory/curves/plateau.json",
    "results/experiments/concurrency.spread.json",
    "figures/placement.png",
    "paper/generated/tables/bounds.tex",
)


def test_deleted_files_come_back_and_those_of_removed_experiments_go(
    built: Path, tmp_path: Path
) -> None:
    project = copy_built(built, tmp_path / "changed")
    before = contents(project / OUT)
    own = [project / OUT / name for name in ("results/notes.txt", "figures/mine.png")]
    for path in own:
        path.write_text("a user's own\n")
    added = project / "config/experiments/passing.yaml"
    added.write_text(yaml.safe_dump(EXPERIMENT))
    done = snakemake(project, f"{OUT}/figures/passing.pdf")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert len([name for name in contents(project / OUT) if "passing" in name]) > 8
    added.unlink()
    for name in DELETED:
        (project / OUT / name).unlink()
    done = snakemake(project, *targets())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "removed what is no longer configured: " in done.stderr
    after = contents(project / OUT)
    assert [n for n in after if "passing" in n and not n.startswith("results/machine/")] == []
    assert [name for name in DELETED if after[name] != before[name]] == []
    assert all(path.is_file() for path in own)
