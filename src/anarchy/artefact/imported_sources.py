"""Which files of the package a script rests on, so that a change of one reruns its jobs."""

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_REMARK = re.compile(r"#.*")
_IMPORT = re.compile(
    r"^\s*(?:from\s+(anarchy[\w.]*)\s+import\s+(\([^)]*\)|.*)|import\s+(anarchy[\w.]*))",
    re.MULTILINE,
)


def imported_sources(script: Path, source: Path = Path("src")) -> list[Path]:
    """The modules below `source` that a script imports, itself or by way of others: nearest first.

    Imports within functions count too; what is imported by a name made at run time does not.
    """
    found: dict[Path, None] = {}
    # What is remembered of a path holds in any working directory.
    folder, new = source.absolute(), [script.absolute()]
    while new:
        imported = set().union(*(_imports(path, folder) for path in new)) - found.keys()
        new = sorted(imported)
        found |= dict.fromkeys(new)
    return [source / path.relative_to(folder) for path in found]


@cache
def _imports(path: Path, source: Path) -> set[Path]:
    """The modules that one file imports, with the packages that these lie in."""
    names = set()
    text = _REMARK.sub("", path.read_text(encoding="utf-8"))
    for package, listed, module in _IMPORT.findall(text):
        names |= {package or module}
        # Any of the names may be a module.
        names |= {f"{package}.{name}" for name in re.findall(r"\w+", listed)}
    return set().union(*(_files(name, source) for name in names))


@cache
def _files(module: str, source: Path) -> frozenset[Path]:
    """The files of a module, if it is one, and of the packages it lies in."""
    package = module.rpartition(".")[0]
    path = source.joinpath(*module.split("."))
    own = {file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()}
    return frozenset(own | _files(package, source)) if package else frozenset(own)


def digest(files: Iterable[Path]) -> str:
    """One SHA-256 of what some files are called and hold, in their order."""
    lines = [f"{_checksum(path.absolute())}  {path.as_posix()}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@cache
def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
