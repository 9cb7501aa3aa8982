"""The figure of parallel queues: one line a set of rates."""

from pathlib import Path
from typing import Any

from anarchy.artefact.figures.theory import parallel_queues
from tests.artefact.figures.drawn import sketched

ROWS: list[dict[str, Any]] = [
    {"id": f"{rates}-{i}", "rates": rates, "load": i / 30, "value": 1 + i / 100, "unit": "ratio"}
    for rates in ("4, 1", "1, 1")
    for i in range(30)
]


def test_every_set_of_rates_has_a_labelled_line_through_its_rows(tmp_path: Path) -> None:
    with sketched() as figures:
        parallel_queues.plot(ROWS, tmp_path / "x")
    (axes,) = figures[0].axes
    assert [text.get_text() for text in axes.texts] == ["rates 4, 1", "rates 1, 1"]
    for line, rates in zip(axes.get_lines(), ("4, 1", "1, 1"), strict=True):
        chosen = [row for row in ROWS if row["rates"] == rates]
        assert list(line.get_xdata()) == [row["load"] for row in chosen]
        assert list(line.get_ydata()) == [row["value"] for row in chosen]
