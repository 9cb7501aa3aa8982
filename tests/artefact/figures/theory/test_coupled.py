"""The phase portrait: true to its rows."""

import pytest
from matplotlib.figure import Figure

from anarchy.artefact.figures.theory import coupled
from anarchy.games.theorems.coupling import curve_rows
from tests.artefact.figures.drawn import sketched

ROWS = curve_rows()


@pytest.fixture(scope="module")
def figure(tmp_path_factory: pytest.TempPathFactory) -> Figure:
    with sketched() as figures:
        coupled.plot(ROWS, tmp_path_factory.mktemp("figure") / "x")
    return figures[0]


def test_each_panel_shows_both_replies_its_orbit_and_the_fixed_point(figure: Figure) -> None:
    for axes, (orbit, title) in zip(figure.axes, coupled.PLANES, strict=True):
        assert axes.get_title(loc="left") == title
        texts = [text.get_text() for text in axes.texts]
        assert all(text in texts for *_, text in coupled.LABELS)
        way, limit = (
            [row["x"] for row in ROWS if row["series"] == orbit][part]
            for part in (slice(None, coupled.SETTLED + 1), slice(coupled.SETTLED, None))
        )
        drawn = [list(line.get_xdata()) for line in axes.get_lines()]
        assert way in drawn
        assert limit in drawn
        for series in ("caches", "planner", "point"):
            assert [row["x"] for row in ROWS if row["series"] == series] in drawn


def test_everything_that_moves_lies_within_the_axes(figure: Figure) -> None:
    axes = figure.axes[0]
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    for row in ROWS:
        if row["series"].startswith("delay"):
            assert left < row["x"] < right
            assert low < row["y"] < high
