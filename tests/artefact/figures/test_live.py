"""The live figure: a line and dots for each long series, in each panel."""

from pathlib import Path

from anarchy.artefact.figures import live
from anarchy.artefact.figures.live import FEWEST_POINTS, PANELS, plot
from tests.artefact.figures.drawn import figures_of


def rows(series: str, points: int) -> list[dict]:
    return [
        {
            "id": f"{series}-{clients}-{quantity}",
            "group": quantity,
            "series": series,
            "clients": clients,
            "value": 1.02 * clients,
            "lo": None if clients == 1 else clients,
            "hi": None if clients == 1 else 1.04 * clients,
            "expected": clients,
        }
        for clients in range(1, points + 1)
        for quantity in PANELS
    ]


def test_short_series_are_left_to_the_table(tmp_path: Path) -> None:
    with figures_of(live) as figures:
        plot([*rows("long", FEWEST_POINTS), *rows("short", 2)], tmp_path / "live")
    (figure,) = figures
    assert len(figure.axes) == len(PANELS)
    for axes in figure.axes:
        line, dots = axes.get_lines()[:2]
        assert list(line.get_ydata()) == [1, 2, 3, 4]
        assert dots.get_marker() == "o"
        assert list(dots.get_ydata()) == [1.02 * clients for clients in (1, 2, 3, 4)]
    named = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert named == ["simulator", "Dynamo 0.9.0, live", "long"]
    assert (tmp_path / "live.pdf").is_file()
