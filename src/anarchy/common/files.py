"""Atomic output files and the one format of results: a flat JSON array of flat objects."""

import errno
import fcntl
import glob
import json
import math
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from anarchy.common.errors import InputError

Row = Mapping[str, Any]

SIGNIFICANT_DIGITS = 12

MOST_STEM = 50
"""Characters of a file's name in that of its temporary one, which must not become too long."""


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success fsync it and rename it into place.

    Processes killed at any moment, and several that write one path at once, leave either the old
    file or a complete new one. A link is followed. Whatever is there and no file, as a device or a
    pipe, is left alone: an OSError. The temporary file is hidden, and keeps the suffix of `path`,
    because libraries choose formats by suffix.
    """
    target = Path(os.path.realpath(path))
    if (Path(path).exists() and not Path(path).is_file()) or target.is_symlink():
        raise OSError(errno.EINVAL, "it is there and no regular file", os.fspath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_remains(target)
    temporary = target.with_name(
        f".{target.stem[:MOST_STEM]}.{secrets.token_hex(4)}.part{target.suffix}"
    )
    lock = None
    try:
        lock = _create_locked(temporary)  # in here: an interrupt may come once the file is there
        yield temporary
        os.fsync(lock)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    finally:
        if lock is not None:
            os.close(lock)


def refuse_inputs(out: Path, inputs: Iterable[Path], option: str) -> None:
    """Refuse to write over a file that is read, whatever both are called: an InputError."""
    for path in inputs:
        if out.exists() and path.exists() and out.samefile(path):
            raise InputError(f"{option}: {out} is {path}, which is read; name another file")


def _create_locked(path: Path) -> int:
    """A descriptor that locks a new file, by which others see that somebody writes it."""
    while True:
        lock = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        with suppress(OSError):  # not all file systems have locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return lock
        os.close(lock)  # taken for remains before it was locked


def _remove_remains(target: Path) -> None:
    """Remove temporary files of killed processes: those that nobody locks."""
    name = (
        f".{glob.escape(target.stem[:MOST_STEM])}.{'[0-9a-f]' * 8}.part{glob.escape(target.suffix)}"
    )
    for path in target.parent.glob(name):
        with suppress(OSError), path.open("rb") as remains:
            fcntl.flock(remains, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_rows(path: str | os.PathLike[str], rows: Sequence[Row]) -> None:
    """Write results rows as JSON, one object a line.

    Floats are rounded to 12 significant digits so that last-bit differences between machines
    do not show; infinities become the strings "inf" and "-inf"; NaN is refused, because a
    missing value is null and a wrong one must not pass.
    """
    lines = [json.dumps({k: _plain(v) for k, v in row.items()}, ensure_ascii=False) for row in rows]
    write_text(path, "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n")


def read_rows(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read what `write_rows` wrote; "inf" and "-inf" come back as floats."""
    rows = json.loads(Path(path).read_text(encoding="utf-8"))
    infinite = {"inf": math.inf, "-inf": -math.inf}
    return [
        {k: infinite.get(v, v) if isinstance(v, str) else v for k, v in row.items()} for row in rows
    ]


def same_value(stored: Any, wanted: Any) -> bool:
    """Equality of scalars of rows; floats up to the digits that results keep; 1 is not true."""
    if isinstance(stored, bool) or isinstance(wanted, bool):
        return stored is wanted
    if isinstance(stored, int | float) and isinstance(wanted, int | float):
        return math.isclose(stored, wanted, rel_tol=1e-11)
    return bool(stored == wanted)


def _plain(value: Any) -> Any:
    """A JSON scalar for a Python or numpy scalar; nested values are refused: rows are flat."""
    if hasattr(value, "item"):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError("a results row may not hold NaN")
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    raise TypeError(f"a results row holds scalars only, not {type(value).__name__}")
