"""The figure of the saturation law: true to its rows."""

import math
from pathlib import Path
from typing import Any

import pytest

from anarchy.artefact.figures.theory import saturation as figure
from anarchy.games.theorems.queueing import saturation
from tests.artefact.figures.drawn import sketched


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return saturation.curve_rows()


def test_what_is_drawn_is_what_the_rows_hold(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    with sketched() as figures:
        figure.plot(rows, tmp_path / "x")
    left, right = figures[0].axes
    verticals = {line.get_xdata()[0] for line in left.get_lines() if len(line.get_xdata()) == 2}
    poles = {row["pole"] for row in rows if row["router"] == "linear-proxy" and row["load"]}
    assert verticals == poles
    drawn = sorted(y for line in left.get_lines() for y in line.get_ydata() if y > 1.0)
    values = [row["value"] for row in rows if row["load"]]
    assert drawn == sorted(v for v in values if v > 1 and math.isfinite(v))
    circles = [
        y for line in right.get_lines() if line.get_marker() == "o" for y in line.get_ydata()
    ]
    assert circles == [row["value"] for row in rows if row["quantity"] == "critical load"]
    worst = max(row["value"] for row in rows if row["router"] == "latency-aware")
    assert any(f"at most {worst:.2f}" in text.get_text() for text in left.texts)
