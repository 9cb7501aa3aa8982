"""The phase portrait of the coupled game: two planners that differ only in their delay."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.common.files import Row

SETTLED = 60
"""Intervals after which what is left of an orbit is drawn as its limit."""

MOVING = 0.01
"""Moves shorter than this, in GPUs and in shares, get no arrow."""

PLANES = (
    ("delay-1", "One interval of delay: it settles"),
    ("delay-2", "Two intervals of delay: it cycles for ever"),
)

LABELS: Sequence[tuple[str, int, tuple[float, float], str]] = (
    ("caches", 0, (9.5, 0.66), "what is cached,\ngiven the split"),
    ("planner", 1, (11.65, 0.69), "the split that the planner wants,\ngiven what is cached"),
)
"""Direct labels: series, number of its colour, place in data units, text."""


def plot(rows: Sequence[Row], out_base: Path) -> None:
    """Draw both replies and one orbit a panel; rows are those of `curve_rows` of the coupling."""
    series: dict[str, list[Row]] = {}
    for row in rows:
        series.setdefault(str(row["series"]), []).append(row)
    with saved_figure(out_base, WIDTH, 2.6) as figure:
        panels: Any = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, (name, title) in zip(panels, PLANES, strict=True):
            for reply, number, place, text in LABELS:
                axes.plot(*_columns(series[reply]), color=colour(number), linewidth=1.0)
                axes.annotate(text, place, color=colour(number), fontsize=7, linespacing=1.1)
            _draw_orbit(axes, series[name])
            axes.plot(*_columns(series["point"]), "o", color="black", markersize=4.5, zorder=5)
            axes.set_title(title, fontweight="bold")
            axes.set_xlabel("prefill GPUs ordered")
            axes.set_xlim(9.4, 15.7)
            axes.set_ylim(0.26, 0.76)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[0].set_ylabel("share of blocks cached,\nas the planner sees it")
        panels[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        panels[0].annotate("fixed point", (12.8, 0.545), fontsize=7)


def _draw_orbit(axes: Axes, rows: Sequence[Row]) -> None:
    """The way in, thin and grey with an arrow, and what it leads to, thick."""
    x, y = _columns(rows)
    axes.plot(
        x[: SETTLED + 1],
        y[: SETTLED + 1],
        color="#555555",
        linewidth=0.8,
        marker="o",
        markersize=1.8,
        zorder=3,
    )
    axes.plot(x[SETTLED:], y[SETTLED:], color=colour(2), linewidth=1.8, zorder=4)
    axes.annotate("start", (x[0], y[0]), (2, 4), textcoords="offset points", fontsize=7)
    for step, tint in ((1, "#555555"), (SETTLED, colour(2)), (SETTLED + 5, colour(2))):
        if max(abs(x[step + 1] - x[step]), abs(y[step + 1] - y[step])) > MOVING:
            axes.annotate(
                "",
                (0.4 * x[step] + 0.6 * x[step + 1], 0.4 * y[step] + 0.6 * y[step + 1]),
                (x[step], y[step]),
                arrowprops={"arrowstyle": "-|>", "color": tint, "linewidth": 0.8},
                zorder=6,
            )


def _columns(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return [float(row["x"]) for row in rows], [float(row["y"]) for row in rows]
