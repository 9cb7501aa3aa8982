"""The cache of the compiled kernel: where it lies, how large it gets, that all of it is made."""

import os
from pathlib import Path

import pytest

from anarchy.common import paths
from anarchy.config.settings import load_scenario
from anarchy.serving.compiled.core import compile
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate


def test_the_first_writable_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    parents = [tmp_path / "file", tmp_path / "cache", tmp_path / "other"]
    folder = compile.cache_folder(iter(parents))
    assert folder == tmp_path / "cache" / compile.digest()
    assert folder.is_dir()
    assert not (tmp_path / "other").exists()
    assert compile.cache_folder(iter(parents[:1])) is None


def test_a_folder_without_permission_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, free = tmp_path / "locked", tmp_path / "free"

    def access(path: Path, _mode: int) -> bool:
        return locked not in path.parents

    monkeypatch.setattr(compile.os, "access", access)
    assert compile.cache_folder(iter([locked, free])) == free / compile.digest()
    assert compile.cache_folder(iter([locked])) is None


def test_only_the_newest_caches_are_kept(tmp_path: Path) -> None:
    for age in range(10):
        old = tmp_path / f"old-{age}"
        old.mkdir()
        os.utime(old, (1e9 - age, 1e9 - age))
    (tmp_path / "module.cpython-311.pyc").touch()
    folder = compile.cache_folder(iter([tmp_path]))
    assert folder is not None
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {folder.name, "old-0", "old-1", "old-2", "module.cpython-311.pyc"}
    (tmp_path / "old-3").mkdir()
    compile.cache_folder(iter([tmp_path]))
    assert (tmp_path / "old-3").exists(), "a known cache makes no new one necessary"


def test_runs_call_no_code_that_is_not_compiled_beforehand() -> None:
    told: list[str] = []
    compile.compile_all(told.append)
    before = {entry: list(entry.signatures) for entry in compile.entries()}
    assert {entry.py_func.__name__ for entry in before} >= {"advance", "begin", "read_meters"}
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    simulate(scenario, latency, seed=1, requests=20, simulator="compiled")
    assert {entry: list(entry.signatures) for entry in before} == before
    told.clear()
    compile.compile_all(told.append)
    assert told == [], "it is quick the second time, and says nothing"


def test_only_what_makes_arrays_counts_who_holds_them() -> None:
    """Numba counts holders atomically wherever an array is handed on, if it is let."""
    if compile.CACHE is None:
        pytest.skip("no folder for the compiled kernel can be written to")
    compile.compile_all(lambda _: None)
    counting = set()
    for entry in compile.entries():
        name = entry.py_func.__name__
        objects = list(compile.CACHE.rglob(f"*.{name}-*.nbc"))
        assert objects, f"{name} is in the cache"
        if any(b"NRT_incref" in path.read_bytes() for path in objects):
            counting.add(name)
    assert counting == {"chain_names"}
