"""From one row per replication to one row per point, and to paired comparisons of points.

A point is a choice of all key columns ("scenario", "workload.clients", ...). Input rows are flat:
the keys, `replication`, `id` (the measure), `value`, and `label` and `unit` where there are any,
which are passed on. Output rows come in the order in which points and measures first occur.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

from anarchy.common.errors import InputError, suggest
from anarchy.measure.intervals import mean_interval, paired_difference, paired_ratio

Row = Mapping[str, Any]
Rows = list[dict[str, Any]]


def aggregate(rows: Iterable[Row], keys: Sequence[str], confidence: float = 0.95) -> Rows:
    """The mean and its interval per point and measure: keys, id, label, unit, value, lo, hi, n.

    `n` counts the replications that have a value. If one has none (null), the point's value is
    null too: a mean over the others would be one over a selected sample. A point with a single
    replication keeps that row's own value, lo, hi and n, so that an interval found within one run
    (a block bootstrap) survives. Raises ValueError if a replication occurs twice in a point.
    """
    result: Rows = []
    for (point, measure), group in _grouped(rows, [*keys]).items():
        head: dict[str, Any] = {**dict(zip(keys, point, strict=True)), "id": measure}
        first = next(iter(group.values()))
        values = [row["value"] for row in group.values()]
        known = [v for v in values if v is not None]
        if len(values) == 1:
            found = (values[0], first.get("lo"), first.get("hi"), first.get("n", len(known)))
        elif len(known) < len(values):
            found = (None, None, None, len(known))
        else:
            mean = mean_interval(known, confidence)
            found = (mean.value, mean.lo, mean.hi, mean.n)
        result.append(_row(head, first, found))
    return result


def compare(
    rows: Iterable[Row],
    keys: Sequence[str],
    field: str,
    baseline: Any,
    measures: Sequence[str],
    confidence: float = 0.95,
) -> Rows:
    """Each value of `field` against `baseline`, paired over replications, other keys equal.

    Columns: the keys without `field`, `alternative` and `baseline` (two values of `field`), id,
    label, unit, value (mean of alternative minus baseline), lo, hi, n, ratio (of the means),
    ratio_lo, ratio_hi, differs. `differs` is true only if the paired interval excludes 0; a pair
    without a value on one side makes all of them null and `differs` false.
    Raises InputError for a field, baseline or measure that does not occur, ValueError if two
    points do not have the same replications.
    """
    rows = list(rows)
    _check_occurs("field", field, keys)
    _check_occurs(f"baseline of '{field}'", baseline, [row[field] for row in rows])
    for measure in measures:
        _check_occurs("measure", measure, [row["id"] for row in rows])
    position = list(keys).index(field)
    groups = _grouped((row for row in rows if row["id"] in measures), keys)
    result: Rows = []
    for (point, measure), group in groups.items():
        if point[position] == baseline:
            continue
        other = (*point[:position], baseline, *point[position + 1 :])
        reference = groups.get((other, measure), {})
        if sorted(reference) != sorted(group):
            raise ValueError(f"{measure}: the replications of {point} and {other} are not pairs")
        head = {key: part for key, part in zip(keys, point, strict=True) if key != field}
        head |= {"alternative": point[position], "baseline": baseline, "id": measure}
        first = next(iter(group.values()))
        pairs = [(group[r]["value"], reference[r]["value"]) for r in sorted(group)]
        result.append(_compared(head, first, pairs, confidence))
    return result


def spread(
    rows: Iterable[Row], keys: Sequence[str], over: Sequence[str], measures: Sequence[str]
) -> Rows:
    """How much the means of points differ over the settings of the fields `over`.

    `rows` come from `aggregate`. Columns: the other keys, id, label, value (coefficient of
    variation of the points' means), least and most (the smallest and the largest mean), noise
    (half the mean width of the points' intervals over the mean: what intervals alone would
    explain), n (settings). Value and noise are null where a mean is missing or the overall mean
    is not positive. Raises InputError for a field or measure that does not occur.
    """
    rows = list(rows)
    for field in over:
        _check_occurs("field", field, keys)
    for measure in measures:
        _check_occurs("measure", measure, [row["id"] for row in rows])
    fixed = [key for key in keys if key not in over]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if row["id"] in measures:
            groups.setdefault((*(row[key] for key in fixed), row["id"]), []).append(row)
    result: Rows = []
    for point, group in groups.items():
        head: dict[str, Any] = dict(zip([*fixed, "id"], point, strict=True))
        head |= {key: group[0][key] for key in ("label", "unit") if key in group[0]}
        values = [row["value"] for row in group if row["value"] is not None]
        found: dict[str, Any] = {"value": None, "least": None, "most": None, "noise": None}
        if len(values) == len(group) and sum(values) > 0:
            mean = fmean(values)
            widths = [row["hi"] - row["lo"] for row in group if row["lo"] is not None]
            found = {
                "value": pstdev(values) / mean,
                "least": min(values),
                "most": max(values),
                "noise": fmean(widths) / 2 / mean if len(widths) == len(group) else None,
            }
        result.append(head | found | {"n": len(group)})
    return result


def _compared(
    head: dict[str, Any],
    first: Row,
    pairs: Sequence[tuple[float | None, float | None]],
    confidence: float,
) -> dict[str, Any]:
    """One row of a comparison from the pairs (value, value at the baseline)."""
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    if len(known) < len(pairs):
        row = _row(head, first, (None, None, None, len(known)))
        return row | {"ratio": None, "ratio_lo": None, "ratio_hi": None, "differs": False}
    ours, theirs = [a for a, _ in known], [b for _, b in known]
    difference = paired_difference(ours, theirs, confidence)
    ratio = paired_ratio(ours, theirs, confidence)
    row = _row(head, first, (difference.value, difference.lo, difference.hi, difference.n))
    return row | {
        "ratio": ratio.value if ratio else None,
        "ratio_lo": ratio.lo if ratio else None,
        "ratio_hi": ratio.hi if ratio else None,
        "differs": difference.excludes(0),
    }


def _grouped(
    rows: Iterable[Row], keys: Sequence[str]
) -> dict[tuple[tuple[Any, ...], str], dict[int, Row]]:
    """Rows by (point, measure), then by replication."""
    groups: dict[tuple[tuple[Any, ...], str], dict[int, Row]] = {}
    for row in rows:
        point = tuple(row[key] for key in keys)
        group = groups.setdefault((point, row["id"]), {})
        if row["replication"] in group:
            raise ValueError(f"{row['id']} of {point}: replication {row['replication']} twice")
        group[row["replication"]] = row
    return groups


def _row(head: dict[str, Any], first: Row, found: tuple[Any, Any, Any, int]) -> dict[str, Any]:
    value, lo, hi, n = found
    passed = {key: first[key] for key in ("label", "unit") if key in first}
    return {**head, **passed, "value": value, "lo": lo, "hi": hi, "n": n}


def _check_occurs(what: str, name: Any, allowed: Iterable[Any]) -> None:
    choices = list(dict.fromkeys(allowed))
    if name not in choices:
        hint = suggest(str(name), [str(choice) for choice in choices])
        raise InputError(f"compare: unknown {what} '{name}'; {hint}")
