"""The command: exit codes, streams, one line for bad input."""

from pathlib import Path

import pytest

from anarchy import paths
from anarchy.cli import main


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(paths.ROOT)


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    for command in ("check", "list", "schema", "solve"):
        assert command in text


def test_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["chek"])
    assert done.value.code == 2


def test_bad_input_is_one_line_and_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("replicatons: 3")
    assert main(["check", "--overlay", str(overlay)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "unknown key 'replicatons'; did you mean 'replications'?" in captured.err


def test_check_accepts_what_is_committed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert "configuration is valid" in capsys.readouterr().err


def test_list_names_what_configs_can_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    for name in ("70b-1p2d", "concurrency", "round-robin", "ttft-p99", "knee-map"):
        assert name in text
