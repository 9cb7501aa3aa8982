"""The rows behind the bounds table and the parallel-server figure."""

from fractions import Fraction
from pathlib import Path

import yaml

from anarchy.files import read_rows, write_rows
from anarchy.games.bounds import bounds_rows, mm1_curve_rows

ROWS = {row["id"]: row for row in bounds_rows()}
KEYS = ["id", "quantity", "setting", "value", "exact", "unit", "source", "method", "certified"]
NUMBERS = Path(__file__).parents[2] / "paper" / "numbers.d" / "games.yaml"


def test_rows_share_one_shape_and_unique_ids() -> None:
    assert len(ROWS) == len(bounds_rows())
    for row in ROWS.values():
        assert list(row) == KEYS
        assert row["unit"] == "ratio"
        assert row["exact"] is None or float(Fraction(row["exact"])) == row["value"]


def test_rows_are_solved_here_unless_they_are_marked_as_formulas() -> None:
    formulas = {name for name, row in ROWS.items() if not row["certified"]}
    assert formulas == {name for name, row in ROWS.items() if row["method"] == "closed form"} - {
        name for name in ROWS if name.startswith("parallel-")
    }


def test_known_values() -> None:
    expected = {
        "atomic-degree-1": "5/2",
        "atomic-degree-2": "115/12",
        "offset-weight-2-3": "5/2",
        "offset-weight-2": "8/3",
        "instance-three-players": "5/2",
        "instance-two-workers-offset": "5/2",
        "caching-complete": "1",
        "caching-complete-miss-cost": "72/17",
        "caching-islands": "223/50",
        "parallel-4-1-entry": "6/5",
        "parallel-4-1-limit": "10/9",
        "parallel-equal": "1",
        "parallel-equal-proxy": "66937/4437",
    }
    assert {name: ROWS[name]["exact"] for name in expected} == expected


def test_rows_survive_writing(tmp_path: Path) -> None:
    write_rows(tmp_path / "bounds.json", list(ROWS.values()))
    assert [row["id"] for row in read_rows(tmp_path / "bounds.json")] == list(ROWS)


def test_every_number_of_the_text_has_its_row() -> None:
    for entry in yaml.safe_load(NUMBERS.read_text("utf-8")):
        assert entry["file"] == "theory/bounds.json"
        row = ROWS[entry["id"]]
        assert row[entry["field"]] is not None


def test_curve_of_unequal_servers_falls_towards_capacity() -> None:
    rows = mm1_curve_rows([4, 1], [Fraction(3, 5), Fraction(4, 5), Fraction(99, 100)])
    assert rows[0]["id"] == "mm1:4-1:load-3/5"
    values = [row["value"] for row in rows]
    assert values == sorted(values, reverse=True)
    assert rows[0]["exact"] == "6/5"
    assert [row["equilibrium_servers"] for row in rows] == [1, 2, 2]


def test_curve_at_no_load_and_at_capacity_has_no_ratio() -> None:
    idle, full = mm1_curve_rows([4, 1], [Fraction(0), Fraction(1)])
    assert idle["value"] is full["value"] is None
    assert idle["reason"] == "the optimum is 0, a ratio needs one above 0"
    assert full["reason"] == "every outcome costs infinitely much"
    assert full["equilibrium_servers"] is None
