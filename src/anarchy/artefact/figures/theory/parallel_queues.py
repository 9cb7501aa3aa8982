"""The figure of parallel queues under selfish routing: no divergence at capacity."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anarchy.artefact.display import Scale
from anarchy.artefact.figures.panels import Series, draw_lines, label_lines
from anarchy.artefact.figures.style import WIDTH, saved_figure
from anarchy.common.files import Row


def plot(rows: Sequence[Row], out_base: Path) -> None:
    """Price of anarchy of parallel M/M/1 servers against load, one line a set of service rates."""
    lines: dict[str, list[tuple[Any, float | None, float | None, float | None]]] = {}
    for row in rows:
        lines.setdefault(str(row["rates"]), []).append((row["load"], row["value"], None, None))
    series = [Series(f"rates {rates}", {}, sorted(points)) for rates, points in lines.items()]
    with saved_figure(out_base, WIDTH * 0.72, 2.6) as figure:
        axes = figure.add_subplot()
        draw_lines(axes, series, Scale(1.0, ""), log_x=False, log_y=False)
        axes.set_xticks([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
        axes.set_xlabel("load: arrival rate / total service rate")
        axes.set_title("price of anarchy")
        figure.draw_without_rendering()
        label_lines(axes, series, Scale(1.0, ""))
