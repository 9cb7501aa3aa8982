"""The compiled kernel: all of it is made beforehand, and holders of arrays are not counted."""

import json
import subprocess
import sys
from typing import Any

import numba
import numpy as np
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


@numba.njit
def _holds(numbers: Any) -> Any:
    return numbers, numbers


def test_nothing_counts_who_holds_arrays() -> None:
    """Numba counts holders atomically wherever an array is handed on, if it is let."""
    if cache.CACHE is None:
        pytest.skip("no folder for the compiled kernel can be written to")
    _holds(np.zeros(1))
    assert all("NRT_incref" in code for code in _holds.inspect_asm().values()), "numba counts here"
    compile.compile_all(lambda _: None)
    for entry in compile.entries():
        name = entry.py_func.__name__
        objects = list(cache.CACHE.rglob(f"*.{name}-*.nbc"))
        assert objects, f"{name} is in the cache"
        assert not any(b"NRT_incref" in path.read_bytes() for path in objects), name


UNFOUND = """
import json, struct, sys
from llvmlite import binding
from anarchy.serving.compiled.core import cache, compile

def called(code):
    file = binding.ObjectFileRef.from_data(code[code.index(b"\\x7fELF"):])
    sections = {section.name(): section.data() for section in file.sections()}
    names = sections[b".strtab"]
    for name, _, _, section, _, _ in struct.iter_unpack("<IBBHQQ", sections[b".symtab"]):
        if name and not section:
            yield names[name : names.index(b"\\0", name)].decode()

unfound, calls = {}, 0
for entry in compile.entries():
    name = entry.py_func.__name__
    entry.targetctx
    codes = [path.read_bytes() for path in cache.CACHE.rglob(f"*.{name}-*.nbc")]
    assert codes
    symbols = [s for code in codes for s in called(code)]
    calls += len(symbols)
    unfound[name] = [s for s in symbols if not binding.address_of_symbol(s)]
print(json.dumps([unfound, calls, "scipy.linalg" in sys.modules]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the format of Linux's object files")
def test_nothing_needs_numbas_runtime() -> None:
    """It is run without: a call of what is not there would end the process."""
    if cache.CACHE is None:
        pytest.skip("no folder for the compiled kernel can be written to")
    compile.compile_all(lambda _: None)
    done = subprocess.run(
        [sys.executable, "-c", UNFOUND], capture_output=True, text=True, check=True
    )
    unfound, calls, scipy = json.loads(done.stdout)
    assert calls, "some of Python's and of the mathematical library"
    assert not {name: symbols for name, symbols in unfound.items() if symbols}
    assert not scipy, "loaded by numba before it compiles"
