"""`anarchy verify` on a build that Snakemake made: what was doctored is named, the rest holds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from anarchy.artefact.numbers import read_declarations
from anarchy.artefact.verification.golden import collect_golden
from anarchy.common.files import read_rows, write_rows
from tests.workflow.conftest import OUT, copy_built, environment, has_tex

SWEEP = "experiments/concurrency.json"


def write_golden(project: Path) -> None:
    """What the build has, as golden values."""
    declared = read_declarations((project / "paper/numbers.d").glob("*.yaml"))
    rows = collect_golden(project / OUT / "results", declared, project / "config")
    write_rows(project / "tests/golden/tiny.json", rows)


def doctor(project: Path) -> None:
    """Put another value into one row of the results."""
    path = project / OUT / "results" / SWEEP
    rows = read_rows(path)
    (row,) = [r for r in rows if r["id"] == "ttft-mean" and r["workload.clients"] == 64]
    row["value"] *= 1.01
    write_rows(path, rows)


@pytest.mark.skipif(not has_tex(), reason="latexmk and pdflatex are not installed")
def test_what_was_doctored_is_named_and_everything_else_holds(built: Path, tmp_path: Path) -> None:
    project = copy_built(built, tmp_path / "doctored")
    write_golden(project)
    doctor(project)
    done = subprocess.run(
        [sys.executable, "-m", "anarchy", "verify", "--overlay", "config/tiny.yaml"],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    rows = json.loads((project / OUT / "results/machine/verify.json").read_text(encoding="utf-8"))
    failed = {(row["group"], row["name"]) for row in rows if row.get("verdict") == "fails"}
    failed = {pair for pair in failed if pair[0] != "environment"}  # of the tests, maybe with more
    assert ("results", f"{SWEEP} ttft-mean") in failed
    assert ("provenance", f"{OUT}/results/{SWEEP}") in failed
    assert {name for group, name in failed if group in ("results", "claims")} == {
        f"{SWEEP} ttft-mean"
    }
    assert not {name for group, name in failed if group == "PDF"}
    printed = [row for row in rows if row["group"] == "PDF" and row["verdict"] == "holds"]
    assert len(printed) > 100
    moved = {row["name"] for row in rows if row["group"] == "moved"}
    assert {"concurrency", "experiments/concurrency"} <= moved
    assert "placement" not in moved
