"""Messages of a workflow script end in its log."""

import sys
from pathlib import Path

import pytest

from anarchy.common.errors import InputError
from anarchy.common.jobs import job_log


def test_output_goes_to_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with job_log(str(tmp_path / "log")):
        print("out")
        print("err", file=sys.stderr)
    assert (tmp_path / "log").read_text() == "out\nerr\n"
    assert capfd.readouterr() == ("", "")


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped, job_log(str(tmp_path / "log")):
        raise InputError("x.yaml: wrong")
    assert stopped.value.code == 2
    assert (tmp_path / "log").read_text() == "x.yaml: wrong\n"


def test_a_fault_leaves_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped, job_log(str(tmp_path / "log")):
        raise ZeroDivisionError("why")
    assert stopped.value.code == 1
    assert "ZeroDivisionError: why" in (tmp_path / "log").read_text()
