"""Figures exist, show the rows, stand hostile text, and come out the same on every run."""

import itertools
import math
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import matplotlib
import pytest
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from anarchy.artefact.display import Scale
from anarchy.artefact.figures import experiments
from anarchy.artefact.figures.experiments import PAIRED_NOTE, plot_experiment, series_of
from anarchy.artefact.figures.knee_map import plot_knee_map
from anarchy.artefact.figures.panels import (
    Series,
    _PlainNumbers,
    _spread,
    draw_heatmap,
    draw_knees,
    draw_lines,
    draw_prediction,
    norm_for,
    ticks,
)
from anarchy.artefact.figures.style import saved_figure
from anarchy.common.errors import InputError
from anarchy.config.experiment import Experiment
from tests.artefact.conftest import (
    HOSTILE,
    KNEES,
    make_experiment,
    make_rows,
    make_study,
    make_study_rows,
)
from tests.artefact.figures.drawn import sketched

PLAIN = Scale(1.0, "")
GRID = {"workload.clients": [64, 192], "router.temperature": [0.0, 0.7]}
HEATMAP = {
    "kind": "heatmap",
    "x": "router.temperature",
    "rows": "workload.clients",
    "panels": "scenario",
    "y": ["ttft-p99", "throughput"],
}


def files(base: Path) -> list[bytes]:
    found = [base.parent / f"{base.name}{suffix}" for suffix in (".pdf", ".png")]
    assert found[0].read_bytes().startswith(b"%PDF")
    assert found[1].read_bytes().startswith(b"\x89PNG")
    return [path.read_bytes() for path in found]


def plot(base: Path, knees: list[dict[str, Any]] | None = None, **changes: Any) -> None:
    experiment = make_experiment(**changes)
    plot_experiment("x", experiment, make_rows(experiment), knees or [], base)


CASES: dict[str, dict[str, Any]] = {
    "line": {},
    "line with knees": {"knee": {}, "knees": KNEES},
    "log axes": {
        "figure": {"x": "workload.clients", "y": ["ttft-p99"], "log_x": True, "log_y": True}
    },
    "log axis from zero": {
        "sweep": {"router.temperature": [0.0, 0.7]},
        "figure": {"x": "router.temperature", "y": ["ttft-p99"], "log_x": True},
    },
    "one point": {
        "scenarios": ["70b-1p2d"],
        "sweep": {"workload.clients": [64]},
        "figure": {"x": "workload.clients", "y": ["ttft-p99"], "log_x": True},
    },
    "words on the axis": {
        "sweep": {"router.policy": ["kv", "round-robin"]},
        "figure": {"x": "router.policy", "y": ["ttft-p99"]},
    },
    "many lines": {
        "sweep": {**GRID, "router.overlap_weight": [0.0, 0.1, 1.0]},
        "figure": {"x": "router.temperature", "y": ["ttft-p99"]},
    },
    "field nobody named": {
        "sweep": {"model.quaint_field": [1, 2]},
        "figure": {"x": "model.quaint_field", "y": ["ttft-p99"]},
    },
    "bars": {
        "sweep": {"router.policy": ["kv", "round-robin"]},
        "figure": {"kind": "bar", "x": "router.policy", "y": ["ttft-p99"], "series": "scenario"},
    },
    "bars of scenarios": {
        "sweep": {},
        "figure": {"kind": "bar", "x": "scenario", "y": ["throughput"], "log_y": True},
    },
    "heatmap": {"sweep": GRID, "figure": HEATMAP},
    "heatmap with a curve": {
        "sweep": GRID,
        "figure": {**HEATMAP, "curve": [[0.0, 64], [0.5, 192]]},
    },
    "heatmap with a curve in one panel": {
        "sweep": {**GRID, "router.normalise": [False, True]},
        "figure": {
            **HEATMAP,
            "panels": "router.normalise",
            "curve": [[0.0, 64], [0.5, 192]],
            "curve_in": {"router.normalise": False},
        },
    },
    "line with a curve": {
        "figure": {"x": "workload.clients", "y": ["ttft-p99"], "curve": [[64, 0.1], [128, 0.2]]}
    },
    "heatmap with a frame": {
        "sweep": GRID,
        "figure": {**HEATMAP, "published": {"workload.clients": 64}},
    },
    "hostile": {
        "title": HOSTILE,
        "sweep": {"router.policy": [HOSTILE, "$\\frac{", "$$"]},
        "figure": {"kind": "bar", "x": "router.policy", "y": ["ttft-p99"], "series": "scenario"},
    },
}


