"""Reading and writing the files of config/latency."""

import json
import re
from pathlib import Path
from typing import Any

from anarchy.common.errors import InputError, suggest
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml
from anarchy.serving.service_times.roofline import ScaledTable, scale
from anarchy.serving.service_times.table import LatencyTable


def latency_sources(folder: Path, name: str) -> list[Path]:
    """The files that the times of `name` come from: its own and the one that it scales."""
    path = folder / f"{name}.json"
    base = _read(path, name).get("scaled_from")
    return [path] if base is None else [path, folder / f"{base}.json"]


def load_table(folder: Path, name: str) -> LatencyTable:
    """Read `<folder>/<name>.json`, scaled from another table where the file says so.

    Raises InputError, naming the file and the key, for an unknown name or an unusable table.
    """
    path = folder / f"{name}.json"
    data = _read(path, name)
    if "scaled_from" not in data:
        return validate(LatencyTable, data, str(path))
    scaled = validate(ScaledTable, data, str(path))
    base_path = folder / f"{scaled.scaled_from}.json"
    if not base_path.is_file():
        hint = suggest(scaled.scaled_from, _tables(folder))
        raise InputError(f"{path}: scaled_from: no table '{scaled.scaled_from}'; {hint}")
    base_data = _read(base_path, scaled.scaled_from)
    if "scaled_from" in base_data:
        raise InputError(f"{path}: scaled_from: '{scaled.scaled_from}' is itself scaled")
    base = validate(LatencyTable, base_data, str(base_path))
    return validate(LatencyTable, scale(base, scaled), str(path))


def table_text(table: LatencyTable) -> str:
    """The file of a table: JSON with one line per list of numbers."""
    indented = json.dumps(table.model_dump(exclude_defaults=True), indent=2)
    lists = re.compile(r"\[[\s\d.,e-]+\]")
    return lists.sub(lambda match: "[" + " ".join(match[0][1:-1].split()) + "]", indented) + "\n"


def _tables(folder: Path) -> list[str]:
    return [path.stem for path in folder.glob("*.json")]


def _read(path: Path, name: str) -> dict[str, Any]:
    if not path.is_file():
        known = _tables(path.parent)
        raise InputError(f"{path}: unknown latency table '{name}'; {suggest(name, known)}")
    return read_yaml(path)  # YAML includes JSON
