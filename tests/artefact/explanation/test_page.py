"""The page of all figures, tables and claims: complete, with commands and seconds."""

import re
from pathlib import Path

from anarchy.artefact.explanation.build import Build
from anarchy.artefact.explanation.page import PAGE, page
from anarchy.common.paths import ROOT


def test_each_line_has_command_file_and_seconds(build: Build) -> None:
    lines = page(build).splitlines()
    figure = "figures/sweep.pdf"
    assert f"| `fig:sweep` | `.venv/bin/snakemake {figure}` | `{figure}` | 3.8 |" in lines
    claim = "results/claims.json"
    assert f"| `C01` | `.venv/bin/snakemake {claim}` | `{claim}` | 3.8 |" in lines
    assert f"| `C02` | `.venv/bin/snakemake {claim}` | `{claim}` | – |" in lines


def test_seconds_that_a_build_does_not_know_stay(project: Path) -> None:
    before = page(Build(project))
    (project / "results/machine/jobs.json").unlink()
    assert page(Build(project), before) == before
    assert re.findall(r"[^ ]+(?= \|$)", page(Build(project)), re.M).count("3.8") == 0


def test_the_committed_page_is_what_the_project_gives(tmp_path: Path) -> None:
    """Else run `.venv/bin/anarchy explain --page`: a figure, table or claim came or went."""
    overlay = tmp_path / "none.yaml"
    overlay.write_text("output: build/never-built\n")
    committed = (ROOT / PAGE).read_text()
    expected = page(Build(ROOT, overlay), committed).replace("build/never-built/", "")
    assert committed == expected.replace(f" --config overlay={overlay}", "")
    assert committed.count("\n| `") > 80