WRITTEN = ("line with knees", "bars", "heatmap with a curve", "hostile")
"""Cases of which the files are written; the others have no marks but theirs."""


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", CASES)
def test_every_kind_is_drawn(tmp_path: Path, name: str) -> None:
    with nullcontext() if name in WRITTEN else sketched():
        plot(tmp_path / "a.b", **CASES[name])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.b.pdf", "a.b.png"]
    if name in WRITTEN:
        files(tmp_path / "a.b")


@pytest.mark.filterwarnings("ignore:Glyph")
def test_text_of_users_is_drawn_as_it_is(tmp_path: Path) -> None:
    experiment = make_experiment()
    with sketched():
        plot_experiment("x", experiment, make_rows(experiment, label=HOSTILE), [], tmp_path / "x")
        with saved_figure(tmp_path / "y", 2, 2) as figure:
            assert not figure.text(0.5, 0.5, "$x$").get_parse_math()


def test_losses_have_the_same_colours_everywhere(tmp_path: Path) -> None:
    loss = "loss-lo:e2e-mean"
    experiment = make_experiment(sweep=GRID, figure=HEATMAP | {"y": [loss]})
    shades = []
    for largest in (1.1, 20.0):
        rows = [row for row in make_rows(experiment) if row["id"] == "ttft-p99"]
        for row in rows:
            row.update(id=loss, value=1.1, lo=None, hi=None)
        rows[0].update(value=largest)
        with sketched(), patch.object(experiments, "draw_heatmap", return_value="") as drawn:
            plot_experiment("x", experiment, rows, [], tmp_path / "x")
        shades.append(drawn.call_args.args[3](1.1))
    assert shades[0] == shades[1] == pytest.approx(math.log10(1.1))


@pytest.mark.parametrize("value", [None, float("inf")])
@pytest.mark.parametrize("kind", ["line", "bar", "heatmap"])
def test_values_that_cannot_be_drawn_are_left_out(
    tmp_path: Path, kind: str, value: float | None
) -> None:
    figure = HEATMAP | {"kind": kind, "log_y": True, "y": ["ttft-p99"]}
    if kind != "heatmap":
        figure["rows"] = None
    experiment = make_experiment(sweep=GRID, figure=figure)
    rows = make_rows(experiment)
    with sketched():
        for row in rows[::3]:
            row.update(value=value, lo=None, hi=value)
        plot_experiment("x", experiment, rows, [], tmp_path / "some")
        for row in rows:
            row.update(value=value, lo=None, hi=value)
        plot_experiment("x", experiment, rows, [], tmp_path / "all")


