"""A folder whose path a shell would read as commands: jobs run in it, and it stays a path."""

import subprocess
from pathlib import Path

from anarchy.common.files import read_rows
from tests.workflow.conftest import copy_project, environment, furnish

HOSTILE = """it's $(touch PWNED) `touch PWNED` "$HOME" ; & * ü"""


def test_jobs_run_in_a_hostile_folder_by_a_python_that_lies_there(tmp_path: Path) -> None:
    project = copy_project(tmp_path / HOSTILE)
    furnish(project)
    wanted = "build/tiny/results/validation/mm1.json"
    done = subprocess.run(
        [str(project / ".venv/bin/python"), "-m", "snakemake", "--workflow-profile", "none",
         "--cores", "1", wanted, "--config", "overlay=config/tiny.yaml"],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert read_rows(project / wanted)
    assert not list(tmp_path.rglob("PWNED"))
