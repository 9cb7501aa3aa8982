"""The record of a build: complete, and true of the files that lie there now."""

from pathlib import Path

import pytest

from anarchy.artefact.verification.checks import failures
from anarchy.artefact.verification.record import check_record
from tests.artefact.verification.builds import RECORD, finish


def faults(root: Path) -> dict[str, str]:
    return {each.name: each.why for each in failures(check_record(root / RECORD, root))}


def test_a_whole_record_holds_and_says_how_much_it_names(tmp_path: Path) -> None:
    finish(tmp_path)
    checks = check_record(tmp_path / RECORD, tmp_path)
    assert [each.name for each in checks] == ["1 inputs, 5 outputs, 1 jobs", "commit"]
    assert faults(tmp_path) == {}


@pytest.mark.parametrize(
    ("file", "kind"), [("config/config.yaml", "input"), ("b/figures/sweep.png", "output")]
)
def test_a_file_that_changed_or_is_gone_is_named(file: str, kind: str, tmp_path: Path) -> None:
    finish(tmp_path)
    (tmp_path / file).write_text("other")
    assert faults(tmp_path) == {file: f"{kind} of the build, changed since"}
    (tmp_path / file).unlink()
    assert faults(tmp_path) == {file: f"{kind} of the build, not there"}


@pytest.mark.parametrize("text", [None, "", "{}", "[]"])
def test_no_record_fails(text: str | None, tmp_path: Path) -> None:
    (tmp_path / RECORD).parent.mkdir(parents=True)
    if text is not None:
        (tmp_path / RECORD).write_text(text)
    assert [*faults(tmp_path)] == ["provenance.json"]
