"""The paper's text: what is where, comments left out."""

from pathlib import Path

from anarchy.artefact.explanation.build import Build
from anarchy.artefact.explanation.places import Paper, labels_in
from anarchy.common.paths import ROOT


def texts(places: object) -> list[str]:
    assert isinstance(places, list)
    return [str(place).rpartition(":")[2] for place in places]


def test_lines_and_labels(build: Build) -> None:
    paper = build.paper
    assert texts(paper.macro("Gain")) == ["3"]
    assert texts(paper.macro("Tail")) == []
    assert texts(paper.figure("sweep")) == ["3", "4"]
    assert str(paper.label("fig:sweep")) == "paper/sections/sweep.tex:4"
    assert str(paper.label("tab:experiments:sweep")) == "paper/sections/sweep.tex:5"
    assert str(paper.label("thm:tail")) == "paper/sections/sweep.tex:10"
    assert paper.label("eq:nothing") is None
    assert paper.equation("eq:tail") == "T = 1 + n"
    assert paper.equation("sec:sweep") is None
    assert list(paper.figures()) == ["sweep"]
    assert list(paper.tables()) == ["experiments/sweep"]


def test_labels_are_told_from_other_words() -> None:
    assert labels_in("By eq:tail and thm:a-b; see fig:x:y, not eq: or seq:a, nor C:x.") == [
        "eq:tail",
        "thm:a-b",
        "fig:x:y",
    ]


def test_labels_that_the_package_names_are_in_the_paper() -> None:
    """What an explanation calls the statement behind a function is there."""
    paper = Paper(ROOT, Path("nowhere"))
    named = {
        label: path
        for path in (ROOT / "src").rglob("*.py")
        if "explanation" not in path.parts
        for label in labels_in(path.read_text())
    }
    assert len(named) > 30
    assert {label: path for label, path in named.items() if paper.label(label) is None} == {}
