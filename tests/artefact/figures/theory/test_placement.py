"""The figure of cache placement is drawn from rows alone."""

from pathlib import Path

from anarchy.artefact.figures.theory import placement

ROWS = [
    {"id": "by-placement-cost", "topology": name, "nodes": 16, "placement_cost": c, "value": v}
    for name in ("complete graph", "star", "line", "grid", "two islands")
    for c, v in ((0.5, 1.0), (10.0, 2.0), (200.0, 1.1))
] + [
    {"id": "by-nodes", "topology": name, "nodes": n, "placement_cost": 16.0, "value": n**0.5}
    for name in ("two islands", "broom", "line, dearest", "line")
    for n in (1024, 4)
]


def test_a_missing_value_leaves_a_gap(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "value": None}, *ROWS[1:]]
    placement.plot(rows, tmp_path / "gap")
    placement.plot(ROWS, tmp_path / "whole")
    drawn = [(tmp_path / f"{name}.png").read_bytes() for name in ("gap", "whole")]
    assert drawn[0] != drawn[1]
    assert (tmp_path / "whole.pdf").stat().st_size > 5000
