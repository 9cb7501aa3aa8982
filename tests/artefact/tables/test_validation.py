"""The table and the figure of the suite."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from matplotlib.figure import Figure

from anarchy.artefact.figures.style import saved_figure
from anarchy.artefact.tables.validation import plot, validation_table
from anarchy.measure.intervals import Interval
from anarchy.measure.validation.checks import Row, exact_check, input_check, interval_check, judge
from tests.artefact.conftest import body


def rows() -> list[Row]:
    def mean(load: float, value: float, p: float) -> Row:
        found = Interval(value, value - 0.05, value + 0.05, 60)
        name = f"mm1-{load}"
        return interval_check(name, "mm1", "M/M/1", "mean sojourn", 2.0, found, p, 0.01, load)

    return judge(
        [
            mean(0.5, 2.01, 0.7) | {"plain": 0.1},
            mean(0.9, 2.9, 1e-9) | {"plain": 0.2},
            input_check("a", "mm1", "M/M/1", "laws", 0.5, 10),
            exact_check("b", "knees", "one, 3 tokens", "knee", 10.0, 10.0, 0.05),
            exact_check("c", "knees", "two, 3 tokens", "knee", 10.0, 12.0, 0.05),
        ]
    )


def test_what_the_table_says() -> None:
    dash = ["--"] * 6
    assert body(validation_table(rows())) == [
        ["M/M/1", "mean sojourn", "0.5", "2", "2.01", "2.5", "10", "yes", "yes"],
        ["M/M/1", "mean sojourn", "0.9", "2", "2.9", "2.5", "20", "no", "no"],
        ["M/M/1", "laws", *dash, "1 of 1"],
        ["2 systems", "knee", *dash, "1 of 2"],
    ]


def test_the_figure_is_the_same_twice(tmp_path: Path) -> None:
    for name in ("first", "second"):
        plot(rows(), tmp_path / name)
    assert (tmp_path / "first.pdf").read_bytes() == (tmp_path / "second.pdf").read_bytes()
    assert (tmp_path / "first.png").stat().st_size > 1000


@pytest.mark.parametrize("short", [False, True])
def test_points_that_are_not_judged_are_hollow_and_named_in_a_legend(
    tmp_path: Path, short: bool
) -> None:
    def mean(load: float, judged: bool) -> Row:
        found = Interval(2.01, 1.96, 2.06, 60)
        name = f"mm1-{load}"
        return interval_check(
            name, "mm1", "M/M/1", "mean sojourn", 2.0, found, 0.7, 0.01, load, judged
        )

    figures: list[Figure] = []

    @contextmanager
    def kept(out_base: Path, width: float, height: float) -> Iterator[Figure]:
        with saved_figure(out_base, width, height) as figure:
            yield figure
            figures.append(figure)

    with patch("anarchy.artefact.tables.validation.saved_figure", kept):
        plot(judge([mean(0.5, True), mean(0.9, not short)]), tmp_path / "validation")
    (figure,) = figures
    drawn = {
        float(x): line.get_markerfacecolor() == line.get_color()
        for line in figure.axes[0].get_lines()
        if line.get_marker() == "o"
        for x in line.get_xdata()
    }
    assert drawn == {0.5: True, 0.9: not short}, "filled where judged"
    named = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert named == (["judged", "run too short to be judged"] if short else [])
