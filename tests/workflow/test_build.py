"""The whole DAG on the tiny configuration: every phase has its products, and nothing is left."""

import re
from pathlib import Path

import pytest

from anarchy.artefact.provenance.checks import faults
from anarchy.artefact.provenance.record import read_record
from anarchy.build_plan import CURVES
from anarchy.common.files import read_rows
from tests.workflow.conftest import OUT, copy_built, has_tex, snakemake, targets

EXPERIMENTS = (
    "concurrency",
    "mechanisms-two",
    "phase-split",
    "adaptive",
    "toll",
    "mooncake-routing",
)


def test_every_phase_has_its_products(built: Path) -> None:
    out = built / OUT
    for name in (*EXPERIMENTS, *CURVES, "knee-map", "estimators", "validation"):
        for suffix in ("pdf", "png"):
            assert (out / "figures" / f"{name}.{suffix}").stat().st_size > 1000, name
    for name in EXPERIMENTS:
        assert (out / "paper/generated/tables/experiments" / f"{name}.tex").is_file()
    tables = ("bounds", "assumptions", "scenarios", "facts/knee-map", "facts/estimators", "claims")
    for table in (*tables, "studies/estimators"):
        assert r"\toprule" in (out / f"paper/generated/tables/{table}.tex").read_text()
    assert r"\newcommand" in (out / "paper/generated/numbers.tex").read_text()
    assert read_rows(out / "results/theory/bounds.json")
    assert read_rows(out / "results/estimators.json")
    claims = read_rows(out / "results/claims.json")
    assert [row["id"] for row in claims] == [f"C{number:02d}" for number in range(1, 33)]


def test_every_rule_has_run(built: Path) -> None:
    """But for those that stand in for a trace, fetch one, or write the list that is read here."""
    files = (built / "workflow/rules").glob("*.smk")
    rules = {name for file in files for name in re.findall(r"^rule (\w+):", file.read_text(), re.M)}
    ran = {
        row["id"].partition("/")[0] for row in read_rows(built / OUT / "results/machine/jobs.json")
    }
    assert len(ran) > 30
    assert rules - ran <= {"fetch_trace", "restore_reference", "index_jobs", "typeset_paper"}


@pytest.mark.skipif(not has_tex(), reason="latexmk and pdflatex are not installed")
def test_the_paper_is_a_pdf_without_loose_ends(built: Path) -> None:
    assert (built / OUT / "paper/main.pdf").read_bytes().startswith(b"%PDF-")
    log = (built / OUT / "paper/main.log").read_text(errors="replace")
    assert "Output written on" in log
    assert "undefined" not in log.lower()
    figures = [path.name for path in (built / OUT / "figures").glob("*.pdf")]
    assert len(figures) > 15
    assert [name for name in figures if name not in log] == [], "which are on no page"


def test_the_record_of_the_build_is_complete(built: Path) -> None:
    record = read_record(built / OUT / "results/machine/provenance.json")
    assert faults(record, built) == []
    assert {"simulate_points", "write_numbers", "plot_curves"} <= {r.rule for r in record.rules}
    assert record.overlay == "config/tiny.yaml"
    assert "<title>Provenance</title>" in (
        built / OUT / "results/machine/provenance.html"
    ).read_text(encoding="utf-8")


def test_a_second_run_has_nothing_to_do(built: Path, tmp_path: Path) -> None:
    project = copy_built(built, tmp_path / "again")
    before = {p: p.stat().st_mtime_ns for p in (project / OUT).rglob("*") if p.is_file()}
    done = snakemake(project, *targets())
    assert done.returncode == 0
    after = {p: p.stat().st_mtime_ns for p in (project / OUT).rglob("*") if p.is_file()}
    assert after == before
