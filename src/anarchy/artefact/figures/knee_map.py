"""The figure of a knee map: which assumptions put the knee where it was published."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from anarchy.artefact.display import number
from anarchy.artefact.figures.layout import make_room_for_side_names
from anarchy.artefact.figures.style import WIDTH, saved_figure
from anarchy.artefact.labels import axis_label, scenario_name, setting_text, value_text
from anarchy.common.files import Row
from anarchy.config.experiment import KneeMap

BELOW, INSIDE, ABOVE = "#0072B2", "#009E73", "#E69F00"


def plot_knee_map(
    study: KneeMap, rows: Sequence[Row], feasible: Sequence[Row], out_base: Path
) -> None:
    """Draw the knee over the two longest axes, one panel per scenario and setting of the others.

    Green cells lie in the published interval, blue ones below it, orange ones above; the further
    off, the stronger. A thick outline means that every scenario is green under the same setting;
    a star marks the setting that the scenarios use.
    """
    fields = list(study.axes)
    # The longest axis runs upwards, where cells may be flat; the next one runs to the right.
    y, x, *others = sorted(fields, key=lambda f: -len(study.axes[f])) + [""] * (len(fields) < 2)
    others.sort(key=fields.index)
    x_values: Sequence[Any] = study.axes[x] if x else [None]
    y_values = study.axes[y]
    settings = list(itertools.product(*(study.axes[f] for f in others)))
    order = [y, *([x] if x else []), *others]
    knees = {_cell(row, [*order, "scenario"]): row for row in rows}
    verdicts = {_cell(row, order): row for row in feasible}
    across, down = len(study.scenarios), len(settings)
    with saved_figure(out_base, WIDTH, 0.8 + down * (0.3 + 0.155 * len(y_values))) as figure:
        grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for (j, setting), (i, scenario) in itertools.product(
            enumerate(settings), enumerate(study.scenarios)
        ):
            axes: Axes = grid[j][i]
            for (row, v), (column, u) in itertools.product(
                enumerate(y_values), enumerate(x_values)
            ):
                key = (v, *([u] if x else []), *setting)
                found = knees.get((*key, scenario))
                if found is not None:
                    _draw_cell(axes, column, row, study, found, verdicts.get(key, {}))
            axes.set_xlim(-0.5, len(x_values) - 0.5)
            axes.set_ylim(-0.5, len(y_values) - 0.5)
            axes.set_xticks(
                range(len(x_values)), [value_text(x, u, x_values) if x else "" for u in x_values]
            )
            axes.set_yticks(range(len(y_values)), [value_text(y, v, y_values) for v in y_values])
            axes.grid(visible=False)
            axes.spines[:].set_visible(False)
            axes.tick_params(length=0)
            if j == 0:
                axes.set_title(scenario_name(scenario), loc="center", fontweight="bold")
            if i == 0:
                name = ", ".join(
                    setting_text(f, v, study.axes[f]) for f, v in zip(others, setting, strict=True)
                )
                axes.set_ylabel("\n".join(filter(None, [name, axis_label(y, y_values)])))
            if x and j == down - 1:
                axes.set_xlabel(axis_label(x, x_values))
        figure.legend(handles=_legend(study), loc="outside upper center", ncols=5)
        make_room_for_side_names(figure)


def _draw_cell(axes: Axes, column: int, row: int, study: KneeMap, found: Row, verdict: Row) -> None:
    knee = found["value"]
    face = _face(knee, study)
    corner = (column - 0.5, row - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=face, edgecolor="white", linewidth=0.6))
    if verdict.get("feasible"):
        inset = (column - 0.45, row - 0.42)
        axes.add_patch(
            Rectangle(inset, 0.9, 0.84, fill=False, edgecolor="black", linewidth=1.1, zorder=3)
        )
    text = f">{number(study.largest)}" if knee is None else number(knee, 3)
    dark = sum(w * c for w, c in zip((0.3, 0.59, 0.11), to_rgb(face), strict=True)) < 0.55
    star = "★" if verdict.get("chosen") else ""
    axes.text(
        column,
        row,
        text + star,
        ha="center",
        va="center_baseline",
        fontsize=5.5 if len(text) > 3 else 6.5,
        fontfamily=["STIXGeneral", "DejaVu Sans"],
        fontweight="bold" if found["inside"] else "normal",
        color="white" if dark else "black",
    )


def _face(knee: float | None, study: KneeMap) -> tuple[float, float, float]:
    """Green inside; else a tint of the side's colour, full at a factor of eight off."""
    if knee is not None and study.above < knee <= study.upto:
        return to_rgb(INSIDE)
    if knee is None:
        side, octaves = ABOVE, 3.0
    elif knee > study.upto:
        side, octaves = ABOVE, math.log2(knee / study.upto)
    else:
        side, octaves = BELOW, math.log2(max(study.above, 1) / max(knee, 1))
    strength = 0.18 + 0.62 * min(octaves / 3, 1.0)
    red, green, blue = (1 - strength * (1 - c) for c in to_rgb(side))
    return red, green, blue


def _legend(study: KneeMap) -> list[Patch | Line2D]:
    above, upto = number(study.above), number(study.upto)
    return [
        Patch(color=BELOW, alpha=0.5, label=f"knee ≤ {above}"),
        Patch(color=INSIDE, label=f"published: ({above}, {upto}]"),
        Patch(color=ABOVE, alpha=0.5, label=f"knee > {upto}"),
        Patch(fill=False, edgecolor="black", linewidth=1.1, label="so in every scenario"),
        Line2D(
            [], [], marker="*", markersize=6, color="black", linestyle="none", label="setting used"
        ),
    ]


def _cell(row: Row, fields: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[f] for f in fields)
