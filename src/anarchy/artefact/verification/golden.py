"""Golden values: few rows that tell a build's results, committed, and held against later ones."""

import hashlib
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from anarchy.artefact.numbers import NoValue, Number, find_row
from anarchy.common.files import Row, read_rows

RELATIVE = 1e-9
"""How far a value may be off on the platform of the golden ones, as a part of it. The same seeds
give the same results there; they are kept to 12 digits."""

MOST_IDS = 40
"""Ids of a results file that have a row each; of more, as in a curve, all share one row."""

LEAST, MOST = 1e-9, 1e200
"""Below the one a number counts as nearly zero in a digest; beyond the other are infinities."""

REPLICATED = "same seeds: 1e-9 of it on the golden platform; its 95 % interval elsewhere"
FIXED = "no interval: 1e-9 of it everywhere"
WORD = "a word: the same everywhere"
ABSENT = "no value in this build: the same everywhere"
DIGEST = "same seeds: mean relative change of 1e-9 on the golden platform; not held elsewhere"
HASH = "names what may have moved a value; never judged"


def platform_name() -> str:
    """What decides the last digits: the operating system and the kind of processor."""
    return f"{platform.system()} {platform.machine()}"


def collect_golden(results: Path, declared: Iterable[Number], config: Path) -> list[dict[str, Any]]:
    """All golden rows of a build, sorted: `of` is platform, input, claim, number or rows.

    `results` is its results folder, `declared` the macros, `config` the folder of configuration.
    Every row has `of`, `file`, `id`, `value` and the `reason` for what it is allowed: an absolute
    `tolerance`, and an interval `lo` to `hi` where there is one.
    """
    files = {
        path.relative_to(results).as_posix(): read_rows(path)
        for path in sorted(results.rglob("*.json"))
        if path.relative_to(results).parts[0] not in {"machine", "points", "knees"}
    }
    rows: list[dict[str, Any]] = [
        {"of": "platform", "file": "", "id": "platform", "value": platform_name(), "reason": HASH}
    ]
    rows += [_input(path, config) for path in sorted(config.rglob("*")) if path.is_file()]
    for claim in files.get("claims.json", []):
        rows.append(_word("claim", "claims.json", claim["id"], claim["verdict"]))
    for number in declared:
        rows += _numbers(number, files.get(number.file, []))
    for file, found in files.items():
        rows += _digests(file, found)
    return rows


def _input(path: Path, config: Path) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    name = f"config/{path.relative_to(config).as_posix()}"
    return {"of": "input", "file": name, "id": "sha256", "value": digest, "reason": HASH}


def _word(of: str, file: str, name: str, value: object) -> dict[str, Any]:
    return {
        "of": of,
        "file": file,
        "id": name,
        "value": value,
        "reason": ABSENT if value is None else WORD,
    }


def _numbers(number: Number, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The value of one macro, or the two ends of its interval; null where the build has none."""
    try:
        row: Row = find_row(number, rows)
    except NoValue:
        row = {}
    if number.format.startswith("interval"):
        return [_number(number, f"{number.macro}:{end}", row.get(end), {}) for end in ("lo", "hi")]
    interval = row if number.field == "value" else {}
    return [_number(number, number.macro, row.get(number.field), interval)]


def _number(number: Number, name: str, value: object, row: Row) -> dict[str, Any]:
    found = _real(value)
    if found is None or not math.isfinite(found):
        return _word("number", number.file, name, value)
    entry = {"of": "number", "file": number.file, "id": name, "value": value}
    entry["tolerance"] = float(f"{RELATIVE * abs(found):.1g}")
    lo, hi = _real(row.get("lo")), _real(row.get("hi"))
    if lo is None or hi is None or not lo < hi:
        return {**entry, "reason": FIXED}
    return {**entry, "lo": lo, "hi": hi, "reason": REPLICATED}


def _digests(file: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One row an id of a results file, or one for all of them."""
    ids = {str(row.get("id")) for row in rows}
    if len(ids) > MOST_IDS:
        return [_digest(file, "all", rows, mean=False)]
    by_id = sorted(((str(row.get("id")), row) for row in rows), key=itemgetter(0))
    return [
        _digest(file, name, [row for _, row in group], mean=True)
        for name, group in groupby(by_id, key=itemgetter(0))
    ]


def _digest(file: str, name: str, rows: Sequence[Row], mean: bool) -> dict[str, Any]:
    """How many rows, the mean of their values if they have one unit, and a digest of all numbers.

    The digest is a mean of the logarithms of all numbers, weighted by their places: a number that
    changes by a small part of itself moves it by about that part of its share, however small the
    number is beside others, and two that change places move it too.
    """
    values = [v for row in rows if (v := _real(row.get("value"))) is not None and math.isfinite(v)]
    numbers = [n for row in rows for entry in row.values() if (n := _real(entry)) is not None]
    count = max(1, len(numbers))
    weighted = sum((1 + place / count) * _logarithm(n) for place, n in enumerate(numbers))
    return {
        "of": "rows",
        "file": file,
        "id": name,
        "value": sum(values) / len(values) if mean and values else None,
        "rows": len(rows),
        "digest": weighted / count,
        "tolerance": RELATIVE,
        "reason": DIGEST,
    }


def _logarithm(value: float) -> float:
    """Odd, smooth through zero, and beyond `LEAST` the logarithm."""
    return math.copysign(math.log1p(min(abs(value), MOST) / LEAST), value)


def _real(value: object) -> float | None:
    """A number, or an exact one written as text; nothing for words."""
    if isinstance(value, bool | int | float):
        return float(value)
    try:
        return float(Fraction(value)) if isinstance(value, str) else None
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


def key_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """What tells golden rows apart."""
    return row["of"], row["file"], row["id"]
