"""The figure of router replicas: one labelled line for each bound and pool, through its rows."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

from matplotlib.figure import Figure

from anarchy.artefact.figures.theory import replicas as figure

ROWS: list[dict[str, Any]] = [
    {"id": f"{name}:{k}", "series": name, "dispatchers": k, "value": 1 + k / 100, "unit": "ratio"}
    for name in (*figure.LABELS, "a pool")
    for k in (1, 16, 256)
]


def test_what_is_drawn_is_what_the_rows_hold(tmp_path: Path) -> None:
    with patch.object(Figure, "savefig", autospec=True, side_effect=Figure.savefig) as save:
        figure.plot(ROWS, tmp_path / "x")
    (axes,) = save.call_args.args[0].axes
    assert [text.get_text() for text in axes.texts] == [*figure.LABELS.values(), "a pool"]
    for line in axes.get_lines():
        assert list(line.get_xdata()) == [1, 16, 256]
        assert list(line.get_ydata()) == [1.01, 1.16, 3.56]
    assert (tmp_path / "x.pdf").stat().st_size > 1000
