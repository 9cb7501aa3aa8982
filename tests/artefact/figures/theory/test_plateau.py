"""The figure of the plateau: written and true to its rows."""

from pathlib import Path
from typing import Any

import pytest

from anarchy.artefact.figures.theory import plateau as figure
from anarchy.games.theorems import plateau


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return plateau.curve_rows()


def test_the_figure_is_written(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    figure.plot(rows, tmp_path / "plateau")
    assert all((tmp_path / f"plateau.{suffix}").read_bytes() for suffix in ("pdf", "png"))


def test_the_shaded_window_is_where_the_rows_are_flat(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        inside = figure.LOWER <= row["gamma"] <= figure.UPPER
        assert (row["value"] == figure.LEVEL) == inside
