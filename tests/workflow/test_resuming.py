"""A build is deterministic and resumable: killed and elsewhere, it comes to the same bytes."""

import os
import signal
import subprocess
import time
from pathlib import Path

from anarchy.build_plan import CURVES
from tests.workflow.conftest import (
    COMMAND,
    OUT,
    copy_project,
    environment,
    products,
    snakemake,
    targets,
)


def test_a_killed_build_resumes_to_the_same_bytes_elsewhere(built: Path, tmp_path: Path) -> None:
    """Another folder, time zone, locale and hash seed, and a kill -9 on the way."""
    project = copy_project(tmp_path / "elsewhere")
    changes = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "77"}
    started = subprocess.Popen(
        [*COMMAND, *targets(), "--config", "overlay=config/tiny.yaml"],
        cwd=project,
        env=environment(project, **changes),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    points = project / OUT / "results/points"
    while not list(points.rglob("*.json")):
        assert started.poll() is None, "the build ended before it could be killed"
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    assert not (project / OUT / "paper/generated/numbers.tex").exists()
    # What ./reproduce does: its own lock replaces Snakemake's, which a kill leaves behind.
    done = snakemake(project, *targets(), "--nolock", **changes)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    ours, theirs = products(project), products(built)
    assert sorted(ours) == sorted(theirs)
    assert {
        f"figures/{curve}.{suffix}" for curve in CURVES for suffix in ("pdf", "png")
    } <= ours.keys()
    assert [name for name in theirs if ours[name] != theirs[name]] == []
