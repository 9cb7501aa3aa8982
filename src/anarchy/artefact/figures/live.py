"""The figure of the live comparison: the real Dynamo as dots on the simulator's lines."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.common.files import Row

PANELS = {
    "throughput": "throughput (1/s)",
    "e2e": "mean end-to-end latency (s)",
    "ttft": "mean TTFT (s)",
}
"""Quantities with their labels, a panel each."""

LOG_TICKS = {"ttft": (0.03, 0.1, 0.3, 1.0, 3.0)}
"""Panels with a log scale, and its ticks."""

FEWEST_POINTS = 4
"""Series with fewer points are in the table alone."""

_TITLE = 8


def plot(rows: Sequence[Row], out_base: Path) -> None:
    """One panel a quantity, over the clients; a colour for each topology."""
    series = _series(rows)
    with saved_figure(out_base, WIDTH, 2.3) as figure:
        panels = figure.subplots(1, len(PANELS), sharex=True)
        for axes, (quantity, label) in zip(panels, PANELS.items(), strict=True):
            for position, points in enumerate(series.values()):
                _draw(axes, [point[quantity] for point in points], position)
            axes.set_title(label, fontsize=_TITLE)
            if quantity in LOG_TICKS:
                axes.set_yscale("log")
                axes.set_yticks(LOG_TICKS[quantity], [f"{tick:g}" for tick in LOG_TICKS[quantity]])
                axes.minorticks_off()
        figure.supxlabel("clients", fontsize=_TITLE)
        figure.legend(handles=_legend(list(series)), loc="outside upper center", ncols=5)


def _series(rows: Sequence[Row]) -> dict[str, list[dict[str, Row]]]:
    """The points of each long series, by the number of clients."""
    found: dict[str, dict[int, dict[str, Row]]] = {}
    for row in rows:
        if row["group"] in PANELS:
            of_series = found.setdefault(str(row["series"]), {})
            of_series.setdefault(int(row["clients"]), {})[str(row["group"])] = row
    return {
        name: [points[clients] for clients in sorted(points)]
        for name, points in found.items()
        if len(points) >= FEWEST_POINTS
    }


def _draw(axes: Axes, points: Sequence[Row], position: int) -> None:
    """The simulated line, and on it the dots with their 95 % intervals."""
    clients = [point["clients"] for point in points]
    axes.plot(
        clients, [point["expected"] for point in points], color=colour(position), linewidth=1.0
    )
    axes.errorbar(
        clients,
        [point["value"] for point in points],
        [[point["value"] - (point["lo"] or point["value"]) for point in points]] * 2,
        color=colour(position),
        linestyle="none",
        marker="o",
        markersize=3.5,
        markerfacecolor="white",
        linewidth=1.0,
    )


def _legend(names: Sequence[str]) -> list[Line2D]:
    """The two sides, and the colour of each topology."""
    sides = [
        Line2D([], [], color="0.3", label="simulator"),
        Line2D(
            [],
            [],
            color="0.3",
            linestyle="none",
            marker="o",
            markersize=3.5,
            markerfacecolor="white",
            label="Dynamo 0.9.0, live",
        ),
    ]
    return sides + [Line2D([], [], color=colour(i), label=name) for i, name in enumerate(names)]
