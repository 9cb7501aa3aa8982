"""`anarchy archive`: bad input is one line, and a deposit with faults is not left behind.

That a deposit of a real build is sound is tested where there is one: tests/workflow.
"""

from pathlib import Path

import pytest

from anarchy.cli.main import main
from tests.artefact.provenance.builds import checkout, project


def test_outside_a_checkout_it_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANARCHY_PROJECT", str(project(tmp_path)))
    assert main(["archive"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("anarchy: a deposit is made from a checkout")
    assert output.err.count("\n") == 1


def test_a_deposit_with_faults_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """This project has hardly a configuration, so its own check fails where it was unpacked."""
    monkeypatch.setenv("ANARCHY_PROJECT", str(checkout(tmp_path)))
    assert main(["archive", "--out", "elsewhere"]) == 2
    output = capsys.readouterr()
    assert "its configuration is not valid there" in output.out
    assert "unpacked elsewhere it had 1 faults" in output.err
    assert list((tmp_path / "elsewhere").iterdir()) == []
