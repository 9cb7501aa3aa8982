"""The points of an experiment: which fields tell them apart, and in which order they come."""

from collections.abc import Sequence
from typing import Any

from anarchy.common.files import Row
from anarchy.config.experiment import PHASE, Experiment


def point_fields(experiment: Experiment) -> list[str]:
    """The columns that tell points apart: the sweep; scenarios and phases if there are several."""
    one_scenario = len(experiment.scenarios) == 1 and experiment.axes
    left_out = ["scenario"] if one_scenario else []
    left_out += [PHASE] if len(experiment.phases) == 1 else []
    return [key for key in experiment.keys if key not in left_out]


def swept_values(experiment: Experiment, field: str) -> Sequence[Any]:
    """The values of a field in the order of the experiment's file; none when it is not swept."""
    values: dict[str, Sequence[Any]] = {
        "scenario": experiment.scenarios,
        PHASE: experiment.phases,
        **experiment.axes,
    }
    return values.get(field, [])


def point_order(experiment: Experiment, fields: Sequence[str], point: Sequence[Any]) -> list[int]:
    """Sort key that keeps the order of the experiment's file."""
    return [position(v, swept_values(experiment, f)) for f, v in zip(fields, point, strict=True)]


def position(value: Any, values: Sequence[Any]) -> int:
    """Index of `value`; one that is not there comes last."""
    return next((i for i, v in enumerate(values) if v == value), len(values))


def by_point(fields: Sequence[str], rows: Sequence[Row]) -> dict[tuple[Any, ...], dict[str, Row]]:
    """Rows by the values of `fields`, then by measure id."""
    points: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        points.setdefault(tuple(row[f] for f in fields), {})[str(row["id"])] = row
    return points
