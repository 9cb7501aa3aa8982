"""The page of all figures, tables and claims: complete, with commands and seconds."""

import re
from pathlib import Path

import pytest

from anarchy.artefact.explanation import declarations
from anarchy.artefact.explanation.build import Build
from anarchy.artefact.explanation.names import catalogue
from anarchy.artefact.explanation.page import PAGE, page
from anarchy.common.errors import InputError
from anarchy.common.paths import ROOT


def test_each_line_has_command_file_and_seconds(build: Build) -> None:
    lines = page(build).splitlines()
    figure = "figures/sweep.pdf"
    assert f"| `fig:sweep` | `.venv/bin/snakemake {figure}` | `{figure}` | 3.8 |" in lines
    claim = "results/claims.json"
    assert f"| `C01` | `.venv/bin/snakemake {claim}` | `{claim}` | 3.8 |" in lines
    assert f"| `C02` | `.venv/bin/snakemake {claim}` | `{claim}` | – |" in lines


def test_without_a_build_there_is_no_page(project: Path) -> None:
    (project / "results/machine/jobs.json").unlink()
    with pytest.raises(InputError, match=r"finished build; \./reproduce makes one"):
        page(Build(project))


def test_the_committed_page_names_what_the_project_has(tmp_path: Path) -> None:
    """As far as that is known without a build; the end-to-end test holds all of it to the DAG."""
    overlay = tmp_path / "none.yaml"
    overlay.write_text("output: build/never-built\n")
    build = Build(ROOT, overlay)
    names = set(re.findall(r"^\| `([^`]+)`", (ROOT / PAGE).read_text(), re.M))
    known = catalogue(build)
    assert {f"fig:{name}" for name in known["figure"]} <= names
    assert {f"tab:{name.replace('/', ':')}" for name in known["table"]} <= names
    assert set(declarations.claims(ROOT)) == {name for name in names if name.startswith("C")}
