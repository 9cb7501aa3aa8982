"""The rows behind the bounds table and the parallel-server figure."""

from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest
import yaml

from anarchy.common.files import Row, read_rows, write_rows
from anarchy.games.common.latency import Polynomial
from anarchy.games.poa_table import (
    DERIVED,
    OFFSET_WEIGHTS,
    bounds_rows,
    mm1_curve_rows,
    parallel_queues_rows,
)
from anarchy.games.routing import congestion
from anarchy.games.routing.solve import solve_routing

KEYS = ["id", "quantity", "setting", "value", "exact", "unit", "source", "method", "certified"]
NUMBERS = Path(__file__).parents[2] / "paper" / "numbers.d" / "games.yaml"


@cache
def rows() -> dict[str, Row]:
    """The bounds by id."""
    return {row["id"]: row for row in bounds_rows()}


def test_rows_share_one_shape_and_unique_ids() -> None:
    assert len(rows()) == len(bounds_rows())
    for row in rows().values():
        assert list(row) == KEYS
        assert row["unit"] == "ratio"
        assert row["exact"] is None or float(Fraction(row["exact"])) == row["value"]


def test_rows_are_certified_unless_they_are_marked_as_closed_forms() -> None:
    formulas = {name for name, row in rows().items() if not row["certified"]}
    assert formulas == {n for n, row in rows().items() if row["method"].startswith("closed form")}
    derived = {name for name, row in rows().items() if row["method"] == DERIVED}
    assert derived == {name for name in rows() if name.startswith("parallel-")}


@pytest.mark.parametrize("weight", OFFSET_WEIGHTS)
def test_one_request_alone_loses_the_weight_or_its_inverse(weight: Fraction) -> None:
    """It cannot tell an offset of 1 from a latency of `weight`, and may take the dearer one."""
    latencies = {"here": Polynomial((Fraction(0),)), "there": Polynomial((Fraction(0), weight))}
    strategies = (
        congestion.Strategy(frozenset({"here"}), Fraction(1)),
        congestion.Strategy(frozenset({"there"}), Fraction(0)),
    )
    found = solve_routing(congestion.CongestionGame(latencies, (strategies,), weight))
    assert found.price_of_anarchy == max(weight, 1 / weight)
    name = f"offset-weight-{weight}".replace("/", "-")
    assert found.price_of_anarchy <= Fraction(rows()[name]["exact"])


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
        "parallel-dispatchers-4": "4/3",
        "parallel-equal": "1",
        "parallel-equal-proxy": "66937/4437",
    }
    assert {name: rows()[name]["exact"] for name in expected} == expected


def test_rows_survive_writing(tmp_path: Path) -> None:
    write_rows(tmp_path / "bounds.json", list(rows().values()))
    assert [row["id"] for row in read_rows(tmp_path / "bounds.json")] == list(rows())


def test_every_number_of_the_text_has_its_row() -> None:
    for entry in yaml.safe_load(NUMBERS.read_text("utf-8")):
        assert entry["file"] == "theory/bounds.json"
        row = rows()[entry["id"]]
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


def test_parallel_server_curves_cover_every_load_and_end_near_their_limit() -> None:
    rows = parallel_queues_rows()
    assert len({row["id"] for row in rows}) == len(rows) == 4 * 102
    limits = {"4, 1": 10 / 9, "9, 4, 1": 7 / 6, "16, 1, 1": 3 / 2, "1, 1": 1}
    for rates, limit in limits.items():
        chosen = [row for row in rows if row["rates"] == rates]
        assert [row["load"] for row in chosen] == sorted(row["load"] for row in chosen)
        assert chosen[-1]["load"] == 1 - 1e-5
        assert chosen[-1]["value"] == pytest.approx(limit, rel=1e-4)
