"""The figure of the windows: written, and flat exactly where it is drawn thick."""

from pathlib import Path
from typing import Any

import pytest

from anarchy.artefact.figures.theory import windows as figure
from anarchy.games.theorems.windows import closed_forms, theorems


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return theorems.curve_rows()


def test_the_figure_is_written(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    figure.plot(rows, tmp_path / "windows")
    assert all((tmp_path / f"windows.{suffix}").read_bytes() for suffix in ("pdf", "png"))


def test_each_reading_is_least_and_flat_on_its_window(rows: list[dict[str, Any]]) -> None:
    for reading in closed_forms.CURVES:
        own = [row for row in rows if row["reading"] == reading]
        least = min(row["value"] for row in own)
        for row in own:
            slack = 1e-5 * row["gamma"]
            inside = row["window_low"] - slack <= row["gamma"] <= row["window_high"] + slack
            assert (row["value"] <= least * (1 + 1e-5)) == inside


def test_the_shaded_weights_lie_in_all_windows(rows: list[dict[str, Any]]) -> None:
    assert figure.safe_weights(rows) == pytest.approx([float(end) for end in closed_forms.SAFE])
