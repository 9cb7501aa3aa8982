"""The figure of a study of estimators: the index over load by the recipes that come closest."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from anarchy.artefact.display import Scale
from anarchy.artefact.figures.layout import legend_below
from anarchy.artefact.figures.panels import Series, draw_lines, marker
from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.artefact.labels import field_label, scenario_name
from anarchy.common.files import Row
from anarchy.config.estimator import EstimatorStudy

PLATEAU, DEEP = "#BBBBBB", "#E6C9A8"


def plot_estimators(study: EstimatorStudy, curves: Sequence[Row], out_base: Path) -> None:
    """One panel a scenario: curves of `ranking.curve_rows`, with the published levels as bands.

    A band is what a property wants of the plateau or of deep saturation, over the loads at which
    it is judged.
    """
    names = list(dict.fromkeys(str(row["id"]) for row in curves))
    with saved_figure(out_base, WIDTH, 2.7) as figure:
        panels = figure.subplots(1, len(study.scenarios), sharey=True, squeeze=False)[0]
        for axes, scenario in zip(panels, study.scenarios, strict=True):
            series = [_series(name, scenario, curves) for name in names]
            draw_lines(axes, series, Scale(1.0, ""), log_x=True, log_y=True)
            _draw_bands(axes, study, scenario)
            axes.set_title(scenario_name(scenario), loc="center", fontweight="bold")
            axes.set_xlabel(field_label("workload.clients").name)
        panels[0].set_ylabel("PoA-hat")
        legend_below(figure, _handles(study, names))


def _series(name: str, scenario: str, curves: Sequence[Row]) -> Series:
    points = [
        (row["clients"], row["value"], row["lo"], row["hi"])
        for row in curves
        if row["id"] == name and row["scenario"] == scenario
    ]
    return Series(name, {"id": name}, points)


def _draw_bands(axes: Axes, study: EstimatorStudy, scenario: str) -> None:
    """The levels of the plateau over its loads, those of deep saturation over the others."""
    low, high = min(study.flat), max(study.flat)
    for name, tint, loads in (
        ("plateau", PLATEAU, (low, high)),
        ("deep", DEEP, (high, max(study.clients))),
    ):
        for wanted in study.properties.values():
            if wanted.statistic == name and wanted.scenario in (None, scenario):
                ends = (wanted.at_least or 0.0, wanted.at_most or 0.0)
                axes.fill_between(loads, *ends, color=tint, alpha=0.5, linewidth=0, zorder=0)


def _handles(study: EstimatorStudy, names: Sequence[str]) -> list[Artist]:
    lines: list[Artist] = [
        Line2D([], [], color=colour(i), marker=marker(i), markerfacecolor="white", label=name)
        for i, name in enumerate(names)
    ]
    bands = [
        Patch(color=tint, alpha=0.5, label=f"published {words}")
        for statistic, tint, words in (
            ("plateau", PLATEAU, "plateau"),
            ("deep", DEEP, "deep saturation"),
        )
        if any(p.statistic == statistic for p in study.properties.values())
    ]
    return [*lines, *bands]
