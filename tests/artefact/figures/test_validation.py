"""The figure of the validation suite: hollow where nothing is judged, each named in a legend."""

from pathlib import Path

import pytest

from anarchy.artefact.figures import validation
from anarchy.artefact.figures.validation import plot
from anarchy.measure.intervals import Interval
from anarchy.measure.validation.checks import Row, interval_check, judge
from tests.artefact.figures.drawn import figures_of


def mean(load: float, judged: bool = True) -> Row:
    found = Interval(2.01, 1.96, 2.06, 60)
    name = f"mm1-{load}"
    return interval_check(name, "mm1", "M/M/1", "mean sojourn", 2.0, found, 0.7, 0.01, load, judged)


@pytest.mark.parametrize("short", [False, True])
def test_points_that_are_not_judged_are_hollow_and_named_in_a_legend(
    tmp_path: Path, short: bool
) -> None:
    with figures_of(validation) as figures:
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
