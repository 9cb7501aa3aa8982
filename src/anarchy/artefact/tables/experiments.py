"""The tables of an experiment: which rows and columns they have; how they look is `booktabs`."""

from collections.abc import Mapping, Sequence

from anarchy.artefact.display import (
    MISSING,
    Scale,
    labelled,
    number,
    scale_for,
    scaled,
    told_apart,
    with_interval,
    with_unit,
)
from anarchy.artefact.labels import axis_label, field_label, value_text
from anarchy.artefact.sweep_axes import by_point, point_fields, point_order, position, swept_values
from anarchy.artefact.tables.booktabs import Column, latex_table, wide_table
from anarchy.common.errors import InputError, suggest
from anarchy.common.files import Row
from anarchy.config.experiment import Experiment


def experiment_table(name: str, experiment: Experiment, rows: Sequence[Row]) -> str:
    """One row a point, the settings first, then each measure with its 95 % interval."""
    fields = point_fields(experiment)
    points = by_point(fields, rows)
    order = sorted(points, key=lambda point: point_order(experiment, fields, point))
    columns, texts = [], []
    for measure in experiment.table.measures:
        column = [points[point].get(measure) for point in order]
        present = [row for row in column if row is not None]
        if not present:
            known = {str(row["id"]) for row in rows}
            raise InputError(
                f"experiment {name}: table.measures: no row has '{measure}'; "
                f"{suggest(measure, known)}"
            )
        scale = scale_for(present[0].get("unit"), [row["value"] for row in present])
        columns.append(Column(labelled(str(present[0]["label"]), scale.unit), "r"))
        texts.append([_estimate(row, scale) for row in column])
    body: list[list[str]] = []
    for i, point in enumerate(order):
        if i and len(fields) > 1 and point[0] != order[i - 1][0]:
            body.append([])
        settings = [
            value_text(f, v, swept_values(experiment, f))
            for f, v in zip(fields, point, strict=True)
        ]
        body.append(settings + [column[i] for column in texts])
    return wide_table(
        _key_columns(experiment, fields, rows),
        columns,
        body,
        f"{experiment.title}: values with 95 % intervals",
        f"experiments:{name}",
    )


def knee_table(name: str, experiment: Experiment, knees: Sequence[Row]) -> str:
    """One row a scenario: the interval that holds the knee and the operational bound."""
    if experiment.knee is None:
        raise InputError(f"experiment {name}: has no `knee` to tabulate")
    fields = [k for k in (knees[0] if knees else {}) if k not in ("id", "value", "unit")]
    points = by_point(fields, knees)
    body = []
    for point in sorted(points, key=lambda point: point_order(experiment, fields, point)):
        values = {k: row["value"] for k, row in points[point].items()}
        bound = values.get("operational-bound")
        settings = [value_text(f, v) for f, v in zip(fields, point, strict=True)]
        body.append([*settings, knee_text(values), number(bound, 4)])
    symbol = field_label(experiment.knee.field).name
    columns = [
        *(Column(field_label(f).name) for f in fields),
        Column(f"knee in {symbol}", "r"),
        Column("operational bound N*", "r"),
    ]
    caption = (
        f"{experiment.title}: the grid interval in which the load first reaches "
        f"{number(100 * experiment.knee.busy)} % of capacity, and where the asymptotes cross"
    )
    return latex_table(columns, body, caption, f"knees:{name}")


def knee_text(values: Mapping[str, float | None]) -> str:
    """The half-open interval of a knee: "(96, 128]", or "> 512" when no load was enough."""
    lo, hi = values.get("knee-lo"), values.get("knee-hi")
    if hi is None or hi == float("inf"):
        return MISSING if lo is None else f"> {number(lo)}"
    return f"({number(lo or 0)}, {number(hi)}]"


