"""How the kernel is compiled: numba without fast-math; `cache` keeps the machine code."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np

from anarchy.common.garbage_collection import no_collection
from anarchy.serving.compiled.core.cache import CACHE, keep
from anarchy.serving.compiled.core.records import Floats, Ints

F = TypeVar("F", bound=Callable[..., Any])

TYPES = {Ints: numba.int64[::1], Floats: numba.float64[::1], int: numba.int64}
"""What the annotations of a compiled function mean to the compiler."""

_entries: list[Any] = []


integer: Any = np.int64
boolean: Any = np.bool_
"""Make a constant a value like others; for a literal, callees would be compiled once more."""

_UNCOUNTED = {"_nrt": False}
"""Compiled code borrows arrays and makes none, so it need not count who holds them: numba would
count at each hand-over, atomically, which took a third of the time and more. The option is
numba's own and not public; a public way to most of it is an intrinsic that takes an array and
returns it without its memory's record (`meminfo`), which nobody then counts."""

_INNER = _UNCOUNTED | {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def compiled(function: F) -> F:
    """What Python calls: compiled on the first call and found again in later processes.

    Other threads run meanwhile. Rounding is that of Python's own arithmetic, or results would not
    equal the reference's: fast-math stays off.
    """
    return _entry(function, **_UNCOUNTED)


def allocating(function: F) -> F:
    """As `compiled`, for what makes arrays itself."""
    return _entry(function)


def _entry(function: F, **options: Any) -> F:
    entry = _compile(function, nogil=True, error_model="numpy", **options)
    keep(entry)
    _entries.append(entry)
    return entry


def inner(function: F) -> F:
    """What only compiled functions call; it goes without the code that Python would call."""
    return _compile(function, **_INNER)


def inlined(function: F) -> F:
    """As `inner`, and merged into its callers: for what is called in one place."""
    return _compile(function, inline="always", **_INNER)


def small(function: F) -> F:
    """As `inner`, for a line or two with many callers: merged into them as machine code."""
    return _compile(function, forceinline=True, **_INNER)


def _compile(function: F, **options: Any) -> F:
    compiler: Any = numba.njit(**options)
    result: F = compiler(function)
    return result


def entries() -> list[Any]:
    """All that Python calls."""
    package = importlib.import_module("anarchy.serving.compiled")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return _entries


def compile_all(say: Callable[[str], None]) -> None:
    """Compile everything, so that no later process has to; `say` hears if that takes a while."""
    functions = entries()
    found = 0 if CACHE is None else sum(1 for _ in CACHE.rglob("*.nbi"))
    if found < len(functions):
        say("compiling the simulator (once, about a minute)")
    with no_collection():
        for function in functions:
            annotations = inspect.get_annotations(function.py_func)
            function.compile(tuple(TYPES[t] for name, t in annotations.items() if name != "return"))
