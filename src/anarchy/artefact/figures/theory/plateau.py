"""The figure of the plateau: the worst case against the weight at which overlap is perceived."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.common.files import Row

LOWER, UPPER, LEVEL = 2 / 3, 5 / 3, 2.5
"""Ends and level of the plateau, as proved for affine latencies."""

TICKS = {
    1 / 8: "1/8",
    1 / 4: "1/4",
    1 / 2: "1/2",
    LOWER: "2/3",
    1.0: "1",
    UPPER: "5/3",
    4.0: "4",
    8.0: "8",
}
"""Weights with a tick; the ends of the plateau are among them."""

_NOTE = 7


def plot(rows: Sequence[Row], out_base: Path) -> None:
    """Draw the rows of `games.theorems.plateau.curve_rows` as `out_base`.pdf and .png."""
    with saved_figure(out_base, WIDTH * 0.8, 2.7) as figure:
        axes = figure.add_subplot()
        axes.axvspan(LOWER, UPPER, color=colour(2), alpha=0.16, linewidth=0, zorder=0)
        axes.plot(*_points(rows, "closed form"), color=colour(0), linewidth=1.6, zorder=2)
        axes.plot(
            *_points(rows, "linear programme"),
            color=colour(0),
            linestyle="none",
            marker="o",
            markersize=6.5,
            markerfacecolor="white",
            markeredgewidth=0.9,
            zorder=3,
        )
        axes.plot(
            *_points(rows, "instance"),
            color=colour(1),
            linestyle="none",
            marker="x",
            markersize=4,
            markeredgewidth=1.3,
            zorder=4,
        )
        _annotate(axes)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(list(TICKS)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels(list(TICKS.values()))
        axes.set_ylim(1, 9.4)
        axes.set_xlabel("weight γ at which the router perceives missing overlap (1: its true cost)")
        axes.set_title("worst cost of an equilibrium over the optimum")


def _points(rows: Sequence[Row], series: str) -> tuple[list[float], list[float]]:
    points = sorted((row["gamma"], row["value"]) for row in rows if row["series"] == series)
    return [x for x, _ in points], [y for _, y in points]


def _annotate(axes: Axes) -> None:
    """What each part of the picture says, written where it is."""
    centre = (LOWER * UPPER) ** 0.5
    axes.text(
        centre,
        LEVEL + 0.45,
        "plateau: 5/2\nfrom 2/3 to 5/3",
        ha="center",
        va="bottom",
        fontsize=_NOTE + 1,
        color=colour(2),
    )
    axes.text(0.27, 5.6, "overlap undervalued:\n1 + 1/γ", fontsize=_NOTE, color=colour(0))
    axes.text(
        3.9,
        5.6,
        "overlap overvalued:\nabout γ + 1/4",
        fontsize=_NOTE,
        color=colour(0),
        ha="right",
    )
    # The two kinds of marks are named at one point of the curve where both are drawn.
    for text, tint, height in (
        ("circle: proved upper bound", colour(0), 9.0),
        ("cross: a game that attains it", colour(1), 8.45),
    ):
        axes.text(centre, height, text, ha="center", va="center", fontsize=_NOTE, color=tint)