def comparison_table(name: str, experiment: Experiment, rows: Sequence[Row]) -> str:
    """One row a paired difference: alternative minus baseline, ratio, and whether they differ."""
    if experiment.compare is None:
        raise InputError(f"experiment {name}: has no `compare` to tabulate")
    field = experiment.compare.field
    fields = [f for f in point_fields(experiment) if f != field]
    order = {measure: i for i, measure in enumerate(experiment.compare.measures)}
    swept = swept_values(experiment, field)
    body = []
    for row in sorted(
        rows,
        key=lambda r: (
            order.get(r["id"], len(order)),
            point_order(experiment, fields, tuple(r.get(f) for f in fields)),
            position(r["alternative"], swept),
        ),
    ):
        scale = scale_for(row.get("unit"), [row["value"], row["lo"], row["hi"]])
        body.append(
            [
                str(row["label"]),
                *(value_text(f, row.get(f), swept_values(experiment, f)) for f in fields),
                value_text(field, row["alternative"], swept),
                value_text(field, row["baseline"], swept),
                with_unit(_estimate(row, scale), scale.unit),
                number(row.get("ratio")),
                "yes" if row["differs"] else "no",
            ]
        )
    called = field_label(field).name
    columns = [
        Column("measure"),
        *_key_columns(experiment, fields, rows),
        Column(called),
        Column("against"),
        Column("difference", "r"),
        Column("ratio", "r"),
        Column("differs"),
    ]
    caption = (
        f"{experiment.title}: paired differences with 95 % intervals; they differ where the "
        "interval leaves out zero"
    )
    return latex_table(columns, body, caption, f"compare:{name}")


def spread_table(name: str, experiment: Experiment, rows: Sequence[Row]) -> str:
    """One row a measure and setting held fixed: how far the means of the other settings differ."""
    if experiment.spread is None:
        raise InputError(f"experiment {name}: has no `spread` to tabulate")
    fields = [f for f in point_fields(experiment) if f not in experiment.spread.over]
    measures = experiment.spread.measures
    # One unit a measure, whatever the load: a column of s and ms cannot be compared.
    scales = {
        row["id"]: scale_for(
            row.get("unit"),
            [r[end] for r in rows if r["id"] == row["id"] for end in ("least", "most")],
        )
        for row in rows
    }
    body = []
    for row in sorted(
        rows,
        key=lambda r: (
            position(r["id"], measures),
            point_order(experiment, fields, tuple(r[f] for f in fields)),
        ),
    ):
        scale = scales[row["id"]]
        body.append(
            [
                labelled(str(row["label"]), scale.unit),
                *(value_text(f, row[f], swept_values(experiment, f)) for f in fields),
                *told_apart(row["least"], row["most"], scale.factor),
                scaled(row["value"], 100, 3),
                scaled(row["noise"], 100, 3),
            ]
        )
    over = " and ".join(field_label(f).name for f in experiment.spread.over)
    columns = [
        Column("measure"),
        *_key_columns(experiment, fields, rows),
        Column("least mean", "r"),
        Column("largest mean", "r"),
        Column("variation (%)", "r"),
        Column("noise (%)", "r"),
    ]
    caption = (
        f"{experiment.title}: means over all settings of {over}. Variation is their standard "
        "deviation over their mean; noise is half the mean width of their 95 % intervals, relative "
        "to the same mean"
    )
    return latex_table(columns, body, caption, f"spread:{name}")


def _key_columns(
    experiment: Experiment, fields: Sequence[str], rows: Sequence[Row]
) -> list[Column]:
    def numeric(field: str) -> bool:
        values = swept_values(experiment, field)
        return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)

    return [
        Column(
            axis_label(f, swept_values(experiment, f)),
            "r" if f != "scenario" and numeric(f) else "l",
        )
        for f in fields
    ]


def _estimate(row: Row | None, scale: Scale) -> str:
    if row is None:
        return MISSING
    return with_interval(row["value"], row.get("lo"), row.get("hi"), scale.factor)
