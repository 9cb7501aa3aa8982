"""Copies of the project in which workflows run for real."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from numba.core.caching import UserProvidedCacheLocator

from anarchy.common import paths
from anarchy.serving.compiled.core.cache import CACHE, FOLDER
from anarchy.serving.compiled.core.compile import compile_all
from tests.test_reproduce import stamp

OUT = Path("build/tiny")
"""Where the tiny configuration puts what it builds."""

LEFT_OUT = shutil.ignore_patterns(
    ".venv", ".git", ".cache", ".snakemake", ".*_cache", ".hypothesis", "*.egg-info",
    "build", "results", "generated", "main.pdf", "main.log",
)  # fmt: skip


def left_out(folder: str, names: list[str]) -> set[str]:
    """What a copy goes without. The byte code of the sources is carried, or each copy would compile
    them; beside it lie the kernel, which `carry_kernel` brings, and files that are being written.
    """
    here = set(LEFT_OUT(folder, names))
    if Path(folder).name == "__pycache__":
        here |= {name for name in names if not name.endswith(".pyc")}
    return here


def copy_project(folder: Path) -> Path:
    """A fresh copy of the project's own files; `folder` must not exist."""
    shutil.copytree(paths.ROOT, folder, ignore=left_out)
    shutil.rmtree(folder / "data", ignore_errors=True)
    for built in [*(folder / "figures").glob("*.p*")]:
        built.unlink()
    carry_kernel(folder)
    return folder


def copy_built(built: Path, folder: Path) -> Path:
    """A copy of a finished build, to change; `folder` must not exist."""
    shutil.copytree(built, folder, symlinks=True)
    carry_kernel(folder)
    return folder


def carry_kernel(folder: Path) -> None:
    """Give a copy the compiled kernel, or its first jobs would each take a minute to compile it.

    Numba names a part of its cache by the path of the sources, so that part is renamed.
    """
    compile_all(print)
    if CACHE is None:
        return
    for module in FOLDER.rglob("__init__.py"):
        theirs = folder / module.relative_to(paths.ROOT)
        cache = folder / FOLDER.relative_to(paths.ROOT) / "__pycache__" / CACHE.name
        part, renamed = (
            UserProvidedCacheLocator.get_suitable_cache_subpath(p) for p in (module, theirs)
        )
        if (CACHE / part).is_dir():
            shutil.copytree(CACHE / part, cache / renamed)


def environment(project: Path, **changes: str) -> dict[str, str]:
    """The variables of a build that uses the copy's own package."""
    variables = {**os.environ, "PYTHONPATH": str(project / "src"), "XDG_CACHE_HOME": str(project)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # or every job compiles the package again
    return variables | changes


def furnish(project: Path) -> None:
    """Give a copy a .venv with the packages at hand, so that `./reproduce` installs none."""
    folder = project / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    at_hand = [path for path in sys.path if "site-packages" in path]
    (packages / "all.pth").write_text("\n".join([*at_hand, str(project / "src")]))
    (folder / ".stamp").write_text(stamp(project, "venv_stamp"))


COMMAND = [sys.executable, "-m", "snakemake", "--profile", "workflow/profiles/default"]
COMMAND += ["--workflow-profile", "none", "--cores", "2"]
"""Snakemake as `./reproduce` calls it."""


def snakemake(
    project: Path, *targets: str, overlay: str = "config/tiny.yaml", **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run a build in the copy; the caller looks at the exit code."""
    return subprocess.run(
        [*COMMAND, *targets, "--config", f"overlay={overlay}"],
        cwd=project,
        env=environment(project, **changes),
        capture_output=True,
        text=True,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of all files below a folder, by relative path."""
    return {name: (folder / name).read_bytes() for name in files(folder)}


def files(folder: Path) -> list[str]:
    """All files below a folder, by relative path."""
    return [str(p.relative_to(folder)) for p in sorted(folder.rglob("*")) if p.is_file()]


def made(project: Path, out: Path = OUT) -> list[str]:
    """The files of a build on which equal ones agree to the byte, below `out`."""
    unequal = ("results/machine/", "paper/main.log")
    return [
        f"{folder}/{name}"
        for folder in ("results", "figures", "paper")
        for name in files(project / out / folder)
        if not f"{folder}/{name}".startswith(unequal)
    ]


def products(project: Path, out: Path = OUT) -> dict[str, bytes]:
    """The bytes of what a build makes, and of the paper's sources if they lie there, too."""
    return {name: (project / out / name).read_bytes() for name in made(project, out)}


def has_tex() -> bool:
    """Whether the PDF can be built here."""
    return shutil.which("latexmk") is not None and shutil.which("pdflatex") is not None


@pytest.fixture(scope="session")
def built(shared_folder: Path, once: Callable[[str, Callable[[], Path]], Path]) -> Path:
    """A copy, in a folder with spaces, in which the tiny build has run. No test changes it."""

    def build() -> Path:
        project = shared_folder / "end to end" / "the project"
        shutil.rmtree(project, ignore_errors=True)
        done = snakemake(copy_project(project), *targets())
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return project

    return once("built", build)


def targets() -> list[str]:
    """Everything, or everything but the PDF where there is no TeX."""
    return ["all"] if has_tex() else ["no_pdf"]
