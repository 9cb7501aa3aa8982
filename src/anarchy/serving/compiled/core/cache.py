"""Where the machine code of the kernel is kept between processes.

Numba renews a cached function when its own file has changed, not when one that it calls has. So
the cache is kept by a digest of all of the kernel's files: an outdated one is never found, and
only the newest few are kept. It lies below `NUMBA_CACHE_DIR` if that is set, else beside the
kernel, else in the user's cache; where nothing can be written, every process compiles anew.
"""

# mypy: allow-untyped-calls
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache, InTreeCacheLocator

FOLDER = Path(__file__).parents[1]

KEPT = 4
"""Caches that are kept: other processes may still use an older kernel's."""


def digest() -> str:
    """Names the code of the kernel as it is now."""
    code = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*.py")):
        code.update(path.read_bytes())
    return code.hexdigest()[:16]


def parents(environment: Mapping[str, str]) -> Iterator[Path]:
    """The folders in which the caches may lie, the preferred one first."""
    if environment.get("NUMBA_CACHE_DIR"):
        yield Path(environment["NUMBA_CACHE_DIR"]) / "anarchy"
    yield FOLDER / "__pycache__"
    if environment.get("XDG_CACHE_HOME"):
        yield Path(environment["XDG_CACHE_HOME"]) / "anarchy"
    elif environment.get("HOME"):
        yield Path(environment["HOME"]) / ".cache" / "anarchy"


def cache_folder(parents: Iterable[Path]) -> Path | None:
    """The cache of this kernel, in the first of the folders that can be written to."""
    name = digest()
    for parent in parents:
        folder = parent / name
        try:
            new = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            if new:
                _remove_old(parent)
            return folder
    return None


def _remove_old(parent: Path) -> None:
    with suppress(OSError):  # other processes may remove the same ones
        caches = [path for path in parent.iterdir() if path.is_dir()]
        for path in sorted(caches, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
            shutil.rmtree(path, ignore_errors=True)


CACHE = cache_folder(parents(os.environ))


class _Locator(InTreeCacheLocator):
    """Numba's names for the files, below the folder that is chosen here."""

    def get_cache_path(self) -> str:
        assert CACHE is not None
        return str(CACHE / self.get_suitable_cache_subpath(self._py_file))


class _Inside(CompileResultCacheImpl):
    """Looks nowhere else: numba's other places keep what is outdated."""

    _locator_classes = [_Locator]  # noqa: RUF012 - as numba declares it


class _Kept(FunctionCache):
    """Numba's cache of one function, without its ways of ending a run."""

    _impl_class = _Inside

    def load_overload(self, *arguments: Any) -> Any:
        """The code; None where there is none or, as after a power cut, only a part of a file.

        Before it reads, numba would import all that it compiles with, SciPy among it: ten times as
        long as reading takes. Code that makes no arrays needs nothing of that, only Python.
        """
        try:
            return self._load_overload(*arguments)
        except Exception:  # a cut pickle raises whatever its next byte makes it raise
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, *arguments: Any) -> None:
        """Keep the code; on a full disk it serves this process alone."""
        with suppress(Exception):  # the index is read first, which may be what could not be mended
            super().save_overload(*arguments)


def keep(entry: Any) -> None:
    """Keep what is compiled of a function between processes, if there is a place for it.

    Numba's `cache=True` does the same, but a damaged file or a full disk then ends the run.
    """
    if CACHE is not None:
        with suppress(RuntimeError):  # the folder is there, but takes no file
            entry._cache = _Kept(entry.py_func)
