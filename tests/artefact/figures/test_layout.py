"""Nothing of a figure lies outside it or on top of something else, however long the names are."""

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from anarchy.artefact.figures.experiments import plot_experiment
from anarchy.artefact.figures.knee_map import plot_knee_map
from tests.artefact.conftest import make_experiment, make_rows, make_study, make_study_rows
from tests.artefact.figures.drawn import sketched

LONG = "prefix-aware-power-of-two-choices"
LONGER = "-".join(["a-name-that-no-legend-is-wide-enough-for"] * 4)
COMPARE = {"field": "router.policy", "baseline": "kv", "measures": ["ttft-p99"]}
BARS = {"kind": "bar", "x": "router.policy", "y": ["ttft-p99", "throughput"]}
CASES: dict[str, dict[str, Any]] = {
    "a legend and a note": {
        "sweep": {"router.policy": ["kv", "lmetric"], "router.temperature": [0.0, 0.7]},
        "figure": BARS,
        "compare": COMPARE,
    },
    "a note alone": {
        "scenarios": ["70b-1p2d"],
        "sweep": {"router.policy": ["kv", "lmetric"]},
        "figure": BARS,
        "compare": COMPARE,
    },
    "names that crowd the axis": {
        "sweep": {"router.policy": ["kv", LONG, "round-robin", "least-loaded", "random"]},
        "figure": BARS,
    },
    "a legend too wide": {
        "sweep": {"workload.clients": [1, 2], "router.policy": ["kv", LONGER], "a.b": [LONG, "x"]},
        "figure": {"kind": "line", "x": "workload.clients", "y": ["ttft-p99"]},
    },
    "a heatmap of names": {
        "sweep": {"router.policy": ["kv", LONG, "random"], "workload.clients": [1, 2]},
        "figure": {
            "kind": "heatmap", "x": "router.policy", "rows": "workload.clients", "y": ["ttft-p99"],
        },
    },
}  # fmt: skip


@pytest.fixture
def figures() -> Iterator[list[Figure]]:
    """The figures that were saved, drawn at the resolution that places are asked for in."""
    with sketched() as figures:
        yield figures


@pytest.fixture
def draw(figures: list[Figure], tmp_path: Path) -> Callable[[str], Figure]:
    def draw(case: str) -> Figure:
        experiment = make_experiment(**CASES[case])
        plot_experiment("x", experiment, make_rows(experiment), [], tmp_path / "x")
        return figures[-1]

    return draw


def texts(figure: Figure) -> list[tuple[Text, Bbox]]:
    """All texts that show, with their places, but for the values at axes: some are out of view."""
    values = {text for axes in figure.axes for text in axes.yaxis.findobj(Text)}
    values -= {axes.yaxis.label for axes in figure.axes}
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    shown = [text for text in found if text.get_visible() and text.get_text().strip()]
    return [(text, text.get_window_extent()) for text in shown if text not in values]


def check(figure: Figure) -> None:
    """Nothing is cut off, and no level text covers another."""
    places = texts(figure)
    assert len(places) > 5
    for text, box in places:
        assert box.x0 >= -0.5, text
        assert box.y0 >= -0.5, text
        assert box.x1 <= figure.bbox.x1 + 0.5, text
        assert box.y1 <= figure.bbox.y1 + 0.5, text
    straight = [(text, box) for text, box in places if text.get_rotation() in (0, 90)]
    for (one, box), (other, their) in combinations(straight, 2):
        assert not box.padded(-1).overlaps(their.padded(-1)), (one, other)


@pytest.mark.parametrize("case", CASES)
def test_no_text_is_cut_off_or_covers_another(case: str, draw: Callable[[str], Figure]) -> None:
    check(draw(case))


def test_names_of_a_knee_map_are_apart(figures: list[Figure], tmp_path: Path) -> None:
    hosts = {"none": {}, "slow": {"frontend.overhead": 0.05, "frontend.serial": True}}
    panels = [{}, {"variant": "slow"}, {"engine.cache.enabled": False}]
    figure = {"y": "engine.prefill.batch_requests", "panels": panels}
    study = make_study(variants=hosts, figure=figure)
    plot_knee_map(study, *make_study_rows(study, lambda i: 10 * i), tmp_path / "x")
    check(figures[0])


def test_a_legend_adds_its_lines_to_the_height(draw: Callable[[str], Figure]) -> None:
    wide = draw("a legend too wide")
    panel = wide.axes[0].get_window_extent().height / wide.dpi
    assert panel > 1.5, "the panel keeps its height"
    assert any("\n" in text.get_text() for text in wide.legends[0].get_texts())


def test_bars_differ_without_colour(draw: Callable[[str], Figure]) -> None:
    figure = draw("a legend and a note")
    hatches = [bars.patches[0].get_hatch() for bars in figure.axes[0].containers if len(bars) == 2]
    assert len(set(hatches)) == len(hatches) > 1
