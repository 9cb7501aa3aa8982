"""The figure of the validation suite: what was simulated over what is known, by the load."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.common.files import Row

MOST_PANELS_IN_A_ROW = 4

_TITLE, _NOTE = 8, 7
_POINT = 3.0


def plot(rows: Sequence[Row], out_base: Path) -> None:
    """Simulated over expected with 95 % intervals, over the load; one panel a system.

    Points that are shown and not judged are hollow; a legend says so where there are any.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        interval = row["half_width"] is not None and row["load"] is not None
        if interval and row["group"] != "conservation":
            groups.setdefault(str(row["group"]), []).append(row)
    across = min(MOST_PANELS_IN_A_ROW, len(groups))
    down = math.ceil(len(groups) / across)
    with saved_figure(out_base, WIDTH, 1.55 * down + 0.35) as figure:
        panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(groups) :]:
            axes.set_visible(False)
        for axes, found in zip(panels.flat, groups.values(), strict=False):
            _panel(axes, found)
        figure.supxlabel("load ρ", fontsize=_TITLE)
        figure.supylabel("simulated / expected", fontsize=_TITLE)
        if any(row["holds"] is None for found in groups.values() for row in found):
            figure.legend(
                handles=[_marker(True, "judged"), _marker(False, "run too short to be judged")],
                loc="outside upper center",
                ncols=2,
            )
            figure.set_figheight(figure.get_figheight() + 0.2)


def _fill(judged: bool, shade: str) -> str:
    return shade if judged else "white"


def _marker(judged: bool, label: str) -> Line2D:
    """A legend entry."""
    return Line2D(
        [],
        [],
        color="0.3",
        markerfacecolor=_fill(judged, "0.3"),
        linestyle="none",
        marker="o",
        markersize=_POINT,
        label=label,
    )


def _panel(axes: Axes, rows: Sequence[Row]) -> None:
    axes.axhline(1.0, color="0.6", linewidth=0.8, zorder=1)
    quantities = list(dict.fromkeys(str(row["quantity"]) for row in rows))
    for position, quantity in enumerate(quantities):
        # Points of one load side by side.
        shift = 0.012 * (2 * position - len(quantities) + 1)
        for judged in (True, False):
            shown = [
                row
                for row in rows
                if row["quantity"] == quantity and (row["holds"] is not None) == judged
            ]
            axes.errorbar(
                [row["load"] + shift for row in shown],
                [row["value"] / row["expected"] for row in shown],
                [row["half_width"] for row in shown],
                color=colour(position),
                markerfacecolor=_fill(judged, colour(position)),
                linestyle="none",
                marker="o",
                markersize=_POINT,
                linewidth=1.0,
                zorder=2 + position,
            )
        axes.text(
            1.0 - 0.24 * position,
            1.04,
            quantity.split(" ")[0],
            transform=axes.transAxes,
            color=colour(position),
            ha="right",
            fontsize=_NOTE,
        )
    axes.set_title(str(rows[0]["system"]).split(",")[0], fontsize=_TITLE)
