"""The file of measurements: one JSON object, which grows by a cell at a time and can be resumed."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anarchy.common.errors import InputError, shown
from anarchy.common.files import write_text
from shard.grid import KEYS, Cell, Kind, Name, full
from shard.shapes import Model

MADE_BY = ("gpu", "torch", "cuda", "driver")
"""What measured: cells of two machines or two versions never share a file."""

ORDER = {cell.name: place for place, cell in enumerate(full())}
"""Places of the cells in the file."""


def summary(times: Sequence[float]) -> dict[str, float]:
    """Median, quantiles and extremes of two or more times in milliseconds, and their number.

    A quantile between two times is interpolated linearly; all are rounded to 0.1 microseconds.
    """
    percent = statistics.quantiles(times, n=100, method="inclusive")
    found = {
        "ms": percent[49],
        "p05": percent[4],
        "p95": percent[94],
        "p99": percent[98],
        "min": min(times),
        "max": max(times),
    }
    return {key: round(ms, 4) for key, ms in found.items()} | {"n": len(times)}


class Report:
    """What a file holds so far; each new cell is written at once, atomically."""

    def __init__(self, path: Path, model: Model, made_by: Mapping[str, str], copy_tb_s: float):
        """Read `path` if it is there, so that its cells are kept.

        Raises InputError if it is no such file, or one of another model, GPU or version.
        """
        self.path = path
        self._document: dict[str, Any] = {
            "date": str(datetime.now(UTC).date()),
            "model": model.name,
            **{key: made_by[key] for key in MADE_BY},
            "weights_gb": model.shape.weight_bytes / 1e9,
            "kv_bytes_per_token": model.shape.kv_bytes_per_token,
            "shape": asdict(model.shape),
            **{kind: [] for kind in KEYS},
            "copy_tb_s": round(copy_tb_s, 4),
            "seconds": 0.0,
        }
        if path.exists():
            self._keep(_read(path))

    def _keep(self, before: dict[str, Any]) -> None:
        for key in ("model", *MADE_BY, "shape"):
            if before.get(key) != self._document[key]:
                raise InputError(
                    f"{self.path}: {key} is {shown(before.get(key))}, here it is "
                    f"{shown(self._document[key])}; allowed: a file of the same, or a new one"
                )
        for key in (*KEYS, "seconds"):
            self._document[key] = before[key]

    def has(self, cell: Cell) -> bool:
        """Whether the cell has been measured."""
        return any(_name(cell.kind, row) == cell.name for row in self._document[cell.kind])

    def add(self, cell: Cell, times: Sequence[float], seconds: float) -> dict[str, float]:
        """Keep the times of a cell (milliseconds) that took `seconds` to measure; its summary."""
        measured = summary(times)
        rows = self._document[cell.kind]
        rows.append({**cell.keys, **measured})
        rows.sort(key=lambda row: ORDER.get(_name(cell.kind, row), len(ORDER)))
        self._document["seconds"] = round(self._document["seconds"] + seconds, 4)
        write_text(self.path, text(self._document))
        return measured


def text(document: Mapping[str, Any]) -> str:
    """JSON with a line for each key and each cell."""
    lines = []
    for key, value in document.items():
        if value and isinstance(value, list):
            value = "[\n    " + ",\n    ".join(map(json.dumps, value)) + "\n  ]"
        else:
            value = json.dumps(value)
        lines.append(f"  {json.dumps(key)}: {value}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _name(kind: Kind, row: Mapping[str, float]) -> Name:
    return (kind, *(row[key] for key in KEYS[kind]))


def _read(path: Path) -> dict[str, Any]:
    """A file of measurements; an InputError if it is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        for kind, keys in KEYS.items():
            if any(row[key] != int(row[key]) for row in document[kind] for key in keys):
                raise ValueError(f"{kind}: {', '.join(keys)}: whole numbers expected")
        document["seconds"] += 0.0
    except (ValueError, TypeError, KeyError) as fault:
        raise InputError(
            f"{path}: no file of measurements ({fault!r}); allowed: one that this script wrote, "
            "or a new one"
        ) from None
    return document
