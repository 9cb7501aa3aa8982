"""Files of two-stage games: their results, and one clear line for whatever is wrong."""

from pathlib import Path
from typing import Any

import pytest

from anarchy.games.solve import solve_file
from tests.games.refusals import assert_refused

GAME = """kind: two-stage
prefill: {p0: {polynomial: [0, 2]}, p1: {polynomial: [0, 1]}}
decode: {d0: {polynomial: [0, 2]}, d1: {polynomial: [0, 1]}}
hand_off: {p1: {d1: 3}}
requests:
  - count: 2
"""


def solve(text: str, folder: Path, nfg: str | None = None) -> dict[str, Any]:
    file = folder / "game.yaml"
    file.write_text(text, encoding="utf-8")
    return solve_file(str(file), nfg=nfg)


def test_results_name_the_workers(tmp_path: Path) -> None:
    found = solve(GAME, tmp_path)
    assert found["profiles"][0] == ["p0>d0", "p1>d1"]
    assert (found["optimum"], found["price_of_anarchy"]) == ("6", "3/2")
    assert found["separable"] is False
    assert list(found)[:4] == ["kind", "equilibria", "profiles", "optimum"]


def test_without_hand_offs_the_stages_are_separable(tmp_path: Path) -> None:
    found = solve(GAME.replace("hand_off: {p1: {d1: 3}}\n", ""), tmp_path)
    assert found["separable"] is True
    assert found["price_of_anarchy"] == "4/3"


def test_requests_may_be_limited_to_workers_and_pairs(tmp_path: Path) -> None:
    own = "  - {prefill: {p1: 0}, decode: {d0: 1, d1: 0}}\n  - {pairs: [[p0, d1]]}\n"
    found = solve(GAME.replace("  - count: 2\n", own), tmp_path)
    # The first pays an offset of one beside the second's worker, or that worker and the hand-off.
    assert found["profiles"] == [["p1>d0", "p0>d1"]]
    assert found["optimum"] == str(1 + 2 + 1 + 2 + 1)


def test_small_games_are_written_for_other_programs(tmp_path: Path) -> None:
    table = tmp_path / "game.nfg"
    found = solve(GAME, tmp_path, str(table))
    again = solve_file(str(table))
    assert (again["equilibria"], again["price_of_anarchy"]) == (found["equilibria"], "3/2")


FAULTS = {
    "unknown-worker": (
        GAME.replace("{d1: 3}", "{d7: 3}"),
        "hand_off.p1: no worker 'd7', allowed: d0",
    ),
    "unknown-stage": (GAME.replace("count: 2", "prefil: {}"), "'requests.0.prefil'; did you mean"),
    "half-a-pair": (GAME.replace("count: 2", "pairs: [[p0]]"), "requests.0.pairs.0: list should"),
    "pair-twice": (
        GAME.replace("count: 2", "pairs: [[p0, d0], [p0, d0]]"),
        "requests.0.pairs: ['p0', 'd0'] is given twice",
    ),
    "pair-of-others": (
        GAME.replace("count: 2", "pairs: [[p1, d0]]\n    prefill: {p0: 0}"),
        "requests[0].pairs: no worker 'p1'",
    ),
    "nothing-to-choose": (GAME.replace("count: 2", "prefill: {}"), "at least one pair of workers"),
    "no-requests": (GAME.replace("\n  - count: 2", " []"), "requests: at least one is needed"),
    "no-copies": (GAME.replace("count: 2", "count: 0"), "requests.0.count: must be from 1"),
    "too-many": (GAME.replace("count: 2", "count: 10000\n  - count: 1"), "requests: too many with"),
    "bad-latency": (GAME.replace("polynomial: [0, 2]", "mm1: 0"), "prefill.p0.mm1: must be gr"),
    "too-many-profiles": (GAME.replace("count: 2", "count: 20"), "profiles, too many to enum"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_one_line_that_names_file_and_key(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_refused(*FAULTS[name], tmp_path, capsys)
