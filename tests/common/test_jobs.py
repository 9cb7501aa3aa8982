"""Messages of a workflow script end in its log, and after them what the job took."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anarchy.common.errors import InputError
from anarchy.common.jobs import job_log


def test_output_goes_to_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with job_log(str(tmp_path / "log")):
        print("out")
        print("err", file=sys.stderr)
    *messages, last = (tmp_path / "log").read_text().splitlines()
    assert messages == ["out", "err"]
    assert json.loads(last)["made"] == []
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


def took(log: Path) -> dict[str, float]:
    last: dict[str, float] = json.loads(log.read_text().splitlines()[-1])
    return last


def test_what_the_job_took_is_the_last_line(tmp_path: Path) -> None:
    """Times of this very process, start-up included, so they only have bounds."""
    log, before = tmp_path / "log", time.time()
    with job_log(str(log), ["a", "b"]):
        time.sleep(0.2)
    line = took(log)
    assert line["made"] == ["a", "b"]
    assert line["wall_s"] >= 0.2
    assert line["started"] <= before + 0.2
    assert 0 < line["cpu_s"] <= time.process_time() + 1e3
    assert 1 < line["peak_mib"] < 1e5


def test_memory_and_time_of_children_count(tmp_path: Path) -> None:
    """The peak is the job's, not that of the larger program that started it."""
    large = "x = bytearray(200 << 20)"
    job = f"from anarchy.common.jobs import job_log\nwith job_log({str(tmp_path / 'job')!r}): pass"
    start = f"import subprocess, sys\n{large}\nsubprocess.run([sys.executable, '-c', {job!r}])"
    with job_log(str(tmp_path / "outer")):
        subprocess.run([sys.executable, "-c", start], check=True)
    assert took(tmp_path / "outer")["peak_mib"] > 200
    if sys.platform == "linux":
        assert took(tmp_path / "job")["peak_mib"] < 200
