"""The cache of the compiled kernel: where it lies, how large it gets, that it stops no run."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest
from numba.core.caching import IndexDataCacheFile

from anarchy.serving.compiled.core import cache


def test_the_first_writable_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    parents = [tmp_path / "file", tmp_path / "cache", tmp_path / "other"]
    folder = cache.cache_folder(iter(parents))
    assert folder == tmp_path / "cache" / cache.digest()
    assert folder.is_dir()
    assert not (tmp_path / "other").exists()
    assert cache.cache_folder(iter(parents[:1])) is None


def test_a_folder_without_permission_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, free = tmp_path / "locked", tmp_path / "free"

    def access(path: Path, _mode: int) -> bool:
        return locked not in path.parents

    monkeypatch.setattr(cache.os, "access", access)
    assert cache.cache_folder(iter([locked, free])) == free / cache.digest()
    assert cache.cache_folder(iter([locked])) is None


def test_only_the_newest_caches_are_kept(tmp_path: Path) -> None:
    for age in range(10):
        old = tmp_path / f"old-{age}"
        old.mkdir()
        os.utime(old, (1e9 - age, 1e9 - age))
    (tmp_path / "module.cpython-311.pyc").touch()
    folder = cache.cache_folder(iter([tmp_path]))
    assert folder is not None
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {folder.name, "old-0", "old-1", "old-2", "module.cpython-311.pyc"}
    (tmp_path / "old-3").mkdir()
    cache.cache_folder(iter([tmp_path]))
    assert (tmp_path / "old-3").exists(), "a known cache makes no new one necessary"


def test_the_folder_of_numbas_own_variable_comes_first() -> None:
    beside = cache.FOLDER / "__pycache__"
    home = Path("/h/.cache/anarchy")
    assert list(cache.parents({"NUMBA_CACHE_DIR": "/n", "HOME": "/h"})) == [
        Path("/n/anarchy"), beside, home,
    ]  # fmt: skip
    assert list(cache.parents({"XDG_CACHE_HOME": "/x", "HOME": "/h"}))[1:] == [Path("/x/anarchy")]
    empty = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": "/h"}
    assert list(cache.parents(empty)) == [beside, home]
    assert list(cache.parents({})) == [beside]


# ---------------------------------------------------------------- what a disk may do to it


def double(x: int) -> int:
    return 2 * x


def entry() -> Any:
    """A function as a new process would have it."""
    made: Any = numba.njit(double)
    cache.keep(made)
    return made


def found(made: Any) -> bool:
    """Whether a call was answered from the cache."""
    assert made(21) == 42
    return bool(made.stats.cache_hits)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setattr(cache, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", [empty, cut, zero])
def test_a_damaged_cache_is_dropped_and_made_anew(
    folder: Path, suffix: str, damage: Callable[[Path], None]
) -> None:
    assert not found(entry())
    assert found(entry())
    (file,) = folder.rglob(f"*{suffix}")
    damage(file)
    assert not found(entry())
    assert found(entry()), "the next process finds it whole"


def test_damage_that_cannot_be_mended_stops_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(entry())
    for file in folder.rglob("*.nb?"):
        empty(file)
    monkeypatch.setattr(IndexDataCacheFile, "_open_for_write", full)
    assert not found(entry())


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_stops_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IndexDataCacheFile, "_open_for_write", full)
    assert not found(entry())
    assert list(folder.rglob("*.nb?")) == []


def test_a_folder_that_takes_no_file_stops_nothing(folder: Path) -> None:
    folder.touch()
    assert not found(entry())
