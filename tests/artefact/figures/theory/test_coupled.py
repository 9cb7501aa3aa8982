"""The phase portrait: written and true to its rows."""

from pathlib import Path
from unittest.mock import patch

from matplotlib.figure import Figure

from anarchy.artefact.figures.theory import coupled
from anarchy.games.theorems.coupling import curve_rows

ROWS = curve_rows()


def test_each_panel_shows_both_replies_its_orbit_and_the_fixed_point(tmp_path: Path) -> None:
    with patch.object(Figure, "savefig", autospec=True, side_effect=Figure.savefig) as save:
        coupled.plot(ROWS, tmp_path / "x")
    figure = save.call_args.args[0]
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


def test_everything_that_moves_lies_within_the_axes(tmp_path: Path) -> None:
    with patch.object(Figure, "savefig", autospec=True, side_effect=Figure.savefig) as save:
        coupled.plot(ROWS, tmp_path / "x")
    (left, right), (low, high) = (
        save.call_args.args[0].axes[0].get_xlim(),
        save.call_args.args[0].axes[0].get_ylim(),
    )
    for row in ROWS:
        if row["series"].startswith("delay"):
            assert left < row["x"] < right
            assert low < row["y"] < high
