"""How the kernel is compiled: numba without fast-math, cached between processes.

Numba renews a cached function when its own file has changed, not when one that it calls has. So
the cache is kept by a digest of all of the kernel's files: an outdated one is never found.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

FOLDER = Path(__file__).parent


def digest() -> str:
    """Names the code of the kernel as it is now."""
    code = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*.py")):
        code.update(path.read_bytes())
    return code.hexdigest()[:16]


numba.config.CACHE_DIR = str(FOLDER / "__pycache__" / digest())  # type: ignore[attr-defined]


# Loops here are short and branch: vectorising them only takes time.
numba.config.LOOP_VECTORIZE = 0  # type: ignore[attr-defined]
numba.config.SLP_VECTORIZE = 0  # type: ignore[attr-defined]

_INNER = {
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
    return _compile(function, cache=True, nogil=True, error_model="numpy")


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
