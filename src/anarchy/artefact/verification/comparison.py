"""A build's golden rows against the committed ones: what is equal, and what moved."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from anarchy.artefact.verification.checks import Check, check, skipped
from anarchy.artefact.verification.golden import key_of

GROUPS = {"number": "numbers", "rows": "results", "claim": "claims"}
"""What the checks of golden rows are called, by the rows' `of`; other rows are not judged."""

ELSEWHERE = "another platform than that of the golden values, and no interval to hold it against"

GoldenRow = Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """The checks; the golden rows that moved, with what they are now; and the changed inputs."""

    checks: list[Check]
    moved: list[tuple[GoldenRow, GoldenRow]]
    inputs: list[str]


def compare(
    golden: Iterable[GoldenRow],
    found: Iterable[GoldenRow],
    unchecked: Callable[[GoldenRow], str],
) -> Comparison:
    """Hold what a build has against what is committed.

    `unchecked` says why a row cannot be checked in this build, or nothing. An interval counts only
    on another platform than that of the golden rows: there a run may go its own way.
    """
    wanted, present = {key_of(r): r for r in golden}, {key_of(r): r for r in found}
    platform = ("platform", "", "platform")
    here = wanted.get(platform, {}).get("value") == present.get(platform, {}).get("value")
    checks, moved, inputs = [], [], []
    for key in sorted({*wanted, *present}):
        before, now = wanted.get(key), present.get(key)
        row = before or now or {}
        if key[0] == "input":
            if _value(before) != _value(now):
                inputs.append(key[1])
            continue
        if key[0] not in GROUPS:
            continue
        made = _check(GROUPS[key[0]], _name(row), before, now, here, unchecked(row))
        checks.append(made)
        if made.verdict == "fails":
            moved.append((before or {}, now or {}))
    return Comparison(checks, moved, inputs)


def _check(
    group: str, name: str, before: GoldenRow | None, now: GoldenRow | None, here: bool, why: str
) -> Check:
    if why:
        return skipped(group, name, why)
    if before is None:
        return check(group, name, "is not among the golden values: write them anew", _value(now))
    if now is None:
        return check(group, name, "is not in this build", None, _value(before))
    if _equal(before, now) or (not here and _inside(before, now)):
        return check(group, name, "", _value(now), _value(before))
    if not here and before["of"] == "rows":
        return skipped(group, name, ELSEWHERE)
    return check(group, name, difference(before, now), _value(now), _value(before))


def _equal(before: GoldenRow, now: GoldenRow) -> bool:
    """Within the tolerance, which a word does not have."""
    if before["of"] == "rows":
        return before["rows"] == now["rows"] and _near(before, now, "digest")
    return before["value"] == now["value"] or _near(before, now, "value")


def _near(before: GoldenRow, now: GoldenRow, field: str) -> bool:
    numbers = before[field], now[field]
    if "tolerance" not in before or not all(isinstance(n, int | float) for n in numbers):
        return False
    return bool(abs(numbers[0] - numbers[1]) <= before["tolerance"])


def _inside(before: GoldenRow, now: GoldenRow) -> bool:
    value = now["value"]
    if "lo" not in before or not isinstance(value, int | float):
        return False
    return bool(before["lo"] <= value <= before["hi"])


def difference(before: GoldenRow, now: GoldenRow) -> str:
    """What moved from what to what."""
    if not before or not now:
        return "is new" if now else "is gone"
    if before["of"] != "rows":
        return f"{shown(before['value'])} -> {shown(now['value'])}"
    if before["rows"] != now["rows"]:
        return f"{before['rows']} -> {now['rows']} rows"
    means = shown(before["value"]), shown(now["value"])
    if before["value"] is None or means[0] == means[1]:
        return f"single values of its {before['rows']} rows moved"
    return f"mean of {before['rows']} rows {means[0]} -> {means[1]}"


def shown(value: object) -> str:
    """A value as a line shows it: six digits of a number, a dash for none."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else str(value)
    return str(value)


def _name(row: GoldenRow) -> str:
    return f"{row['file']} {row['id']}" if row["of"] == "rows" else str(row["id"])


def _value(row: GoldenRow | None) -> Any:
    return None if row is None else row["value"]
