"""What `anarchy solve` does with a file in which something is wrong."""

from pathlib import Path

import pytest

from anarchy.cli.main import main


def assert_refused(
    text: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names file and key, exit code 2, and no results."""
    file = folder / "bad.yaml"
    file.write_text(text, encoding="utf-8")
    assert main(["solve", str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"anarchy: {file}:")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert len(captured.err) < 1000
