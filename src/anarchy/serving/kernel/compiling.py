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


def compiled(function: F) -> F:
    """Compile on the first call, and find the result again in later processes.

    Other threads run meanwhile. Rounding is that of Python's own arithmetic, or results would not
    equal the reference's: fast-math stays off.
    """
    compiler: Any = numba.njit(cache=True, nogil=True, error_model="numpy")
    result: F = compiler(function)
    return result


def inlined(function: F) -> F:
    """As `compiled`, and merged into its callers: for what is small or called in one place."""
    compiler: Any = numba.njit(nogil=True, error_model="numpy", inline="always")
    result: F = compiler(function)
    return result
