"""A build is deterministic and resumable: killed and elsewhere, it comes to the same bytes."""

import random
import time
from pathlib import Path

from anarchy.build_plan import CURVES
from tests.workflow.conftest import (
    COMMAND,
    copy_project,
    environment,
    made,
    products,
    snakemake,
    targets,
)
from tests.workflow.killing import KILL, SEED, Run

KILLS = 3


def test_a_build_killed_at_random_moments_comes_to_the_same_bytes_elsewhere(
    built: Path, tmp_path: Path
) -> None:
    """Another folder, time zone, locale, hash seed and number of jobs at once."""
    project = copy_project(tmp_path / "elsewhere")
    changes = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "77"}
    theirs, dice = products(built), random.Random(SEED)
    print(f"NIGHTLY_SEED={SEED}")
    for share in sorted(dice.uniform(0.0, 0.9) for _ in range(KILLS)):
        command = [*COMMAND, *targets(), "--nolock", "--config", "overlay=config/tiny.yaml"]
        run = Run(command, project, environment(project, **changes))
        enough = share * len(theirs)
        assert run.wait_until(lambda _, enough=enough: len(made(project)) > enough, every=0.2)
        time.sleep(dice.uniform(0.0, 1.0))
        run.kill_all()
        assert run.end() == -KILL
    # What ./reproduce does: its own lock replaces Snakemake's, which a kill leaves behind.
    done = snakemake(project, *targets(), "--nolock", "--cores", "3", **changes)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    ours = products(project)
    assert sorted(ours) == sorted(theirs)
    assert {
        f"figures/{curve}.{suffix}" for curve in CURVES for suffix in ("pdf", "png")
    } <= ours.keys()
    assert [name for name in theirs if ours[name] != theirs[name]] == []
