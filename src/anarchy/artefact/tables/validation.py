"""The table and the figure of the validation suite."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from anarchy.artefact.display import MISSING, number
from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.artefact.tables.booktabs import Column, latex_table
from anarchy.common.files import Row

MOST_PANELS_IN_A_ROW = 4

_TITLE, _NOTE = 8, 7
_POINT = 3.0


def validation_table(rows: Sequence[Row]) -> str:
    """One line a simulated quantity, one a group of tests or counts, gaps between groups."""
    columns = [
        Column("system"),
        Column("quantity"),
        Column("ρ", "r"),
        Column("expected", "r"),
        Column("simulated", "r"),
        Column("± %", "r"),
        Column("plain", "r"),
        Column("covers", "r"),
        Column("holds", "r"),
    ]
    body: list[list[str]] = []
    above: str | None = None
    for row in _with_interval(rows):
        if above not in (None, row["group"]):
            body.append([])
        above = row["group"]
        body.append(
            [
                str(row["system"]),
                str(row["quantity"]),
                number(row["load"]),
                number(row["expected"], 5),
                number(row["value"], 5),
                _percent(row["half_width"]),
                _percent(row.get("plain")),
                _verdict(row["covers"]),
                _verdict(row["holds"]),
            ]
        )
    body.append([])
    for quantity, found in _counted(rows).items():
        systems = list(dict.fromkeys(str(row["system"]).split(", ")[0] for row in found))
        system = systems[0] if len(systems) == 1 else f"{len(systems)} systems"
        verdict = f"{sum(row['holds'] for row in found)} of {len(found)}"
        body.append([system, quantity, *[MISSING] * 6, verdict])
    caption = (
        "The simulator beside what is known exactly. Times are in mean services; ± is half the "
        "95 % interval over the expected value, beside it without control variates; a row covers "
        "if its own interval holds the expected value, and holds unless Holm’s procedure over all "
        "tests of the suite rejects it"
    )
    return latex_table(columns, body, caption, "validation")


def _with_interval(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["half_width"] is not None]


def _counted(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Judged rows without an interval, by what they are about."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row["half_width"] is None and row["holds"] is not None:
            groups.setdefault(str(row["quantity"]), []).append(row)
    return groups


def _percent(share: float | None) -> str:
    return MISSING if share is None else number(100 * share, 2)


def _verdict(value: bool | None) -> str:
    return MISSING if value is None else "yes" if value else "no"


def plot(rows: Sequence[Row], out_base: Path) -> None:
    """Simulated over expected with 95 % intervals, over the load; one panel a system.

    Points that are shown and not judged are hollow; a legend says so where there are any.
    """
    groups: dict[str, list[Row]] = {}
    for row in _with_interval(rows):
        if row["load"] is not None and row["group"] != "conservation":
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
