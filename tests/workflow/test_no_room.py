"""A full disk and a read-only folder: one line says so, and the build goes on later."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.conftest import copy_project, furnish, products
from tests.workflow.killing import Run, remains

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(sys.platform != "linux", reason="a small disk is a tmpfs of Linux"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk"),
]

BUILD = ["--config", "overlay=config/tiny.yaml"]


def mount(*arguments: object) -> None:
    """Mount, or skip the test where even root may not, as in many containers."""
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A copy on a disk of its own, in which only the build is left to be done."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "tmpfs", folder)
    try:
        furnish(copy_project(folder / "project"))
        yield folder / "project"
    finally:
        subprocess.run(["umount", "--recursive", folder], check=True)


def reproduce(project: Path) -> tuple[int, list[str]]:
    """The exit code and the lines that are said."""
    run = Run([str(project / "reproduce"), *BUILD], project, dict(os.environ))
    return run.end(), run.said().splitlines()


@pytest.mark.parametrize(
    ("folder", "size"), [("build", "1500k"), (".cache", "40k"), (".snakemake", "1500k")]
)
def test_a_full_disk_is_named_and_the_build_goes_on(
    folder: str, size: str, project: Path, built: Path
) -> None:
    (project / folder).mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", project / folder)
    code, lines = reproduce(project)
    assert code == 1
    assert lines[-1] == "reproduce: the build failed (see above); what was finished is kept"
    assert re.match(rf"reproduce: {re.escape(folder)}\S* .*: the disk is full, or ", lines[-2])
    assert not [line for line in lines if "Traceback" in line]
    mount("-o", "remount,size=1g", project / folder)
    code, lines = reproduce(project)
    assert code == 0, lines
    assert products(project) == products(built)
    assert remains(project) == []


def test_a_read_only_folder_is_one_line(project: Path) -> None:
    mount("--bind", project, project)
    mount("-o", "remount,bind,ro", project)
    assert reproduce(project) == (1, [f"reproduce: cannot write to {project}"])
