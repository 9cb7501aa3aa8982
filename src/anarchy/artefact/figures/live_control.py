"""The figure of controlled runs: the tail that the controller saw, live and simulated."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.common.files import Row

ARMS = {"static": (0, "--", "x"), "adaptive": (1, "-", "o")}
"""Arms: position of the colour, line of the simulated mean, marker of the live polls."""

_TITLE = 8


def plot(rows: Sequence[Row], out_base: Path) -> None:
    """A panel a scenario: P99 of TTFT at each poll over time, and where the controller switched."""
    polls = [row for row in rows if row["group"] == "poll"]
    scenarios = list(dict.fromkeys(row["scenario"] for row in polls))
    with saved_figure(out_base, WIDTH, 2.4) as figure:
        panels = figure.subplots(1, len(scenarios), sharey=True, squeeze=False)[0]
        for axes, scenario in zip(panels, scenarios, strict=True):
            for arm in ARMS:
                of_arm = [r for r in polls if (r["scenario"], r["arm"]) == (scenario, arm)]
                _draw(axes, of_arm, arm)
            axes.set_title(scenario, fontsize=_TITLE)
            axes.set_yscale("log")
            axes.set_yticks(ticks := (0.05, 0.1, 0.2, 0.5, 1.0), [f"{t:g}" for t in ticks])
            axes.minorticks_off()
        panels[0].set_ylabel("P99 of TTFT seen (s)", fontsize=_TITLE)
        figure.supxlabel("time (s)", fontsize=_TITLE)
        figure.legend(handles=_legend(), loc="outside upper center", ncols=5)


def _draw(axes: Axes, polls: Sequence[Row], arm: str) -> None:
    """The simulated line, the live polls on it, and a vertical line at each applied switch."""
    position, line, marker = ARMS[arm]
    times = [row["time"] for row in polls]
    axes.plot(times, [row["expected"] for row in polls], line, color=colour(position), linewidth=1)
    axes.plot(
        times,
        [row["value"] for row in polls],
        marker,
        color=colour(position),
        markersize=3.5,
        markerfacecolor="none",
    )
    for row in polls:
        if row["switched"] and arm == "adaptive":
            axes.axvline(row["time"], color="0.4", linewidth=0.8, linestyle=":")


def _legend() -> list[Line2D]:
    handles = []
    for arm, (position, line, marker) in ARMS.items():
        style: dict[str, Any] = {"color": colour(position), "linewidth": 1.0, "markersize": 3.5}
        simulated = style | {"linestyle": line, "label": f"{arm}, simulated"}
        live = style | {"linestyle": "none", "marker": marker, "label": f"{arm}, live"}
        handles.append(Line2D([], [], **simulated))
        handles.append(Line2D([], [], markerfacecolor="none", **live))
    return [*handles, Line2D([], [], color="0.4", linestyle=":", linewidth=0.8, label="switch")]
