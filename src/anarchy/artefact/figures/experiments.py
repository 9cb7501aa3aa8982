"""The figures of experiments: what is drawn where; how a panel looks is `panels`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from anarchy.artefact.display import Scale, labelled, scale_for
from anarchy.artefact.figures.layout import legend_below, turn_crowded_names
from anarchy.artefact.figures.panels import (
    LOSS_NORM,
    Series,
    draw_bars,
    draw_colour_bar,
    draw_curve,
    draw_heatmap,
    draw_knees,
    draw_lines,
    draw_prediction,
    frame_cell,
    label_lines,
    norm_for,
)
from anarchy.artefact.figures.style import WIDTH, saved_figure
from anarchy.artefact.labels import axis_label, setting_text, value_text
from anarchy.artefact.sweep_axes import by_point, point_fields, point_order, swept_values
from anarchy.common.errors import InputError, suggest
from anarchy.common.files import Row
from anarchy.config.experiment import Experiment
from anarchy.config.experiment import Figure as FigureSettings
from anarchy.measure.bracket.criteria import LOSSES

# Up to this many lines with labels of up to so many characters are labelled at their ends; others
# get a legend.
DIRECT, DIRECT_LENGTH = 6, 18
PAIRED_NOTE = "intervals are each setting's own: compare by the paired differences"


def plot_experiment(
    name: str, experiment: Experiment, rows: Sequence[Row], knees: Sequence[Row], out_base: Path
) -> None:
    """Draw the figure that the experiment's file asks for as `out_base`.pdf and .png.

    `rows` are its results, `knees` its knees or nothing. Whatever is swept and has no place in the
    figure becomes a line of its own, so every experiment can be drawn. Raises InputError when the
    figure names a measure or a field that the experiment does not have.
    """
    fields = experiment.keys
    for key in ("x", "series", "rows", "panels"):
        field = getattr(experiment.figure, key)
        if field is not None and field not in fields:
            raise InputError(f"experiment {name}: figure.{key}: {suggest(field, fields)}")
    known = {str(row["id"]) for row in rows}
    for measure in experiment.figure.y:
        if measure not in known:
            raise InputError(f"experiment {name}: figure.y: {suggest(measure, known)}")
    if experiment.figure.kind == "heatmap":
        _plot_heatmap(experiment, rows, out_base)
    else:
        _plot_panels(experiment, rows, knees, out_base)


def _plot_panels(
    experiment: Experiment, rows: Sequence[Row], knees: Sequence[Row], out_base: Path
) -> None:
    """One panel a measure, two lines or three bar charts beside each other."""
    wanted = experiment.figure
    x_values = swept_values(experiment, wanted.x)
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in x_values)
    as_bars = wanted.kind == "bar"
    columns = min(len(wanted.y), 3 if as_bars else 2)
    down = math.ceil(len(wanted.y) / columns)
    height = 2.6 if columns == 1 else 2.1 * down
    with saved_figure(out_base, WIDTH * (0.72 if columns == 1 else 1.0), height + 0.2) as figure:
        shared: list[Series] = []
        panels: list[tuple[Axes, list[Series], Scale]] = []
        for i, measure in enumerate(wanted.y):
            axes = figure.add_subplot(down, columns, i + 1)
            chosen = [row for row in rows if row["id"] == measure]
            positions = None if numeric and not as_bars else x_values
            shared = series_of(experiment, chosen, positions)
            scale = scale_for(chosen[0].get("unit"), [row["value"] for row in chosen])
            names = [value_text(wanted.x, v, x_values) for v in x_values]
            if as_bars:
                draw_bars(axes, names, shared, scale, wanted.log_y)
            else:
                draw_lines(axes, shared, scale, wanted.log_x and numeric, wanted.log_y)
                draw_prediction(axes, wanted.curve, scale)
                if not numeric:
                    axes.set_xticks(range(len(names)), names)
            axes.set_title(labelled(str(chosen[0]["label"]), scale.unit))
            axes.set_xlabel(axis_label(wanted.x, x_values))
            panels.append((axes, shared, scale))
        marks = []
        if experiment.knee and knees and wanted.x == experiment.knee.field and not as_bars:
            for axes, lines, _ in panels:
                draw_knees(axes, _knees_of(lines, knees))
            marks = _knee_legend()
        if as_bars or not numeric:
            turn_crowded_names(figure)
        # Intervals of single settings say little about differences over the same requests.
        note = PAIRED_NOTE if experiment.compare else ""
        _name_series(figure, panels, as_bars, marks, note)


def _name_series(
    figure: Figure,
    panels: Sequence[tuple[Axes, list[Series], Scale]],
    as_bars: bool,
    marks: Sequence[Line2D | Patch],
    note: str,
) -> None:
    """Label lines at their ends; bars, and lines too many or too long-named, in a legend below."""
    series = panels[0][1]
    direct = len(series) <= DIRECT and all(len(s.label) <= DIRECT_LENGTH for s in series)
    handles: list[Artist] = list(marks)
    if len(series) > 1:
        if as_bars:
            handles = [*panels[0][0].get_legend_handles_labels()[0], *marks]
        elif not direct:
            lines = panels[0][0].get_lines()[: len(series)]
            for line, named in zip(lines, series, strict=True):
                line.set_label(named.label)
            handles = [*lines, *marks]
    if handles:
        legend_below(figure, handles, note)
    elif note:
        figure.supxlabel(note, fontsize=6.5)
    if len(series) > 1 and not as_bars and direct:
        figure.draw_without_rendering()
        for axes, lines_of_panel, scale in panels:
            label_lines(axes, lines_of_panel, scale)


def _plot_heatmap(experiment: Experiment, rows: Sequence[Row], out_base: Path) -> None:
    """A row of panels for each measure: `rows` against x, one panel a value of `panels`."""
    wanted = experiment.figure
    assert wanted.rows is not None  # a heatmap without rows is no valid experiment
    x_values, y_values = (swept_values(experiment, f) for f in (wanted.x, wanted.rows))
    # Whatever else is swept tells panels apart too, the asked-for field first.
    others = [f for f in point_fields(experiment) if f not in (wanted.x, wanted.rows)]
    others.sort(key=lambda f: f != wanted.panels)
    keys = sorted(
        {tuple(row[f] for f in others) for row in rows},
        key=lambda key: point_order(experiment, others, key),
    )
    across = min(len(keys), 3)
    down = math.ceil(len(keys) / across)
    with saved_figure(out_base, WIDTH, 2.3 * down * len(wanted.y)) as figure:
        groups = figure.subfigures(len(wanted.y), 1, squeeze=False)[:, 0]
        for group, measure in zip(groups, wanted.y, strict=True):
            chosen = [row for row in rows if row["id"] == measure]
            values = [row["value"] for row in chosen]
            scale = scale_for(chosen[0].get("unit"), values)
            fixed = LOSS_NORM if measure in LOSSES else None
            norm = fixed or norm_for(values, scale, wanted.log_y)
            points = by_point([*others, wanted.rows, wanted.x], chosen)
            all_axes = group.subplots(down, across, squeeze=False).flatten()
            for axes in all_axes[len(keys) :]:
                axes.remove()
            for i, (axes, key) in enumerate(zip(all_axes, keys, strict=False)):
                grid = [
                    [_estimate(points.get((*key, v, u)), measure) for u in x_values]
                    for v in y_values
                ]
                note = draw_heatmap(axes, grid, scale, norm)
                here = dict(zip(others, key, strict=True))
                if wanted.curve and wanted.curve_in.items() <= here.items():
                    draw_curve(axes, wanted.curve, x_values, y_values)
                for j, v in enumerate(y_values):
                    for k, u in enumerate(x_values):
                        if _is_published(wanted, here | {wanted.rows: v, wanted.x: u}):
                            frame_cell(axes, k, j)
                _grid_ticks(axes, wanted.x, x_values, wanted.rows, y_values, i % across == 0)
                settings = zip(others, key, strict=True)
                setting = ", ".join(
                    setting_text(f, v, swept_values(experiment, f)) for f, v in settings
                )
                axes.set_title("\n".join(filter(None, [setting, note])))
            label = labelled(str(chosen[0]["label"]), scale.unit)
            draw_colour_bar(group, list(all_axes[: len(keys)]), norm, label)
        turn_crowded_names(figure)


def _is_published(wanted: FigureSettings, point: Mapping[str, Any]) -> bool:
    return bool(wanted.published) and wanted.published.items() <= point.items()


def _grid_ticks(
    axes: Axes,
    x: str,
    x_values: Sequence[Any],
    y: str,
    y_values: Sequence[Any],
    name_rows: bool,
) -> None:
    """Ticks and names of both fields of a grid; only the first panel of a row names its rows."""
    axes.set_xticks(range(len(x_values)), [value_text(x, v, x_values) for v in x_values])
    axes.set_xlabel(axis_label(x, x_values))
    axes.set_yticks(range(len(y_values)), [value_text(y, v, y_values) for v in y_values])
    if not all(isinstance(value, int | float) for value in y_values):
        axes.invert_yaxis()  # names are read from the top, as the file lists them
    if name_rows:
        axes.set_ylabel(axis_label(y, y_values))


def _estimate(
    found: dict[str, Row] | None, measure: str
) -> tuple[float | None, float | None, float | None]:
    row = (found or {}).get(measure)
    return (row["value"], row.get("lo"), row.get("hi")) if row else (None, None, None)


def series_of(
    experiment: Experiment, rows: Sequence[Row], positions: Sequence[Any] | None = None
) -> list[Series]:
    """The lines of one measure; with `positions`, x is the place of its value among them."""
    x = experiment.figure.x
    fields = [f for f in point_fields(experiment) if f != x]
    fields.sort(key=lambda f: f != experiment.figure.series)
    swept = by_point([*fields, x], rows)
    keys = sorted(
        {point[:-1] for point in swept}, key=lambda key: point_order(experiment, fields, key)
    )
    series = []
    for key in keys:
        points = []
        for point, measures in swept.items():
            if point[:-1] == key:
                row = next(iter(measures.values()))
                at = point[-1] if positions is None else list(positions).index(point[-1])
                points.append((at, row["value"], row.get("lo"), row.get("hi")))
        points.sort(key=lambda point: point[0])
        label = ", ".join(
            setting_text(f, v, swept_values(experiment, f))
            for f, v in zip(fields, key, strict=True)
        )
        series.append(Series(label, dict(zip(fields, key, strict=True)), points))
    return series


def _knees_of(
    series: Sequence[Series], knees: Sequence[Row]
) -> list[tuple[int, float, float, float | None]]:
    """For every line with a knee: its number, the interval and the operational bound."""
    found = []
    for i, line in enumerate(series):
        values = {
            str(row["id"]): row["value"]
            for row in knees
            if all(row[k] == v for k, v in line.key.items() if k in row)
        }
        lo, hi = values.get("knee-lo"), values.get("knee-hi")
        if lo is not None or hi is not None:
            ends = (0.0 if lo is None else lo, math.inf if hi is None else hi)
            found.append((i, *ends, values.get("operational-bound")))
    return found


def _knee_legend() -> list[Line2D | Patch]:
    return [
        Patch(color="#555555", alpha=0.2, linewidth=0, label="knee: first saturated grid step"),
        Line2D(
            [],
            [],
            marker="|",
            markersize=7,
            markeredgewidth=1.8,
            color="#555555",
            linestyle="none",
            label="operational bound N* of the line of that colour",
        ),
    ]
