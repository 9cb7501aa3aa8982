"""A build elsewhere, on other code paths of the processor, and by other Pythons.

The same machine comes to the same bytes; other code paths and other Pythons agree to 1e-9.
"""

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.workflow.conftest import OUT, copy_project, products, snakemake, targets
from tests.workflow.killing import Run

pytestmark = pytest.mark.nightly

BUILDS = {
    "tiny": ("config/tiny.yaml", OUT),
    "quick": ("config/quick.yaml", Path("build/quick")),
    "full": ("config/empty.yaml", Path()),
}
OVERLAY, PLACE = BUILDS[os.environ.get("NIGHTLY_BUILD", "quick")]

Record = Callable[[str, object], None]

_umath = np._core._multiarray_umath  # type: ignore[attr-defined]
FEATURES = [name for name in _umath.__cpu_dispatch__ if _umath.__cpu_features__[name]]
"""What this NumPy can be told not to use on this machine; it ignores all other names."""

SWITCHES = {
    "NumPy": {"NPY_DISABLE_CPU_FEATURES": " ".join(FEATURES)},
    "OpenBLAS": {"OPENBLAS_CORETYPE": "Prescott"},
    "Numba": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
}
ALL = {name: value for switch in SWITCHES.values() for name, value in switch.items()}
ELSEWHERE = {"TZ": "America/St_Johns", "LC_ALL": "C", "PYTHONHASHSEED": "random"}
ELSEWHERE |= {"LANG": "tr_TR.UTF-8", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}

PROBES = {
    "NumPy": """
import numpy as np
x = np.random.default_rng(1).random(4096) * 20 + 1e-3
print([f(x).tobytes() for f in (np.exp, np.log, np.tanh, np.expm1, lambda x: x**1.7)])
""",
    "OpenBLAS": """
import numpy as np
a = np.random.default_rng(1).random((200, 200))
print((a @ a).tobytes())
""",
    "Numba": """
import numba
f = numba.njit("f8(f8[:], f8[:])")(lambda a, b: (a * b + a).sum())
print(f.inspect_asm())
""",
}
"""Prints what a switch has to change, or it is none."""


@pytest.mark.parametrize("name", PROBES)
def test_switches_are_live(name: str) -> None:
    if name == "NumPy" and not FEATURES:
        pytest.skip("this NumPy has one code path for this machine")
    usual, switched = (
        subprocess.run(
            [sys.executable, "-c", PROBES[name]],
            env={**os.environ, **changes},
            capture_output=True,
            check=True,
        ).stdout
        for changes in ({}, SWITCHES[name])
    )
    assert usual != switched


@pytest.fixture(scope="module")
def reference(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build to compare with."""
    if PLACE == OUT:
        return request.getfixturevalue("built")
    return build(tmp_path_factory.mktemp("reference") / "project")


def build(folder: Path, *options: str, **changes: str) -> Path:
    """A finished build in a fresh copy."""
    project = copy_project(folder)
    if Path() == PLACE:
        (project / OVERLAY).write_text("{}\n")
    done = snakemake(project, *targets(), *options, overlay=OVERLAY, **changes)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return project


def compare(project: Path, reference: Path, record: Record) -> list[str]:
    """The files that differ; both builds have the same ones."""
    ours, theirs = products(project, PLACE), products(reference, PLACE)
    assert sorted(ours) == sorted(theirs)
    different = [name for name in theirs if ours[name] != theirs[name]]
    record("files", len(theirs))
    record("of them different", len(different))
    return different


def agree(project: Path, reference: Path, record: Record) -> bool:
    """Whether no number of a result differs by more than 1e-9 of itself, and nothing else does."""
    worst = 0.0
    for name in compare(project, reference, record):
        if name.endswith(".json"):
            ours, theirs = (
                json.loads((p / PLACE / name).read_text()) for p in (project, reference)
            )
            worst = max(worst, distance(ours, theirs))
    record("largest difference", f"{worst:.1g}")
    return worst <= 1e-9


def test_a_build_elsewhere_is_equal_to_the_byte(
    reference: Path, tmp_path: Path, record_property: Record
) -> None:
    umask = os.umask(0o077)
    try:
        project = build(tmp_path / "another folder", "--cores", "1", **ELSEWHERE)
    finally:
        os.umask(umask)
    assert compare(project, reference, record_property) == []


def test_other_code_paths_agree(reference: Path, tmp_path: Path, record_property: Record) -> None:
    """Sums are made in another order, so the last of twelve digits may be another."""
    assert agree(build(tmp_path / "project", **ALL), reference, record_property)


@pytest.mark.parametrize("minor", [12, 13])
def test_other_pythons_agree(
    minor: int, reference: Path, tmp_path: Path, record_property: Record
) -> None:
    python = find_python(minor)
    project = copy_project(tmp_path / "project")
    if Path() == PLACE:
        (project / OVERLAY).write_text("{}\n")
    run = Run(
        [str(project / "reproduce"), "--config", f"overlay={OVERLAY}"],
        project,
        os.environ | {"PYTHON": python},
    )
    run.process.wait()
    if "installing the Python packages failed" in run.said():
        pytest.skip(f"the packages cannot be installed for Python 3.{minor} here")
    assert run.end() == 0, run.said()[-3000:]
    assert agree(project, reference, record_property)


def find_python(minor: int) -> str:
    """An interpreter of Python 3.`minor` that runs: pyenv's own, whose shim may not, or another."""
    own = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3"))
    for python in [*map(str, reversed(own)), f"python3.{minor}"]:
        found = shutil.which(python)
        if found and subprocess.run([found, "--version"], capture_output=True).returncode == 0:
            return found
    pytest.skip(f"there is no Python 3.{minor} here")


def distance(ours: Any, theirs: Any) -> float:
    """The largest relative difference of numbers; infinite if anything else differs."""
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return max(map(distance, ours, theirs), default=0.0)
    if isinstance(ours, dict) and isinstance(theirs, dict) and [*ours] == [*theirs]:
        return distance([*ours.values()], [*theirs.values()])
    if isinstance(ours, float) and isinstance(theirs, int | float):
        return 0.0 if ours == theirs else abs(ours - theirs) / max(abs(ours), abs(theirs))
    return 0.0 if ours == theirs else math.inf


def test_differences_are_seen() -> None:
    assert distance([{"a": 1.0, "b": "x"}], [{"a": 1.0 + 1e-6, "b": "x"}]) > 1e-9
    assert distance([{"a": 1.0}], [{"b": 1.0}]) == distance(["x"], ["y"]) == math.inf
