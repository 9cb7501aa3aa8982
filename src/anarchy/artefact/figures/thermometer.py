"""The figure of an index as a thermometer: what it read over what the same runs had lost."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from anarchy.artefact.figures.layout import legend_below
from anarchy.artefact.figures.panels import marker
from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.common.files import Row
from anarchy.config.estimator import EstimatorStudy

Group = tuple[str, list[Row]]


def plot_thermometer(study: EstimatorStudy, rows: Sequence[Row], out_base: Path) -> None:
    """One panel a member: rows of `ranking.thermometer_rows`, each loss from least to most.

    An index in proportion to the loss would lie on the dashed line.
    """
    names = list(dict.fromkeys(str(row["id"]) for row in rows))
    with saved_figure(out_base, WIDTH, 2.5) as figure:
        panels = figure.subplots(1, max(1, len(names)), sharex=True, sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, names, strict=False):
            own = [row for row in rows if row["id"] == name and row["value"] is not None]
            for number, (_, group) in enumerate(_groups(study, own)):
                _draw(axes, number, group)
            _draw_diagonal(axes, own)
            window, entry, numerator, matching, *_ = name.split("/")
            axes.set_title(f"{numerator} /\n{entry}\n{window}, {matching}", fontsize="small")
            axes.set_yscale("log")
            axes.yaxis.set_minor_locator(NullLocator())
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.set_xlabel("loss of mean E2E")
        panels[0].set_ylabel("PoA-hat")
        legend_below(figure, _handles(study, rows))


def _groups(study: EstimatorStudy, rows: Sequence[Row]) -> list[Group]:
    """Runs by what they are: other systems, and below and above the loads of the plateau."""
    systems = [row for row in rows if row["kind"] == "system"]
    others = [row for row in rows if row["kind"] != "system"]
    highest = max(study.flat)
    return [
        (f"up to {highest} clients", [row for row in others if row["clients"] <= highest]),
        ("above", [row for row in others if row["clients"] > highest]),
        ("few slots; long shared prefixes", systems),
    ]


def _draw(axes: Axes, number: int, rows: Sequence[Row]) -> None:
    for row in rows:
        axes.plot(
            [row["lo"], row["hi"]], [row["value"]] * 2, color=colour(number), lw=0.8, alpha=0.6
        )
    axes.plot(
        [row["lo"] for row in rows],
        [row["value"] for row in rows],
        linestyle="none",
        marker=marker(number),
        markersize=3,
        color=colour(number),
        markerfacecolor="white",
    )


def _draw_diagonal(axes: Axes, rows: Sequence[Row]) -> None:
    """The index in proportion to the loss, from the least that a run without loss has read."""
    if rows:
        first = min(row["value"] for row in rows)
        most = max(row["hi"] for row in rows)
        axes.plot([1, most], [first, first * most], color="black", lw=0.8, linestyle="--")


def _handles(study: EstimatorStudy, rows: Sequence[Row]) -> list[Artist]:
    return [
        Line2D(
            [],
            [],
            color=colour(number),
            marker=marker(number),
            markerfacecolor="white",
            markersize=4,
            label=label,
        )
        for number, (label, _) in enumerate(_groups(study, rows))
    ]
