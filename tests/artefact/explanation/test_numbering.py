"""Numbers and pages of the PDF, and back from them to labels."""

from pathlib import Path

import pytest

from anarchy.artefact.explanation.build import Build
from anarchy.artefact.explanation.explain import explain
from anarchy.artefact.explanation.names import Named, find_name
from anarchy.artefact.explanation.numbering import Numbering


def test_labels_have_number_and_page(build: Build) -> None:
    assert build.numbering.number("fig:sweep") == "Figure 3, page 12"
    assert build.numbering.number("tab:experiments:sweep") == "Table A.2, page 14"
    assert build.numbering.number("sec:sweep") is None
    assert explain(build, Named("figure", "sweep"))["number"] == "Figure 3, page 12"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("Figure 3", Named("figure", "sweep")),
        (" figure  3 ", Named("figure", "sweep")),
        ("Table A.2", Named("table", "experiments/sweep")),
        ("theorem 3", Named("theorem", "thm:tail")),
    ],
)
def test_what_a_reader_calls_it_is_found(build: Build, given: str, named: Named) -> None:
    assert find_name(build, given) == named


def test_without_a_pdf_there_are_no_numbers(tmp_path: Path) -> None:
    assert Numbering(tmp_path / "main.aux").number("fig:sweep") is None
    assert Numbering(tmp_path / "main.aux").label("Figure 3") is None
