"""`anarchy verify`: what it says of a build, and its exit code."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from anarchy.artefact.verification import products, steps
from anarchy.artefact.verification.environment import locked_packages
from anarchy.artefact.verification.steps import Build
from anarchy.cli import verify
from anarchy.cli.main import main
from anarchy.common.files import read_rows
from anarchy.common.paths import ROOT, Outputs
from tests.artefact.verification.builds import RECORD, SWEEP, finish

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")

Say = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Exit code, lines and errors of the command for a build."""
    monkeypatch.setattr(steps, "installed_packages", lambda: locked_packages(LOCK))
    monkeypatch.setenv("COLUMNS", "100")

    def say(build: Build, *options: str) -> tuple[int, list[str], str]:
        monkeypatch.setattr(verify, "_load", lambda options, root: build)
        monkeypatch.setattr(verify, "find_project", lambda: build.root)
        code = main(["verify", *options])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return say


def test_a_build_that_holds_is_one_table_and_one_line(tmp_path: Path, said: Say) -> None:
    code, lines, _ = said(finish(tmp_path))
    assert code == 0
    assert lines[-1].startswith("everything that was checked holds; all: ")
    assert any(line.split() == ["numbers", "3", "0", "0"] for line in lines)
    assert not any(line.startswith("fails  ") for line in lines)
    assert (tmp_path / "b/results/machine/verify.html").is_file()
    rows = read_rows(tmp_path / "b/results/machine/verify.json")
    assert {row["verdict"] for row in rows if row["name"] != "commit"} == {"holds"}


def test_failures_come_first_then_what_moved_then_the_sums(tmp_path: Path, said: Say) -> None:
    finish(tmp_path)
    changed = [row | {"value": 0.11 * row["clients"]} for row in SWEEP]
    code, lines, _ = said(finish(tmp_path, changed, knee=96, verdict="contradicted"))
    text = "\n".join(lines)
    assert code == 1
    assert lines[0].startswith("fails  ")
    assert "fails  numbers: Knee: 97 -> 96" in lines
    assert "fails  claims: C01: reproduced -> contradicted" in lines
    order = ["numbers: Knee", "what moved, and what that feeds", "not checked", "checks fail; all:"]
    assert sorted(order, key=text.index) == order
    assert "  numbers: Knee 97 -> 96; Tail 0.3 -> 0.33" in lines
    assert "  figures: sweep" in lines
    assert "\x1b" not in text, "colour is for terminals"


def test_of_many_the_first_are_named_and_the_rest_counted(tmp_path: Path, said: Say) -> None:
    many = [{"id": f"r{number:02d}", "value": number} for number in range(20)]
    finish(tmp_path, [*SWEEP, *many])
    moved = [row | {"value": row["value"] + 1} for row in many]
    _, lines, _ = said(finish(tmp_path, [*SWEEP, *moved]))
    assert len([line for line in lines if line.startswith("fails  results")]) == 9
    assert "fails  results: and 12 more" in lines
    assert any(line.startswith("  results: ") and line.endswith("and 12 more") for line in lines)


def test_what_was_not_checked_is_said_with_its_reason(tmp_path: Path, said: Say) -> None:
    code, lines, _ = said(replace(finish(tmp_path), pdf=False))
    assert code == 0
    assert "not checked  PDF: 1: LaTeX is not at hand" in lines


def test_golden_values_are_written_anew(tmp_path: Path, said: Say) -> None:
    finish(tmp_path)
    build = finish(tmp_path, knee=96)
    assert said(build)[0] == 1
    code, lines, _ = said(finish(tmp_path, knee=96), "--write-golden")
    assert (code, len(lines)) == (0, 1)
    assert lines[0].startswith("tests/golden/full.json: ")
    assert said(finish(tmp_path, knee=96))[0] == 0
    late = [replace(p, current=p.path != RECORD) for p in build.products]
    assert said(replace(build, products=late), "--write-golden")[0] == 0, "a new commit is no fault"


@pytest.mark.parametrize("lacking", ["trace", "product"])
def test_golden_values_of_half_a_build_are_refused(lacking: str, tmp_path: Path, said: Say) -> None:
    build = finish(tmp_path)
    before = (tmp_path / build.golden).read_bytes()
    if lacking == "trace":
        build = replace(build, missing={"sweep": "azure"})
    else:
        build = replace(build, products=[replace(build.products[0], current=False)])
    code, lines, errors = said(build, "--write-golden")
    assert (code, lines) == (2, [])
    assert errors.startswith("anarchy: tests/golden/full.json: not written: ")
    assert len(errors.splitlines()) == 1
    assert (tmp_path / build.golden).read_bytes() == before


def test_the_build_is_the_one_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Snakemake is asked with the same overlay and output as the plan."""
    finish(tmp_path)
    asked: list[object] = []

    def load_plan(overlay: Path, root: Path, output: str) -> SimpleNamespace:
        asked.append((overlay.name, output))
        return SimpleNamespace(outputs=Outputs(Path(output)), missing={}, left_out={}, claims=None)

    def list_products(settings: list[str], target: str, root: Path) -> list[products.Product]:
        asked.append((settings, target))
        return []

    monkeypatch.setattr("anarchy.build_plan.load_plan", load_plan)
    monkeypatch.setattr(products, "list_products", list_products)
    monkeypatch.setattr(verify, "find_project", lambda: tmp_path)
    overlay = ["--overlay", str(tmp_path / "config/quick.yaml"), "--no-pdf"]
    assert main(["verify", *overlay, "--output", "b", "--write-golden"]) == 0
    assert asked == [
        ("quick.yaml", "b"),
        (["output=b", "overlay=config/quick.yaml"], "no_pdf"),
    ]
    assert (tmp_path / "tests/golden/quick.json").is_file()
    assert main(["verify", *overlay, "--output", "nowhere"]) == 2
    assert "there is no build" in capsys.readouterr().err


def test_the_page_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["verify", "--help"])
    assert "Exit code 0 if everything that could be checked" in capsys.readouterr().out


def test_golden_files_are_rows_with_a_reason() -> None:
    """What is committed: small, and every row says what it is allowed, and why."""
    paths = [ROOT / verify.GOLDEN / f"{name}.json" for name in ("quick", "full")]
    written = [path for path in paths if path.is_file()]
    assert written
    for path in written:
        assert path.stat().st_size < 1_000_000
        rows = json.loads(path.read_text(encoding="utf-8"))
        assert {row["of"] for row in rows} == {"platform", "input", "claim", "number", "rows"}
        assert all(row["reason"] for row in rows)