@pytest.mark.parametrize(
    ("figure", "fault"),
    [
        ({"x": "workload.clients", "y": ["ttft-p9"]}, r"x: figure\.y: did you mean 'ttft-p99'"),
        ({"x": "workload.client", "y": ["ttft-p99"]}, r"figure\.x: .*'workload\.clients'"),
        ({"x": "scenario", "y": ["ttft-p99"], "kind": "heatmap"}, "'rows' belongs to figures"),
        (
            {"x": "scenario", "y": ["ttft-p99"], "curve_in": {"x": 1}},
            "'curve_in' belongs to figures",
        ),
        (
            {"x": "scenario", "y": ["ttft-p99"], "kind": "bar", "curve": [[0, 1]]},
            "'curve' belongs to figures",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    tmp_path: Path, figure: dict[str, Any], fault: str
) -> None:
    with pytest.raises(InputError, match=fault):
        plot(tmp_path / "x", figure=figure)
    assert not list(tmp_path.iterdir())


def test_a_curve_is_drawn_in_the_panels_that_it_is_for(tmp_path: Path) -> None:
    """It is two lines, dark within light; panels without it have none."""
    figure = {**HEATMAP, "panels": "router.normalise", "curve": [[0.0, 64], [0.5, 192]]}
    figure["curve_in"] = {"router.normalise": False}
    sweep = {**GRID, "router.normalise": [False, True]}
    with sketched() as figures:
        plot(tmp_path / "x", sweep=sweep, figure=figure)
    lines = [len(axes.get_lines()) for axes in figures[0].axes if axes.get_images()]
    assert sorted(lines) == [0] * (len(lines) // 2) + [2] * (len(lines) // 2)
    assert lines


def test_a_prediction_is_in_the_unit_of_the_axis(tmp_path: Path) -> None:
    with sketched(), saved_figure(tmp_path / "x", 3, 3) as figure:
        axes = figure.add_subplot()
        draw_prediction(axes, [[1, 0.1], [2, 0.3]], Scale(1000.0, "ms"))
        draw_prediction(axes, [], Scale(1.0, ""))
        (line,) = axes.get_lines()
        assert list(line.get_ydata()) == pytest.approx([100, 300])


def test_a_line_goes_through_the_rows(tmp_path: Path) -> None:
    points = [(1, 0.1, 0.09, 0.11), (2, 0.2, None, None), (4, None, None, None)]
    with sketched(), saved_figure(tmp_path / "x", 3, 3) as figure:
        axes = figure.add_subplot()
        draw_lines(axes, [Series("a", {}, points)], Scale(1000.0, "ms"), False, False)
        (line,) = axes.get_lines()
        assert list(line.get_xdata()) == [1, 2, 4]
        assert list(line.get_ydata())[:2] == [100, 200]


def test_lines_on_top_of_each_other_differ_in_width_and_marker(tmp_path: Path) -> None:
    same = [(1, 1.0, None, None), (2, 1.0, None, None)]
    with sketched(), saved_figure(tmp_path / "x", 3, 3) as figure:
        axes = figure.add_subplot()
        draw_lines(axes, [Series(str(i), {}, same) for i in range(3)], PLAIN, False, False)
        widths = [line.get_linewidth() for line in axes.get_lines()]
        assert widths == sorted(widths, reverse=True)
        assert len(set(widths)) == len({line.get_marker() for line in axes.get_lines()}) == 3


def test_bounds_at_one_place_have_marks_of_their_own(tmp_path: Path) -> None:
    with sketched(), saved_figure(tmp_path / "x", 3, 3) as figure:
        axes = figure.add_subplot()
        axes.set_xlim(1, 512)
        draw_knees(
            axes,
            [(0, 96, 112, 106.5), (1, 96, 112, 106.5), (2, 112, 128, 120.0), (3, 1, 2, 600.0)],
        )
        marks = axes.get_lines()
        assert [list(mark.get_xdata()) for mark in marks] == [[b, b] for b in (106.5, 106.5, 120)]
        spans = [tuple(mark.get_ydata()) for mark in marks]
        assert spans[0][0] == 1
        assert all(upper[1] == lower[0] for upper, lower in itertools.pairwise(spans))
        assert len({mark.get_color() for mark in marks}) == 3
        bands = {patch.get_facecolor() for patch in axes.patches}
        assert len(axes.patches) == len(bands) == 3


def test_a_heatmap_prints_values_and_its_widest_interval_once(tmp_path: Path) -> None:
    cells = [[(1.0, 0.9999, 1.00014), (1.25, 1.25, 1.25)], [(None, None, None), (2.0, None, None)]]
    with sketched(), saved_figure(tmp_path / "x", 3, 3) as figure:
        axes = figure.add_subplot()
        note = draw_heatmap(axes, cells, PLAIN, norm_for([1.0, 2.0], PLAIN, False))
        assert [text.get_text() for text in axes.texts] == ["1.0000", "1.2500", "2.0000"]
        assert note == "95 % half-widths ≤ 0.00014"
        alone = draw_heatmap(axes, [[(3.0, None, None)]], PLAIN, norm_for([3.0], PLAIN, False))
        assert alone == ""


@pytest.mark.parametrize(
    ("places", "texts"),
    [
        ([0, 5, 10], ["0", "5", "10"]),
        ([1.0, 1.0005, 1.001], ["1", "1.0005", "1.001"]),
        ([1.0, 1.00025, 1.0005], ["1", "1.00025", "1.0005"]),
        ([0.1, 1, 10], ["0.1", "1", "10"]),
        ([0.333333], ["0.333"]),
    ],
)
def test_neighbouring_ticks_differ(tmp_path: Path, places: list[float], texts: list[str]) -> None:
    with sketched(), saved_figure(tmp_path / "x", 3, 3) as figure:
        axis = figure.add_subplot().yaxis
        axis.set_ticks(places)
        axis.set_major_formatter(_PlainNumbers())
        assert axis.get_major_formatter().format_ticks(places) == texts


def drawn(experiment: Experiment, folder: Path) -> Figure:
    with sketched() as figures:
        plot_experiment("x", experiment, make_rows(experiment), [], folder / "x")
    return figures[0]


def test_long_names_go_into_a_legend_within_the_figure(tmp_path: Path) -> None:
    experiment = make_experiment(
        scenarios=["a-rather-long-name-of-a-scenario", "another-long-name-of-a-scenario"]
    )
    figure = drawn(experiment, tmp_path)
    (legend,) = figure.legends
    names = ["a rather long name of a scenario", "another long name of a scenario"]
    assert [text.get_text() for text in legend.get_texts()] == names
    assert 0 <= legend.get_window_extent().x0 < legend.get_window_extent().x1 <= figure.bbox.width


def test_a_compared_experiment_points_to_the_paired_differences(tmp_path: Path) -> None:
    compare = {"field": "router.policy", "baseline": "kv", "measures": ["ttft-p99"]}
    notes = []
    for chosen in (None, compare):
        experiment = make_experiment(**CASES["bars"], compare=chosen)
        notes.append(drawn(experiment, tmp_path).legends[0].get_title().get_text())
    assert notes == ["", PAIRED_NOTE]


def test_labels_keep_their_order_and_distance() -> None:
    spread = _spread([0.1, 0.11, 0.12, 0.5], 0.1)
    assert spread == pytest.approx([0.01, 0.11, 0.21, 0.5])
    # Moved apart, a pair can reach the next label, which then moves along.
    spread = _spread([0.10, 0.10, 0.19], 0.1)
    assert spread[1] - spread[0] == pytest.approx(0.1)
    assert spread[2] - spread[1] == pytest.approx(0.1)
    assert _spread([], 0.1) == []


@pytest.mark.parametrize(
    ("values", "log", "chosen"),
    [
        ([1, 2, 4, 8, 16, 32, 48, 64], True, [1, 2, 4, 8, 16, 32, 64]),
        ([64], True, [64]),
        ([0, 0.05, 0.7, 0.8], False, [0.05, 0.7, 0.8]),
    ],
)
def test_ticks_leave_room(values: list[float], log: bool, chosen: list[float]) -> None:
    assert ticks(values, log) == chosen


def test_the_colours_of_constant_and_empty_panels() -> None:
    assert (norm_for([2.0, 2.0], PLAIN, False).vmin, norm_for([None], PLAIN, False).vmax) == (
        1.5,
        1,
    )
    assert isinstance(norm_for([1.0, 10.0], PLAIN, True), LogNorm)
    assert not isinstance(norm_for([0.0, 10.0], PLAIN, True), LogNorm)


def test_knee_maps(tmp_path: Path) -> None:
    hosts = {"none": {}, "slow": {"frontend.overhead": 0.05, "frontend.serial": True}}
    panels = [{}, {"variant": "slow"}, *({"engine.cache.enabled": False} for _ in range(3))]
    figure = {"y": "engine.prefill.batch_requests", "panels": panels}

    def plot_map(**changes: Any) -> None:
        study = make_study(**changes)
        rows, limits = make_study_rows(study, lambda i: 60 + 20 * i if i < 7 else None)
        plot_knee_map(study, rows, limits, tmp_path / "map")

    with sketched():
        plot_map()
    plot_map(variants=hosts, figure=figure)
    files(tmp_path / "map")


SCRIPT = """
import sys
from pathlib import Path
from anarchy.artefact.figures.experiments import plot_experiment
from tests.artefact.conftest import KNEES, make_experiment, make_rows
experiment = make_experiment(knee={})
plot_experiment("x", experiment, make_rows(experiment), KNEES, Path(sys.argv[1]))
"""


def test_bytes_do_not_depend_on_the_run(tmp_path: Path) -> None:
    """Neither time, nor the user's matplotlib settings and caches, nor hash seed or locale."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "matplotlibrc").write_text("font.size: 20\nsavefig.dpi: 30\n")
    plot(tmp_path / "here", knee={}, knees=KNEES)
    environment = os.environ | {
        "MPLCONFIGDIR": str(tmp_path / "config"),
        "PYTHONHASHSEED": "7",
        "LC_ALL": "C",
        "TZ": "Asia/Tokyo",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    target = tmp_path / "other folder" / "there"
    subprocess.run([sys.executable, "-c", SCRIPT, str(target)], env=environment, check=True)
    assert files(target) == files(tmp_path / "here")


def test_the_style_of_others_is_left_alone(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    with sketched():
        plot(tmp_path / "x")
    assert dict(matplotlib.rcParams) == before


def test_a_failed_figure_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with saved_figure(tmp_path / "x", 2, 2):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_hidden_sweep_becomes_lines_of_its_own() -> None:
    experiment: Experiment = make_experiment(
        sweep=GRID, figure={"x": "workload.clients", "y": ["ttft-p99"]}
    )
    rows = [row for row in make_rows(experiment) if row["id"] == "ttft-p99"]
    lines = series_of(experiment, rows)
    assert [line.label for line in lines] == [
        "70B 1P/2D, τ = 0",
        "70B 1P/2D, τ = 0.7",
        "70B 1P/5D, τ = 0",
        "70B 1P/5D, τ = 0.7",
    ]
    assert [point[:2] for point in lines[1].points] == [
        (row["workload.clients"], row["value"])
        for row in rows
        if row["scenario"] == "70b-1p2d" and row["router.temperature"] == 0.7
    ]
