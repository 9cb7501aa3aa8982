"""`./reproduce` ended in every way at random moments: the next run comes to the same bytes.

Nobody unlocks anything, nothing temporary is left and no process outlives its build.
"""

import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest

from tests.workflow.conftest import OUT, copy_project, furnish, has_tex, made, products
from tests.workflow.killing import SEED, WAYS, Run, remains

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]

STOPPED = "stopped; nothing is lost: the same command goes on from here\n"

BUILD = ["--config", "overlay=config/tiny.yaml"]
KERNEL = Path("src/anarchy/serving/compiled/__pycache__")

Record = Callable[[str, object], None]


def reproduce(project: Path, *arguments: str) -> Run:
    return Run([str(project / "reproduce"), *arguments], project, dict(os.environ))


def kill(
    project: Path,
    arguments: list[str],
    moments: list[Callable[[Run], bool]],
    pause: float,
    record: Record,
    undo: Callable[[], None] = lambda: None,
    survived: str = "",
) -> None:
    """Begin a run for each moment and end it, in one way after the other, up to `pause` s later.

    `undo` is called before each; there may be a way that is `survived`.
    """
    dice = random.Random(SEED)
    ways = list(WAYS)
    dice.shuffle(ways)
    print(f"NIGHTLY_SEED={SEED}")
    record("seed", str(SEED))
    ended = 0
    for moment, way in zip(moments, cycle(ways)):
        undo()
        run = reproduce(project, *arguments)
        assert run.wait_until(moment), f"it ended before: {run.said()[-3000:]}"
        time.sleep(dice.uniform(0.0, pause))
        alive = run.process.poll() is None
        WAYS[way](run)
        code = run.end()
        print(f"{way}: exit code {code}")
        if alive and way.startswith("SIG"):
            assert code == 130
            assert run.said().endswith(STOPPED)
        ended += code != 0 or (alive and way == survived)
    record("kills", ended)
    assert ended == len(moments), "one ended before it was killed"


def finish(project: Path, *arguments: str) -> None:
    """The next run does the rest, with nobody's help."""
    run = reproduce(project, *arguments)
    assert run.end() == 0, run.said()[-3000:]
    assert "unlock" not in run.said()
    assert remains(project) == []


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in which only the build is left to be done."""
    folder = copy_project(tmp_path_factory.mktemp("killed") / "project")
    furnish(folder)
    return folder


def same_bytes(project: Path, built: Path, record: Record) -> None:
    ours, theirs = products(project), products(built)
    record("files", len(theirs))
    assert sorted(ours) == sorted(theirs)
    different = [name for name in theirs if ours[name] != theirs[name]]
    record("of them different", len(different))
    assert different == []


def test_kills_while_packages_are_installed(tmp_path: Path, record_property: Record) -> None:
    copy = copy_project(tmp_path / "project")
    moments = [lambda run: run.runs("-m pip install")] * 5
    kill(copy, ["setup"], moments, 20.0, record_property)
    assert not (copy / ".venv/.stamp").exists(), "it says that it is whole"
    finish(copy, "setup")
    checked = Run([".venv/bin/anarchy", "check"], copy, dict(os.environ))
    assert checked.end() == 0, checked.said()


def test_kills_while_the_simulator_is_compiled(project: Path, record_property: Record) -> None:
    """Where the compiler alone is killed, the rest of the set-up goes on: the jobs compile."""
    moments = [lambda run: run.runs("-m anarchy.serving.compiled")] * 6
    fresh = partial(shutil.rmtree, project / KERNEL, ignore_errors=True)
    kill(project, ["setup"], moments, 3.0, record_property, fresh, "Snakemake killed")
    finish(project, "setup")


@pytest.mark.parametrize("round", [1, 2])
def test_kills_while_jobs_run(
    round: int, built: Path, project: Path, record_property: Record
) -> None:
    """Twice, for the second build finds what the first has left in caches."""
    for folder in ("build", ".snakemake"):
        shutil.rmtree(project / folder, ignore_errors=True)
    wanted, dice = len(made(built)), random.Random(SEED + round)
    shares = sorted(dice.uniform(0.0, 0.8) for _ in range(6))
    moments = [lambda _, share=share: len(made(project)) >= share * wanted for share in shares]
    kill(project, BUILD, moments, 1.0, record_property)
    finish(project, *BUILD)
    same_bytes(project, built, record_property)


@pytest.mark.skipif(not has_tex(), reason="latexmk and pdflatex are not installed")
def test_kills_while_latex_runs(built: Path, project: Path, record_property: Record) -> None:
    pdf = project / OUT / "paper/main.pdf"
    finish(project, *BUILD)
    moments = [lambda run: run.runs("latexmk")] * 6
    kill(project, BUILD, moments, 1.0, record_property, lambda: pdf.unlink(missing_ok=True))
    finish(project, *BUILD)
    same_bytes(project, built, record_property)
