"""The compiled kernel: all of it is made beforehand, and holders of arrays are not counted."""

import pytest

from anarchy.common import paths
from anarchy.config.settings import load_scenario
from anarchy.serving.compiled.core import cache, compile
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate


def test_runs_call_no_code_that_is_not_compiled_beforehand() -> None:
    told: list[str] = []
    compile.compile_all(told.append)
    before = {entry: list(entry.signatures) for entry in compile.entries()}
    assert {entry.py_func.__name__ for entry in before} >= {"advance", "begin", "read_totals"}
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    simulate(scenario, latency, seed=1, requests=20, simulator="compiled")
    assert {entry: list(entry.signatures) for entry in before} == before
    told.clear()
    compile.compile_all(told.append)
    assert told == [], "it is quick the second time, and says nothing"


def test_only_what_makes_arrays_counts_who_holds_them() -> None:
    """Numba counts holders atomically wherever an array is handed on, if it is let."""
    if cache.CACHE is None:
        pytest.skip("no folder for the compiled kernel can be written to")
    compile.compile_all(lambda _: None)
    counting = set()
    for entry in compile.entries():
        name = entry.py_func.__name__
        objects = list(cache.CACHE.rglob(f"*.{name}-*.nbc"))
        assert objects, f"{name} is in the cache"
        if any(b"NRT_incref" in path.read_bytes() for path in objects):
            counting.add(name)
    assert counting == {"chain_names"}
