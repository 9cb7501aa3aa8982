"""Every verified case of the golden set, by its id."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.games.game_files import agrees, solve

CASES = json.loads((Path(__file__).parents[1] / "golden" / "games.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_golden_case(case: dict[str, Any]) -> None:
    found = solve(case["game"])
    for quantity, expected in case["expected"].items():
        assert agrees(found[quantity], expected), (quantity, found[quantity], expected)


def test_golden_ids_are_unique() -> None:
    assert len({case["id"] for case in CASES}) == len(CASES) == 136
