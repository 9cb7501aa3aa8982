"""The figure of router replicas: what K selfish ones can lose, and what they lose on some pools."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.ticker import FixedLocator, NullLocator

from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.common.files import Row

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
HEIGHTS = (1, 2, 4, 8, 16)

DASHES = {"upper bound known": ":", "worst case": "-"}
"""How the bounds are drawn; pools have markers and dashes."""

LABELS = {"upper bound known": "√K, known bound", "worst case": "K/(2√K − 1), worst case"}

_SIZE = 7.5


def plot(rows: Sequence[Row], out_base: Path) -> None:
    """Draw the rows of `theorems.queueing.dispatchers.curve_rows` as `out_base`.pdf and .png."""
    lines: dict[str, list[Row]] = {}
    for row in rows:
        lines.setdefault(row["series"], []).append(row)
    with saved_figure(out_base, WIDTH * 0.85, 3.0) as figure:
        axes = figure.add_subplot()
        for number, (name, own) in enumerate(lines.items()):
            bound = name in DASHES
            counts, values = ([row[key] for row in own] for key in ("dispatchers", "value"))
            axes.plot(
                counts,
                values,
                color=colour(number),
                linestyle=DASHES.get(name, "--"),
                linewidth=1.6 if name == "worst case" else 1.0,
                marker=None if bound else "os^"[number % 3],
                markersize=3.5,
            )
            axes.text(
                counts[-1] * 1.15,
                values[-1],
                LABELS.get(name, name),
                va="center",
                fontsize=_SIZE,
                color=colour(number),
            )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(list(COUNTS)))
        axes.yaxis.set_major_locator(FixedLocator(list(HEIGHTS)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
        axes.set_xticklabels(list(map(str, COUNTS)))
        axes.set_yticklabels(list(map(str, HEIGHTS)))
        axes.set_ylim(0.97, 18)
        axes.set_xlabel("selfish replicas K of the router")
        axes.set_title("cost over the optimum")
