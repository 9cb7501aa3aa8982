"""The figure of cache placement: what selfishness costs by topology, placement cost and size."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, NullLocator

from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.common.files import Row

GUIDE = "#777777"
"""Colour of the conjectured growth, which is no result."""

# Where a label stands, in the data of its panel, and how it is aligned; math is typeset.
_BY_COST = {
    "two islands": (12.5, 2.84, "left", "two islands,\nslow link between"),
    "line": (33, 1.7, "left", "line"),
    "grid": (2.95, 1.45, "right", "grid"),
    "star": (1.75, 1.8, "right", "star"),
    "complete graph": (0.55, 0.93, "left", "complete graph: nothing lost"),
}
_BY_NODES = {
    "two islands": (120, 50, "right", "two islands: $n$"),
    "broom": (600, 50, "center", "tree: $n^{2/3}$"),
    "line, dearest": (820, 7.0, "center", r"line, $\alpha = n$: $\sqrt{n}$"),
    "line": (720, 1.65, "center", r"line, $\alpha = 16$: flat"),
}
_COLOURS = {"two islands": 1, "line": 0, "line, dearest": 5, "grid": 2, "star": 3, "broom": 4}
_BLACK = 6


def plot(rows: Sequence[Row], out_base: Path) -> None:
    """Draw the rows of `curves.curve_rows` as `out_base`.pdf and .png."""
    with saved_figure(out_base, WIDTH, 2.75) as figure:
        left, right = figure.subplots(1, 2)
        _draw_by_cost(left, [row for row in rows if row["id"] == "by-placement-cost"])
        _draw_by_nodes(right, [row for row in rows if row["id"] == "by-nodes"])


def _draw_by_cost(axes: Axes, rows: Sequence[Row]) -> None:
    for name, (x, y, side, label) in _BY_COST.items():
        chosen = [row for row in rows if row["topology"] == name]
        tint = colour(_COLOURS.get(name, _BLACK))
        axes.plot(
            [row["placement_cost"] for row in chosen],
            [row["value"] for row in chosen],
            color=tint,
            linewidth=1.6 if name in ("two islands", "complete graph") else 1.1,
        )
        _label(axes, x, y, side, label, tint)
    axes.set_xscale("log")
    axes.set_xlim(0.5, 200)
    _plain_ticks(axes.xaxis, [0.5, 1, 2, 5, 10, 20, 50, 100, 200])
    axes.set_ylim(0.85, 3.1)
    _plain_ticks(axes.yaxis, [1, 1.5, 2, 2.5, 3])
    axes.set_xlabel("placement cost α, in hops (log scale)")
    axes.set_title(f"price of anarchy, {rows[0]['nodes']} workers")


def _draw_by_nodes(axes: Axes, rows: Sequence[Row]) -> None:
    sizes = sorted({row["nodes"] for row in rows})
    ends = [sizes[0], sizes[-1]]
    axes.plot(ends, [n**0.5 for n in ends], color=GUIDE, linewidth=1.0, linestyle=(0, (4, 2)))
    axes.text(
        *(3.5, 2.1),
        r"conjecture: $\sqrt{n}$",
        color=GUIDE,
        fontsize=7,
        rotation=21.5,
        rotation_mode="anchor",
        parse_math=True,
    )
    for name, (x, y, side, label) in _BY_NODES.items():
        chosen = sorted((row["nodes"], row["value"]) for row in rows if row["topology"] == name)
        tint = colour(_COLOURS[name])
        axes.plot([n for n, _ in chosen], [value for _, value in chosen], color=tint, linewidth=1.5)
        _label(axes, x, y, side, label, tint)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(3, 2200)
    axes.set_ylim(0.9, 600)
    _plain_ticks(axes.xaxis, [4, 16, 64, 256, 1024])
    _plain_ticks(axes.yaxis, [1, 2, 5, 10, 20, 50, 100, 200, 500])
    axes.set_xlabel("number of workers n (log scale)")
    axes.set_title("price of anarchy (log scale)")


def _label(axes: Axes, x: float, y: float, side: str, text: str, tint: str) -> None:
    axes.text(x, y, text, color=tint, fontsize=7, va="center", ha=side, parse_math=True)


def _plain_ticks(axis: Axis, places: Sequence[float]) -> None:
    """Ticks at `places`, as plain numbers."""
    axis.set_major_locator(FixedLocator(places))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:g}")
