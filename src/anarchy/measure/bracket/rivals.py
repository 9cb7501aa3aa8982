"""Losses over the best schedule of several deployments that compete, such as splits of one fleet.

A bracket compares a run with schedules of its own deployment. Where the same clients could have
been served by another one, its schedules and its bounds count too: the best of all schedules found
still bounds the loss from below, and the most favourable of all bounds from above, since each bound
holds for every schedule of its deployment.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anarchy.measure.bracket.criteria import CRITERIA, LIMITS, OPTIMA, loss_name, optimum_name

Row = Mapping[str, Any]

PAIRS = {
    loss_name(limit, criterion): (optimum_name(end, criterion), criterion)
    for limit, end in zip(LIMITS, OPTIMA, strict=True)
    for criterion in CRITERIA
}
"""For each measure of a loss the one of what it is compared with, and the criterion of both."""


def compared_with(measures: Iterable[str]) -> list[str]:
    """What the losses among the measures are compared with."""
    return [PAIRS[name][0] for name in measures if name in PAIRS]


def among_rivals(rows: Iterable[Row], keys: Sequence[str], axis: str) -> list[dict[str, Any]]:
    """The rows of `measure_point`, losses being those over the best of all values of `axis`.

    Points that agree in the other `keys` compete, each replication by itself. Whatever `PAIRS` has
    for a loss must be among the rows.
    """
    others = [key for key in keys if key != axis] + ["replication"]
    changed = [dict(row) for row in rows]
    groups: dict[tuple[Any, ...], dict[str, list[dict[str, Any]]]] = {}
    for row in changed:
        measures = groups.setdefault(tuple(row[key] for key in others), {})
        measures.setdefault(row["id"], []).append(row)
    for measures in groups.values():
        for loss in PAIRS.keys() & measures.keys():
            optimum, criterion = PAIRS[loss]
            ends = {row[axis]: row["value"] for row in measures[optimum]}
            best = (min if criterion.is_cost else max)(ends.values())
            for row in measures[loss]:
                row["value"] *= criterion.loss(ends[row[axis]], best)
    return changed
