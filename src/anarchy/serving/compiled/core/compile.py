"""How the kernel is compiled: numba without fast-math; `cache` keeps the machine code."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager

from anarchy.common.garbage_collection import gc_paused
from anarchy.serving.compiled.core.cache import CACHE, keep
from anarchy.serving.compiled.core.numba_types import type_of

F = TypeVar("F", bound=Callable[..., Any])

_entries: list[Any] = []


integer: Any = np.int64
boolean: Any = np.bool_
"""Make a constant a value like others; for a literal, callees would be compiled once more."""

_OPTIONS = {"_nrt": False, "nogil": True, "error_model": "numpy"}
"""Compiled code borrows arrays and makes none, so it need not count who holds them (`_nrt`): numba
would count at each hand-over, atomically, which took a third of the time and more. The option is
numba's own and not public; a public way to most of it is an intrinsic that takes an array and
returns it without its memory's record (`meminfo`), which nobody then counts."""


class _Part(JITCodeLibrary):
    """The code of a function that is merged into that of its callers, and never run by itself.

    Numba would merge all that it calls into it, optimise it and make machine code of it, for
    nothing: most of the time to compile.
    """

    def finalize(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, _name: str) -> int:
        return 0

    @property
    def codegen(self) -> "_Part":
        return self

    def set_env(self, _name: str, _environment: Any) -> None:
        """It has none."""


class _Whole(JITCodeLibrary):
    """The code of a function that Python calls, with that of all parts below it."""

    def finalize(self) -> None:
        libraries = self._linking_libraries
        for library in libraries:  # which grows: parts have parts
            if isinstance(library, _Part):
                libraries += [part for part in library._linking_libraries if part not in libraries]
        super().finalize()


class _Compiler(CompilerBase):
    """Numba's compiler without the passes for what the kernel has nothing of, such as closures,
    overloads in Python and expressions of arrays: they take a fifth of the time."""

    def define_pipelines(self) -> list[PassManager]:
        passes = PassManager("kernel")
        for each in (
            untyped_passes.TranslateByteCode,
            untyped_passes.FixupArgs,
            untyped_passes.IRProcessing,
            untyped_passes.GenericRewrites,
            untyped_passes.ReconstructSSA,
            typed_passes.NopythonTypeInference,
            typed_passes.PreLowerStripPhis,
            typed_passes.IRLegalization,
            typed_passes.NativeLowering,
            typed_passes.NoPythonBackend,
        ):
            passes.add_pass(each, each.__name__)
        passes.finalize()
        return [passes]


class _PartCompiler(_Compiler):
    def __init__(self, typing: Any, target: Any, _library: Any, *others: Any) -> None:
        super().__init__(typing, target, _Part(target.codegen(), "part"), *others)


class _WholeCompiler(_Compiler):
    def __init__(self, typing: Any, target: Any, _library: Any, *others: Any) -> None:
        library = _Whole(target.codegen(), "whole")
        library.enable_object_caching()
        super().__init__(typing, target, library, *others)


_INNER = _OPTIONS | {
    "pipeline_class": _PartCompiler,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def compiled(function: F) -> F:
    """What Python calls: compiled on the first call and found again in later processes.

    Other threads run meanwhile. Rounding is that of Python's own arithmetic, or results would not
    equal the reference's: fast-math stays off.
    """
    entry = _compile(function, pipeline_class=_WholeCompiler, **_OPTIONS)
    if not numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        keep(entry)
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
    """All that Python calls: what a run imports."""
    importlib.import_module("anarchy.serving.compiled.run")
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
