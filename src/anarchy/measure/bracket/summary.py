"""The brackets of an experiment's points: least and most loss with their intervals, in one row."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anarchy.measure.bracket.criteria import CRITERIA, LIMITS, loss_name


def summary_rows(
    experiment: str, keys: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Rows {id, experiment, keys, measure, least, most, lo, hi, n}, a point and criterion each.

    `rows` are an experiment's measures with intervals over `n` replications. The loss lies between
    `least` and `most` in the mean, and [`lo`, `hi`] has their intervals too, but for what is below
    1: nothing is lost less than not at all. Without an interval it ends at the values.
    What an experiment does not measure is left out.
    """
    found: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), {})[row["id"]] = row
    result = []
    for point, measures in found.items():
        for criterion in CRITERIA:
            limits = [measures.get(loss_name(limit, criterion)) for limit in LIMITS]
            if any(limit is None or limit["value"] is None for limit in limits):
                continue
            least, most = (dict(limit or {}) for limit in limits)
            head = {"id": ":".join(map(str, [experiment, *point, criterion.name]))}
            head |= {"experiment": experiment, **dict(zip(keys, point, strict=True))}
            result.append(
                head
                | {"measure": criterion.name, "least": least["value"], "most": most["value"]}
                | {"lo": max(1.0, _or_value(least, "lo")), "hi": _or_value(most, "hi")}
                | {"n": least["n"]}
            )
    return result


def extreme_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Over the points of each experiment, by measure: the widest bracket and the largest loss.

    `rows` are those of `summary_rows`; the width is `hi` over `lo`, less 1, and `n` counts points.
    """
    result = []
    for (experiment, measure), group in _by_measure(rows).items():
        head = {"experiment": experiment, "measure": measure, "unit": "1", "n": len(group)}
        width = max(row["hi"] / row["lo"] - 1 for row in group)
        result.append({"id": "width", **head, "value": width})
        result.append({"id": "most", **head, "value": max(row["hi"] for row in group)})
        result.append({"id": "least", **head, "value": max(row["lo"] for row in group)})
    return result


FACTORS = {"tenth": 1.1, "double": 2.0, "fivefold": 5.0}
"""Losses whose points are counted."""

NOTHING = 1.05
"""A loss that is certainly less than this is none to speak of."""


def largest_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """By experiment and measure: where most is certain to be lost, and how many points lose much.

    `rows` are those of `summary_rows`. A row has the point of the largest `lo`, all of its columns
    and its `id` as `point`; the number of points `points`, of those that lose at least each factor
    of `FACTORS` for certain, and `nothing`: those that certainly lose less than `NOTHING`.
    """
    result = []
    for (experiment, measure), group in _by_measure(rows).items():
        largest = max(group, key=lambda row: row["lo"])
        counts = {
            name: sum(row["lo"] >= factor for row in group) for name, factor in FACTORS.items()
        }
        counts |= {"nothing": sum(row["hi"] < NOTHING for row in group), "points": len(group)}
        head = {"id": f"{experiment}:{measure}", "point": largest["id"]}
        result.append({**largest, **head, **counts})
    return result


def _by_measure(
    rows: Iterable[Mapping[str, Any]],
) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["experiment"], row["measure"]), []).append(row)
    return groups


def _or_value(row: Mapping[str, Any], limit: str) -> Any:
    return row["value"] if row.get(limit) is None else row[limit]
