"""`anarchy explain` on the terminal and for programs."""

import json
from pathlib import Path

import pytest

from anarchy.cli.main import main
from tests.artefact.explanation.conftest import INPUTS, MEASURED, write_project

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANARCHY_PROJECT", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return write_project(tmp_path)


def test_a_number_is_told_in_the_order_of_its_way(capsys: Captured) -> None:
    assert main(["explain", r"\TailMost"]) == 0
    text = capsys.readouterr().out
    way = [
        r"\TailMost  (macro)",
        "7.2",
        "7.25 s, interval [7.0, 7.5], n = 10",
        "paper/numbers.d/sweep.yaml:2",
        "paper/sections/sweep.tex:2",
        f"{MEASURED}:3: id = tail, clients = 8",
        "measure in workflow/rules/measures.smk:4, workflow/scripts/measure.py",
        'src/anarchy/measure/tails.py:9: return [{"id": "tail"',
        "anarchy.measure.tails.tail_rows in src/anarchy/measure/tails.py:4",
        "The tail of each point, by Equation eq:tail.",
        "eq:tail in paper/sections/sweep.tex:6: T = 1 + n",
        "1.5 s, with all before it 3.75 s (2 jobs)",
        f"{MEASURED}  ← measure, 1.5 s",
        f"{INPUTS[0]}  sha256 ",
        "results/points/sweep/0.json  ← simulate, 2.2 s",
        "2 scripts and modules",
        f".venv/bin/snakemake {MEASURED}",
    ]
    places = [text.find(part) for part in way]
    assert -1 not in places, way[places.index(-1)]
    assert places == sorted(places)


@pytest.mark.parametrize("name", ["C01", "sweep", "fig:sweep", "tab:experiments:sweep", "tail"])
def test_the_other_kinds_are_told_too(capsys: Captured, name: str) -> None:
    assert main(["explain", name]) == 0
    assert MEASURED in capsys.readouterr().out


def test_json_is_one_object(capsys: Captured) -> None:
    for name in ("Gain", "C01", "tail", "sweep"):
        assert main(["explain", name, "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["rebuild"].startswith(".venv/bin/snakemake ")
        assert {entry["path"] for entry in facts["inputs"]} == set(INPUTS)


def test_a_changed_input_is_said(project: Path, capsys: Captured) -> None:
    (project / INPUTS[0]).write_text("title: Another\n")
    assert main(["explain", "TailMost"]) == 0
    assert f"changed since the build: {INPUTS[0]}" in capsys.readouterr().out


def test_without_a_name_all_kinds_are_counted(capsys: Captured) -> None:
    assert main(["explain"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "macro 3 TailMost, TailNone" in text
    assert "claim 2 C01" in text
    assert main(["explain", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["experiment"] == ["sweep"]


def test_an_unknown_name_is_one_line(capsys: Captured) -> None:
    assert main(["explain", "TailMots"]) == 2
    fault = capsys.readouterr().err
    assert fault.startswith("anarchy: there is no 'TailMots'; did you mean 'TailMost'")
    assert fault.count("\n") == 1


@pytest.mark.parametrize(
    "file", ["results/machine/jobs.json", "results/machine/provenance.json", MEASURED]
)
@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_broken_files_of_a_build_are_one_line(
    project: Path, capsys: Captured, file: str, text: str
) -> None:
    (project / file).write_text(text)
    assert main(["explain", "TailMost"]) == 2
    fault = capsys.readouterr().err
    assert file in fault
    assert fault.count("\n") == 1


def test_another_build_is_looked_at_by_its_overlay(project: Path, capsys: Captured) -> None:
    (project / "config/quick.yaml").write_text("output: build/quick\n")
    assert main(["explain", "TailMost", "--quick"]) == 0
    text = capsys.readouterr().out
    assert "build/quick/results/experiments/sweep.json --config overlay=config/quick.yaml" in text
    assert "no finished build" in text
    assert "./reproduce quick" in text


def test_below_the_projects_folder_it_is_the_same(
    project: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "config/quick.yaml").write_text("output: build/quick\n")
    texts = []
    for folder in (project, project / "config"):
        monkeypatch.chdir(folder)
        for options in ([], ["--quick"]):
            assert main(["explain", "TailMost", *options]) == 0
            texts.append(capsys.readouterr().out)
    assert texts[:2] == texts[2:]


def test_the_page_is_written(project: Path) -> None:
    (project / "docs").mkdir()
    assert main(["explain", "--page"]) == 0
    assert "| `fig:sweep` |" in (project / "docs/artefacts.md").read_text()
