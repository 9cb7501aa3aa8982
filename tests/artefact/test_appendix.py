"""The appendix has every experiment, and nothing of a user's text reaches TeX unescaped."""

from pathlib import Path

from anarchy.artefact.appendix import write_appendix
from anarchy.artefact.latex import latex_escape
from tests.artefact.conftest import HOSTILE, make_experiment

COMPARE = {"field": "workload.clients", "baseline": 1, "measures": ["ttft-p99"]}
SPREAD = {"over": ["workload.clients"], "measures": ["ttft-p99"]}


def appendix(tmp_path: Path, **experiments: object) -> str:
    write_appendix(experiments, tmp_path / "appendix.tex")  # type: ignore[arg-type]
    return (tmp_path / "appendix.tex").read_text(encoding="utf-8")


def test_pages_are_sorted_and_separated(tmp_path: Path) -> None:
    text = appendix(tmp_path, b=make_experiment(), a=make_experiment(), c=make_experiment())
    assert text.index("{app:a}") < text.index("{app:b}") < text.index("{app:c}")
    assert text.count(r"\clearpage") == 2
    assert r"\experimenttable{experiments}{b}" in text


def test_a_page_shows_what_its_experiment_has(tmp_path: Path) -> None:
    bare = appendix(tmp_path, x=make_experiment())
    assert r"\experimentfigure{x}" in bare
    assert "{knees}" not in bare
    assert "{compare}" not in bare
    assert "{spread}" not in bare
    full = appendix(tmp_path, x=make_experiment(knee={}, compare=COMPARE, spread=SPREAD))
    assert r"\experimenttable{spread}{x}" in full
    assert r"\experimenttable{knees}{x}" in full
    assert r"\experimenttable{compare}{x}" in full


def test_what_the_text_shows_is_not_shown_again(tmp_path: Path) -> None:
    figure = {"x": "workload.clients", "y": ["ttft-p99"], "in_text": True}
    text = appendix(
        tmp_path, x=make_experiment(figure=figure, knee={}, compare=COMPARE, spread=SPREAD)
    )
    assert "experimentfigure" not in text
    assert text.count(r"\experimenttable") == 1


def test_hostile_text_is_escaped(tmp_path: Path) -> None:
    text = appendix(tmp_path, x=make_experiment(title=HOSTILE, question=HOSTILE))
    assert text.count(latex_escape(HOSTILE)) == 3
    assert text.count(r"\experimenttable{") == 1
    assert r"\input" not in text
    assert r"\write" not in text


def test_no_experiments_is_an_empty_appendix(tmp_path: Path) -> None:
    assert appendix(tmp_path).startswith("%")
