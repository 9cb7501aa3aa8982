"""The record of a build: complete, and true of the inputs that lie there now."""

from pathlib import Path

from anarchy.artefact.verification.checks import failures
from anarchy.artefact.verification.record import check_record
from tests.artefact.verification.builds import RECORD, finish


def faults(root: Path) -> dict[str, str]:
    return {each.name: each.why for each in failures(check_record(root / RECORD, root))}


def test_a_whole_record_holds(tmp_path: Path) -> None:
    finish(tmp_path)
    assert len(check_record(tmp_path / RECORD, tmp_path)) == 4
    assert faults(tmp_path) == {}


def test_an_input_that_changed_or_is_gone_is_named(tmp_path: Path) -> None:
    finish(tmp_path)
    (tmp_path / "config/config.yaml").write_text("seed: 2\n")
    assert [*faults(tmp_path)] == ["config/config.yaml"]
    (tmp_path / "config/config.yaml").unlink()
    assert [*faults(tmp_path)] == ["config/config.yaml"]


def test_no_record_fails(tmp_path: Path) -> None:
    assert [*faults(tmp_path)] == ["provenance.json"]
    (tmp_path / RECORD).parent.mkdir(parents=True)
    for text in ("", "[{}]", "{}", "[3]"):
        (tmp_path / RECORD).write_text(text)
        assert [*faults(tmp_path)] == ["provenance.json"], text
