"""The tables of the comparison with Dynamo show the reference that they are given."""

import re
from collections import Counter
from typing import Any

import pytest

from anarchy.artefact.tables.dynamo import choices_table, requests_table, runs_table
from anarchy.common import paths
from anarchy.common.files import read_rows
from anarchy.measure.validation.dynamo.verdicts import judge_measured

FOLDER = paths.ROOT / paths.REFERENCE / "dynamo"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    made = [
        {**row, "id": f"made-with-{row['id']}", "group": "made-with"}
        for row in read_rows(FOLDER / "made-with.json")
    ]
    return judge_measured(read_rows(FOLDER / "measured.json")) + made


def test_captions_say_when_and_with_what_it_was_measured(rows: list[dict[str, Any]]) -> None:
    made = {row["id"]: row["value"] for row in rows if row["group"] == "made-with"}
    for table in (requests_table(rows), runs_table(rows), choices_table(rows)):
        assert "committed reference" in table
        assert str(made["made-with-date"]) in table
        assert str(made["made-with-wheel"]) in table


def test_every_comparison_has_a_line(rows: list[dict[str, Any]]) -> None:
    counts = Counter(row["group"] for row in rows)
    assert len(lines(requests_table(rows))) == counts["requests"]
    runs = counts["units"] + counts["windows"] + counts["trend"]
    assert len(lines(runs_table(rows))) == runs
    cells = {
        (r["workers"], r["system"], r["costs"], r["cost"]) for r in rows if r["group"] == "choices"
    }
    assert len(lines(choices_table(rows))) == 3 * len(cells)


def lines(table: str) -> list[str]:
    """The lines of a table's body."""
    body = table[max(table.rfind("\\midrule"), table.rfind("\\endfoot")) :]
    return [line for line in body.split("\n") if " & " in line]


def test_a_verdict_is_shown_as_it_is(rows: list[dict[str, Any]]) -> None:
    refused = [{**r, "holds": False} if r["group"] == "units" else r for r in rows]
    before, after = (
        sum(bool(re.search(r"& no +\\\\", line)) for line in lines(runs_table(given)))
        for given in (rows, refused)
    )
    assert after == before + 2
