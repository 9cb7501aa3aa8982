"""Checks as rows, and the verdict over many of them.

**The rule, fixed before any result.** A row with an interval compares a simulated quantity with a
known one by a two-sided t test; its 95 % interval misses a true value one time in twenty, so some
intervals of a long suite miss by chance. All tests of the suite are therefore judged together by
Holm's procedure at `LEVEL`: the probability that it rejects anything at all, where simulator and
theory agree, is at most `LEVEL`, however the tests depend on each other. A row holds unless Holm
rejects it. Whether its own interval covers, and whether that is as narrow as wanted, is stated
beside. A run too short for its interval to be trusted is shown and not judged; how short that is
was settled in trial runs, not beforehand. Rows without randomness hold if the value lies within a
stated tolerance.

Source: Holm (1979).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from anarchy.measure.intervals import Interval

Row = dict[str, Any]

LEVEL = 0.05
"""Probability of any false rejection in the whole suite."""

CONFIDENCE = 0.95
"""Level of each printed interval."""


def interval_check(
    name: str,
    group: str,
    system: str,
    quantity: str,
    expected: float,
    found: Interval,
    p_value: float,
    limit: float,
    load: float | None = None,
    judged: bool = True,
) -> Row:
    """A simulated quantity with its interval beside the closed form.

    `limit` is the wanted half-width relative to `expected`. A row that is not `judged` is shown
    and holds neither way.
    """
    width = None
    if found.lo is not None and found.hi is not None:
        width = (found.hi - found.lo) / 2 / abs(expected)
    return {
        "id": name,
        "group": group,
        "system": system,
        "load": load,
        "quantity": quantity,
        "expected": expected,
        "value": None if math.isnan(found.value) else found.value,
        "lo": found.lo,
        "hi": found.hi,
        "n": found.n,
        "half_width": width,
        "limit": limit,
        "precise": width is not None and width <= limit,
        "covers": width is not None and not found.excludes(expected),
        "p": p_value if judged else None,
        "holds": None,
        "unit": "1",
    }


def input_check(name: str, group: str, system: str, quantity: str, p_value: float, n: int) -> Row:
    """A hypothesis about what a run is fed with, by the p-value of its test."""
    row = _plain(name, group, system, quantity, None, None, n)
    return row | {"p": p_value}


def exact_check(
    name: str,
    group: str,
    system: str,
    quantity: str,
    expected: float,
    value: float | None,
    tolerance: float = 0.0,
    load: float | None = None,
) -> Row:
    """A value that must lie within `tolerance`, relative to `expected`."""
    row = _plain(
        name, group, system, quantity, expected, value if value is None else float(value), 1
    )
    holds = value is not None and abs(value - expected) <= tolerance * abs(expected)
    return row | {"limit": tolerance, "load": load, "holds": holds}


def _plain(
    name: str,
    group: str,
    system: str,
    quantity: str,
    expected: float | None,
    value: float | None,
    n: int,
) -> Row:
    nothing = dict.fromkeys(("lo", "hi", "half_width", "limit", "precise", "covers", "p", "holds"))
    return {
        "id": name,
        "group": group,
        "system": system,
        "load": None,
        "quantity": quantity,
        "expected": expected,
        "value": value,
        "n": n,
        "unit": "1",
        **nothing,
    }


def holm(p_values: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Which hypotheses are rejected: the k-th smallest of n p-values is held against level/(n-k+1).

    Stops at the first that passes.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected = [False] * len(p_values)
    for position, i in enumerate(order):
        if p_values[i] > level / (len(p_values) - position):
            break
        rejected[i] = True
    return rejected


def judge(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The rows with their verdicts, and what they come to.

    Summary rows count `value` of `n`: `checks` that hold, judged `intervals` that cover, intervals
    as `precise` as wanted, `tests` that Holm rejects. `error-<group>` is the largest relative
    error of the group's checks that have a tolerance.
    """
    judged = [dict(row) for row in rows]
    tested = [row for row in judged if row["p"] is not None]
    for row, rejected in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["holds"] = not rejected
    decided = [row for row in judged if row["holds"] is not None]
    covering = [row["covers"] for row in tested if row["covers"] is not None]
    precise = [row["precise"] for row in judged if row["precise"] is not None]
    errors: dict[str, float] = {}
    for row in judged:
        if row["p"] is None and row["limit"] and row["holds"] is not None:
            error = math.inf if row["value"] is None else abs(row["value"] / row["expected"] - 1)
            errors[row["group"]] = max(error, errors.get(row["group"], 0.0))
    return [
        *judged,
        _summary("checks", "checks that hold", sum(row["holds"] for row in decided), len(decided)),
        _summary("intervals", "intervals that cover", sum(covering), len(covering)),
        _summary("precise", "intervals as narrow as wanted", sum(precise), len(precise)),
        _summary("tests", "tests rejected", sum(not row["holds"] for row in tested), len(tested)),
        *(
            _plain(f"summary-error-{group}", "summary", "all", "largest error", None, error, 1)
            for group, error in errors.items()
        ),
    ]


def _summary(name: str, quantity: str, value: int, n: int) -> Row:
    return _plain(f"summary-{name}", "summary", "all", quantity, None, float(value), n)
