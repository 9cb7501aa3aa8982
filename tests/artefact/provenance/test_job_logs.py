"""What jobs took is read from their logs; logs of jobs that did not finish say nothing."""

from pathlib import Path

import pytest

from anarchy.artefact.provenance.job_logs import read_jobs
from tests.artefact.provenance.builds import LOGS, write, write_log


def test_the_last_line_says_what_a_job_took(tmp_path: Path) -> None:
    write_log(tmp_path, "simulate_points/concurrency/3", "results/x.json", started=7.0)
    (job,) = read_jobs(tmp_path / LOGS)
    assert (job.name, job.rule) == ("simulate_points/concurrency/3", "simulate_points")
    assert (job.started, job.wall_s, job.cpu_s, job.peak_mib) == (7.0, 2.0, 1.5, 80.0)
    assert job.made == ["results/x.json"]


@pytest.mark.parametrize(
    "text", ["", "killed", "{}", "[1]", "3", '{"wall_s": "long"}', "\x00", "Traceback\nValueError"]
)
def test_a_log_without_that_line_is_of_no_finished_job(tmp_path: Path, text: str) -> None:
    write(tmp_path, f"{LOGS}/simulate/0.log", text)
    assert list(read_jobs(tmp_path / LOGS)) == []
