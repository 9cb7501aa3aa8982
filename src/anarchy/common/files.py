"""Atomic output files and the one format of results: a flat JSON array of flat objects."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

SIGNIFICANT_DIGITS = 12


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success fsync it and rename it into place.

    A process killed at any moment leaves either the old file or the complete new one. One process
    at a time may write a path. The temporary file keeps the suffix of `path`, because libraries
    choose formats by suffix.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # A fixed name: what a killed process leaves behind is overwritten by the next try.
    temporary = target.with_name(f".{target.stem}.part{target.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
