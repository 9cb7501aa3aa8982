"""`anarchy claims`: the ledger on the terminal."""

import io
import json
import sys
from pathlib import Path

import pytest

from anarchy.cli.main import main
from anarchy.common import paths
from anarchy.common.files import write_rows
from anarchy.config.claims.ledger import Ledger
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml
from anarchy.measure.claims.verdicts import judge


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the committed ledger and the results of one experiment."""
    ledger = validate(Ledger, read_yaml(paths.ROOT / paths.CLAIMS), "claims.yaml")
    row = {"id": "loss-hi:e2e-mean", "scenario": "[a]", "workload.clients": 64, "n": 4}
    rows = [row | {"value": 1.02, "lo": 1.019, "hi": 1.021}]
    verdicts, evidence = judge(ledger, {"experiments/bracket.json": rows}, coarse=True)
    write_rows(tmp_path / "results/claims.json", verdicts)
    write_rows(tmp_path / "results/claims.evidence.json", evidence)
    (tmp_path / "config").mkdir()
    (tmp_path / paths.SETTINGS).write_text((paths.ROOT / paths.SETTINGS).read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANARCHY_PROJECT", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.mark.usefixtures("project")
def test_every_claim_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims"]) == 0
    text = capsys.readouterr().out
    for number in range(1, 33):
        assert f"C{number:02d}" in text
    assert "contradicted" in text


@pytest.mark.usefixtures("project")
def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == [f"C{number:02d}" for number in range(1, 33)]
    assert {row["verdict"] for row in rows} == {"contradicted", "undecidable"}


@pytest.mark.usefixtures("project")
def test_why_names_rule_rows_interval_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "--why", "C30"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("contradicted", "1.02", "at least 1.05", "fails", "[a]", "sec:bracket", "[B]"):
        assert part in text, part
    assert main(["claims", "--why", "C30", "--json"]) == 0
    claim = json.loads(capsys.readouterr().out)
    (test,) = claim["tests"]
    assert claim["id"] == "C30"
    assert test["rows"] == (
        "experiments/bracket.json: id = loss-hi:e2e-mean, workload.clients = 64"
    )
    assert (test["rule"], test["holds"], test["at_least"]) == ("value", False, 1.05)


def test_what_a_terminal_cannot_show_is_shown_by_its_number(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project / "results/claims.json"
    path.write_text(path.read_text().replace('"C01"', '"\\ud800 \\u00fc"', 1))
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="ascii"))
    assert main(["claims"]) == 0
    assert rb"\ud800 \xfc" in printed.getvalue()


@pytest.mark.usefixtures("project")
def test_a_claim_without_tests_says_what_it_waits_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "--why", "C10"]) == 0
    assert "undecidable" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_an_unknown_claim_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "--why", "C33"]) == 2
    fault = capsys.readouterr().err
    assert fault.startswith("anarchy: --why: there is no claim 'C33'; did you mean 'C3")
    assert fault.count("\n") == 1


@pytest.mark.parametrize("text", [None, "{", "[1]"])
def test_results_that_are_not_there_or_broken_are_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    path = project / "results/claims.json"
    path.unlink() if text is None else path.write_text(text)
    assert main(["claims"]) == 2
    fault = capsys.readouterr().err
    assert "results/claims.json" in fault
    assert "./reproduce" in fault
    assert fault.count("\n") == 1


def test_an_overlay_chooses_the_build(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay = project / "mine.yaml"
    overlay.write_text("output: build/mine\n")
    assert main(["claims", "--overlay", str(overlay)]) == 2
    assert "build/mine/results/claims.json" in capsys.readouterr().err
