"""The figure of the models on measured hardware: two models, one ratio, one knee."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.artefact.labels import scenario_name
from anarchy.common.files import Row
from anarchy.config.silicon import Silicon, Times

SERIAL = 1
"""The figure has prefill steps of one prompt; the table has the others, too."""

APART = 0.16
"""Between the lines of the two models, in rows."""

INSIDE = "#009E73"

_POINT, _RING = 4.0, 7.0


def plot_silicon(silicon: Silicon, rows: Sequence[Row], out_base: Path) -> None:
    """A row for each table of service times; a point a model, or a line over its all-reduces.

    To the left prefill over decode step, to the right N*, with the published interval shaded:
    filled with prefix caching, hollow without.
    """
    with saved_figure(out_base, WIDTH, 0.75 + 0.42 * len(silicon.tables)) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        right.axvspan(silicon.grid[-2], silicon.grid[-1], color=INSIDE, alpha=0.18, linewidth=0)
        for model, scenario in enumerate(silicon.scenarios):
            for place, table in enumerate(silicon.tables):
                chosen = [
                    row
                    for row in rows
                    if row["scenario"] == scenario
                    and row["batch"] == SERIAL
                    and (row["gpu"], row["times"]) == (table.gpu, table.times)
                ]
                at = place + (model - 0.5) * 2 * APART
                _mark(left, _values(chosen, "ratio", silicon.caching[0]), at, model, True)
                for caching in silicon.caching:
                    values = _values(chosen, "operational-bound", caching)
                    _mark(right, values, at, model, caching)
        left.set_yticks(range(len(silicon.tables)), [_name(table) for table in silicon.tables])
        left.invert_yaxis()
        left.set_xlim(left=1.0)
        left.set_xlabel("prefill of one prompt / decode step")
        right.set_xlabel("clients at which prefill saturates, N*")
        for axes in (left, right):
            axes.tick_params(axis="y", length=0)
            axes.grid(visible=False, axis="y")
        figure.legend(handles=_legend(silicon), loc="outside upper center", ncols=5)


def _values(rows: Sequence[Row], name: str, caching: bool) -> list[float]:
    return [row["value"] for row in rows if row["id"] == name and row["caching"] == caching]


def _name(table: Times) -> str:
    whose = "measured" if table.times == "measured" else "estimated"
    return f"{table.gpu}\n{whose}"


def _mark(axes: Axes, values: Sequence[float], at: float, model: int, filled: bool) -> None:
    """A line from the least to the largest value and a point at the middle one."""
    shade = colour(model)
    axes.plot([min(values), max(values)], [at, at], color=shade, linewidth=1.6, zorder=2)
    middle = sorted(values)[len(values) // 2]
    axes.add_line(_dot([middle], [at], shade, filled))


def _dot(
    x: Sequence[float], y: Sequence[float], shade: str, filled: bool = True, label: str = ""
) -> Line2D:
    """A filled point, or a ring around where one would be."""
    return Line2D(
        x,
        y,
        color=shade,
        markerfacecolor=shade if filled else "white",
        marker="o",
        markersize=_POINT if filled else _RING,
        linestyle="none",
        zorder=4 if filled else 3,
        label=label,
    )


def _legend(silicon: Silicon) -> list[Line2D | Patch]:
    below, upto = silicon.grid[-2:]
    models = [
        _dot([], [], colour(model), label=scenario_name(name).split()[0])
        for model, name in enumerate(silicon.scenarios)
    ]
    most = max(seconds for table in silicon.tables for seconds in table.all_reduce)
    return [
        *models,
        _dot([], [], "0.3", False, "without prefix caching"),
        Line2D([], [], color="0.3", linewidth=1.6, label=f"all-reduce 0 to {1e6 * most:.0f} µs"),
        Patch(color=INSIDE, alpha=0.18, label=f"published: ({below}, {upto}]"),
    ]
