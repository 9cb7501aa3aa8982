"""A record is complete and true, or the checks say what is not."""

from pathlib import Path

import pytest

from anarchy.artefact.provenance.checks import faults
from anarchy.artefact.provenance.record import LOCK, Provenance
from tests.artefact.provenance.builds import project, recorded, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path)


def edited(provenance: Provenance, **changes: object) -> Provenance:
    return provenance.model_copy(update=changes)


def test_a_finished_build_has_no_faults(root: Path) -> None:
    assert faults(recorded(root), root) == []


@pytest.mark.parametrize(
    ("name", "kind"), [("src/a.py", "input"), ("results/logs/1/y.parquet", "output")]
)
def test_what_changed_or_is_gone_is_named(root: Path, name: str, kind: str) -> None:
    record = recorded(root)
    (root / name).write_text("other")
    assert faults(record, root) == [f"{name}: {kind} of the build, changed since"]
    (root / name).unlink()
    assert faults(record, root) == [f"{name}: {kind} of the build, not there"]


def test_a_trace_may_lie_elsewhere_but_not_be_another(root: Path) -> None:
    trace = "data/traces/a.jsonl"
    record = recorded(root)
    record = edited(record, inputs={**record.inputs, trace: "0" * 64})
    assert faults(record, root) == []
    write(root, trace, "another")
    assert faults(record, root) == [f"{trace}: input of the build, changed since"]


def test_an_output_that_no_job_made_is_named(root: Path) -> None:
    (root / "results/machine/logs/plot.log").write_text("killed")
    found = faults(recorded(root), root)
    assert found == ["figures/a.png: no job says that it made it, and what that took"]


def test_sums_that_are_none_are_a_fault(root: Path) -> None:
    record = recorded(root)
    assert faults(edited(record, rules=record.rules[:1]), root) == [
        "rules, total: not the sums over the jobs"
    ]


def test_other_versions_than_the_lock_are_a_fault(root: Path) -> None:
    record = recorded(root)
    (root / LOCK).write_text("numpy==0.1 \\\n    --hash=sha256:ab\nno-such-package==1\n")
    version = record.packages["numpy"]
    assert faults(record, root) == [
        f"{LOCK}: input of the build, changed since",
        f"numpy: version {version}, but {LOCK} has 0.1",
    ]


def test_an_empty_record_is_not_complete(root: Path) -> None:
    found = faults(edited(recorded(root), inputs={}, outputs={}), root)
    assert found == ["the record names no input", "the record names no output"]
