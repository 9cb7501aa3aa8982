"""The figure of a knee map: which output lengths put the knee where it was published."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

from anarchy.artefact.display import number
from anarchy.artefact.figures.layout import legend_below
from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.artefact.labels import axis_label, scenario_name
from anarchy.artefact.study_panels import panel_names, panel_values
from anarchy.common.files import Row
from anarchy.config.experiment import OUTPUT_TOKENS, KneeMap

ACROSS = 4
"""Most panels beside each other."""

MOST_TICKS = 5
"""Of an axis of output tokens."""

INSIDE, ALLOWED = "#009E73", "#BFE3D7"
"""Colours of where N* of all scenarios lies in the published interval, and where no bound keeps a
knee out of it."""

STAR, STAR_SIZE = "#F0E442", 10
"""Colour and size of the mark of the setting that the scenarios use; it covers its neighbours."""

LINES: Sequence[Any] = ("solid", (0, (4, 1.5)), (0, (1, 1)))
"""Of the scenarios, which also differ in colour."""


def plot_knee_map(
    study: KneeMap, rows: Sequence[Row], limits: Sequence[Row], out_base: Path
) -> None:
    """Draw the allowed output lengths, one panel for each setting that the study's figure names.

    Between the two lines of a scenario its N* lies in the published interval. Where that is so of
    all scenarios the plane is dark, and light where their bounds do not exclude it. Filled marks
    are combinations that were simulated and have all knees in the interval, open ones others that
    were simulated, and a star is the combination that the scenarios use.
    """
    panels = study.figure.panels
    across = min(ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    with saved_figure(out_base, WIDTH, 0.7 + 1.9 * down) as figure:
        grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for place, name in enumerate(panel_names(study)):
            axes: Axes = grid[place // across][place % across]
            axes.set_title(name, loc="center", fontsize=7.5)
            _draw_limits(axes, study, [row for row in limits if row["panel"] == place])
            _draw_points(axes, study, rows, panel_values(study, panels[place]))
            axes.set_xlabel(axis_label(OUTPUT_TOKENS))
            if place % across == 0:
                axes.set_ylabel(axis_label(study.figure.y))
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        _set_scales(grid[0][0], study)
        legend_below(figure, _legend(study))


def _draw_limits(axes: Axes, study: KneeMap, limits: Sequence[Row]) -> None:
    for kind, face in (("bracket", ALLOWED), ("crossing", INSIDE)):
        found = [row for row in limits if row["id"] == kind and row["scenario"] == "all"]
        heights, lo, hi = _ends(study, found)
        axes.fill_betweenx(heights, lo, hi, color=face, linewidth=0)
    for i, name in enumerate(study.scenarios):
        found = [row for row in limits if row["id"] == "crossing" and row["scenario"] == name]
        heights, *ends = _ends(study, found)
        for end in ends:
            axes.plot(end, heights, color=colour(i), linestyle=LINES[i % len(LINES)], linewidth=0.8)


def _ends(study: KneeMap, rows: Sequence[Row]) -> tuple[list[float], list[float], list[float]]:
    """Heights and ends of an allowed range; nan where nothing is allowed."""

    def column(name: str) -> list[float]:
        return [math.nan if row[name] is None else max(row[name], 0.5) for row in rows]

    return [row[study.figure.y] for row in rows], column("lo"), column("hi")


def _draw_points(axes: Axes, study: KneeMap, rows: Sequence[Row], values: dict[str, Any]) -> None:
    free = (OUTPUT_TOKENS, study.figure.y)
    chosen = {path: value for path, value in values.items() if path not in free}
    for row in rows:
        if row["side"] is not None or any(row[path] != value for path, value in chosen.items()):
            continue
        star = row["chosen"]
        axes.plot(
            row[OUTPUT_TOKENS],
            row[study.figure.y],
            linestyle="none",
            marker="*" if star else "o",
            markersize=STAR_SIZE if star else 3.5,
            markeredgecolor="black",
            markeredgewidth=0.6,
            markerfacecolor=STAR if star else "black" if row["feasible"] else "white",
            zorder=4 if star else 3,
            clip_on=False,
        )


def _set_scales(axes: Axes, study: KneeMap) -> None:
    """Logarithmic axes, the published setting's neighbourhood and the ends of both in view."""
    xs, ys = study.output_tokens, [float(y) for y in study.axes[study.figure.y] if y is not None]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(min(xs) * 0.9, max(xs))
    axes.set_ylim(min(ys) * 0.8, max(ys) * 1.25)
    shown = [tick for tick in (1, 4, 16, 64, 256, 1024, 4096) if min(xs) <= tick <= max(xs)]
    axes.xaxis.set_major_locator(FixedLocator(shown[:MOST_TICKS]))
    axes.yaxis.set_major_locator(FixedLocator(ys))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda value, _: f"{value:g}")


def _legend(study: KneeMap) -> list[Patch | Line2D]:
    interval = f"({number(study.above)}, {number(study.upto)}]"
    lines = [
        Line2D(
            [],
            [],
            color=colour(i),
            linestyle=LINES[i % len(LINES)],
            linewidth=0.8,
            label=f"N* in {interval}: {scenario_name(name)}",
        )
        for i, name in enumerate(study.scenarios)
    ]
    points = [
        _mark("o", 3.5, "black", "simulated: all knees in it"),
        _mark("o", 3.5, "white", "simulated: not all"),
        _mark("*", STAR_SIZE, STAR, "setting used"),
    ]
    return [
        *lines,
        Patch(color=INSIDE, linewidth=0, label="N* of all scenarios"),
        Patch(color=ALLOWED, linewidth=0, label="not excluded by bounds"),
        *points,
    ]


def _mark(marker: str, size: float, face: str, label: str) -> Line2D:
    return Line2D(
        [],
        [],
        marker=marker,
        markersize=size,
        markeredgecolor="black",
        markeredgewidth=0.6,
        markerfacecolor=face,
        linestyle="none",
        label=label,
    )
