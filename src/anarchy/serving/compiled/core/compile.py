"""How the kernel is compiled: numba without fast-math; `cache` keeps the machine code."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

from anarchy.common.garbage_collection import gc_paused
from anarchy.serving.compiled.core.cache import CACHE, keep
from anarchy.serving.compiled.core.numba_types import type_of

F = TypeVar("F", bound=Callable[..., Any])

_entries: list[Any] = []


integer: Any = np.int64
boolean: Any = np.bool_
"""Make a constant a value like others; for a literal, callees would be compiled once more."""

_UNCOUNTED = {"_nrt": False}
"""Compiled code borrows arrays and makes none, so it need not count who holds them: numba would
count at each hand-over, atomically, which took a third of the time and more. The option is
numba's own and not public; a public way to most of it is an intrinsic that takes an array and
returns it without its memory's record (`meminfo`), which nobody then counts."""


class _Part(JITCodeLibrary):
    """The code of a function that is merged into that of its callers, and never run by itself.

    Numba would optimise it and make machine code of it and all that it calls, for nothing: a third
    of the time to compile.
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, _name: str) -> int:
        return 0

    @property
    def codegen(self) -> "_Part":
        return self

    def set_env(self, _name: str, _environment: Any) -> None:
        """It has none."""


class _PartCompiler(Compiler):
    def __init__(self, typing: Any, target: Any, _library: Any, *others: Any) -> None:
        super().__init__(typing, target, _Part(target.codegen(), "part"), *others)


_INNER = _UNCOUNTED | {
    "pipeline_class": _PartCompiler,
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
    return _entry(function, alone=True, **_UNCOUNTED)


def allocating(function: F) -> F:
    """As `compiled`, for what makes arrays itself."""
    return _entry(function, alone=False)


def _entry(function: F, alone: bool, **options: Any) -> F:
    entry = _compile(function, nogil=True, error_model="numpy", **options)
    if not numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        keep(entry, alone)
    _entries.append(entry)
    return entry


def inner(function: F) -> F:
    """What only compiled functions call; it goes without the code that Python would call."""
    return _compile(function, **_INNER)


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
    with gc_paused():
        for function in functions:
            annotations = inspect.get_annotations(function.py_func)
            function.compile(
                tuple(type_of(t) for name, t in annotations.items() if name != "return")
            )
