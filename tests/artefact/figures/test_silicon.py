"""The figure of the models on measured hardware: points of both models, rings without caching."""

from pathlib import Path

from anarchy.artefact.figures import silicon
from anarchy.artefact.figures.silicon import plot_silicon
from tests.artefact.figures.drawn import figures_of
from tests.artefact.tables.test_silicon import SILICON, rows


def test_every_model_has_a_point_a_table(tmp_path: Path) -> None:
    with figures_of(silicon) as figures:
        plot_silicon(SILICON, rows(), tmp_path / "silicon")
    (figure,) = figures
    left, right = figure.axes
    found = [
        (float(line.get_xdata()[0]), line.get_markerfacecolor() == line.get_color())  # type: ignore[index]
        for line in right.get_lines()
        if line.get_marker() == "o"
    ]
    assert len(found) == 2 * len(SILICON.tables) * 2
    assert sum(filled for _, filled in found) == len(found) / 2
    assert {x for x, _ in found} == {101.0, 100.0, 201.0, 200.0}
    lines = [line for line in left.get_lines() if line.get_marker() != "o"]
    spans = sorted({tuple(map(float, line.get_xdata())) for line in lines})  # type: ignore[arg-type]
    assert spans == [(1.1, 1.1), (1.1, 1.2)]
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == ["H200\nmeasured", "B200\nestimated"]
    assert (tmp_path / "silicon.pdf").stat().st_size > 1000
