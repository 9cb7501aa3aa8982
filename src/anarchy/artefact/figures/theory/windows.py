"""The figure of the four windows: how far overlap may be misjudged, by what equilibrium means."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.common.files import Row

TICKS = {1 / 8: "1/8", 1 / 4: "1/4", 1 / 2: "1/2", 1.0: "1", 2.0: "2", 4.0: "4", 8.0: "8"}
HEIGHTS = {1.0: "1", 4 / 3: "4/3", 2.0: "2", 2.5: "5/2", 4.0: "4", 8.0: "8"}

DASHES = ("-", ":", "--", "-.")
"""One line style for each reading, so that they differ in grey as well."""

_SIZE = 7.5


def plot(rows: Sequence[Row], out_base: Path) -> None:
    """Draw the rows of `theorems.windows.theorems.curve_rows` as `out_base`.pdf and .png."""
    with saved_figure(out_base, WIDTH * 0.85, 3.1) as figure:
        axes = figure.add_subplot()
        safe = safe_weights(rows)
        axes.axvspan(*safe, color=colour(2), alpha=0.2, linewidth=0, zorder=0)
        for number, own in enumerate(_by_reading(rows)):
            _draw(axes, number, own)
        axes.text(
            safe[0] * 1.15,
            9.0,
            "in all four\nwindows",
            ha="center",
            va="top",
            fontsize=_SIZE,
            color=colour(2),
        )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.xaxis.set_major_locator(FixedLocator(list(TICKS)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels(list(TICKS.values()))
        axes.yaxis.set_major_locator(FixedLocator(list(HEIGHTS)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_yticklabels(list(HEIGHTS.values()))
        axes.set_xlim(1 / 8, 8)
        axes.set_ylim(1, 10)
        axes.set_xlabel("weight γ at which the router perceives missing overlap (1: its true cost)")
        axes.set_title("worst cost over the optimum; thick: no worse than without overlap")


def safe_weights(rows: Sequence[Row]) -> tuple[float, float]:
    """The weights that lie in the windows of all readings."""
    return max(row["window_low"] for row in rows), min(row["window_high"] for row in rows)


def _by_reading(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each reading, in the order in which the readings come first."""
    merged: dict[str, list[Row]] = {}
    for row in rows:
        merged.setdefault(row["reading"], []).append(row)
    return list(merged.values())


def _draw(axes: Axes, number: int, rows: list[Row]) -> None:
    low, high = rows[0]["window_low"], rows[0]["window_high"]
    line = [row for row in rows if row["series"] == "closed form"]
    level = min(row["value"] for row in line)
    axes.plot(*_points(line), color=colour(number), linestyle=DASHES[number], linewidth=1.0)
    axes.plot(
        [low, high], [level, level], color=colour(number), linewidth=3.0, solid_capstyle="butt"
    )
    proved = [row for row in rows if row["series"] == "program"]
    axes.plot(
        *_points(proved),
        color=colour(number),
        linestyle="none",
        marker="o",
        markersize=4,
        markerfacecolor="white",
    )
    below = number == 0
    axes.text(
        (low * high) ** 0.5,
        level * (0.95 if below else 1.05),
        rows[0]["reading"],
        ha="center",
        va="top" if below else "bottom",
        fontsize=_SIZE,
        color=colour(number),
    )


def _points(rows: list[Row]) -> tuple[list[float], list[float]]:
    return [row["gamma"] for row in rows], [row["value"] for row in rows]
