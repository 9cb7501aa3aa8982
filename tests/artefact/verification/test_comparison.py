"""Golden rows held against a build: equal, moved, inside an interval elsewhere, not checked."""

from typing import Any

import pytest

from anarchy.artefact.verification.comparison import Comparison, compare

PLATFORM = {"of": "platform", "file": "", "id": "platform", "value": "Linux x86_64"}
ELSEWHERE = PLATFORM | {"value": "Darwin arm64"}
NUMBER = {"of": "number", "file": "a.json", "id": "Ttft", "value": 2.0, "tolerance": 2e-9}
LOOSE = NUMBER | {"lo": 1.5, "hi": 2.5}
CLAIM = {"of": "claim", "file": "claims.json", "id": "C01", "value": "undecidable"}
ROWS = {
    "of": "rows", "file": "a.json", "id": "ttft", "value": 2.0, "rows": 3, "digest": 9.0,
    "tolerance": 1e-9,
}  # fmt: skip
INPUT = {"of": "input", "file": "config/a.yaml", "id": "sha256", "value": "ab"}

Row = dict[str, Any]


def held(golden: list[Row], found: list[Row], why: str = "") -> Comparison:
    return compare(golden, found, lambda row: why)


def verdict(golden: Row, found: Row, platform: Row = PLATFORM) -> tuple[str, str]:
    (check,) = held([PLATFORM, golden], [platform, found]).checks
    return check.verdict, check.why


@pytest.mark.parametrize(
    "row", [NUMBER, LOOSE, CLAIM, ROWS], ids=["number", "loose", "claim", "rows"]
)
def test_what_is_equal_holds_everywhere(row: Row) -> None:
    assert verdict(row, row) == ("holds", "")
    assert verdict(row, row, ELSEWHERE) == ("holds", "")


def test_the_last_digits_do_not_count() -> None:
    assert verdict(NUMBER, NUMBER | {"value": 2.0 + 1e-9})[0] == "holds"
    assert verdict(ROWS, ROWS | {"digest": 9.0 + 5e-10})[0] == "holds"


@pytest.mark.parametrize(
    ("row", "change", "why"),
    [
        pytest.param(NUMBER, {"value": 2.1}, "2 -> 2.1", id="number"),
        pytest.param(LOOSE, {"value": 2.1}, "2 -> 2.1", id="inside-its-interval-here"),
        pytest.param(NUMBER, {"value": None}, "2 -> -", id="number-gone"),
        pytest.param(CLAIM, {"value": "reproduced"}, "undecidable -> reproduced", id="claim"),
        pytest.param(ROWS, {"rows": 4}, "3 -> 4 rows", id="more-rows"),
        pytest.param(ROWS, {"digest": 9.1, "value": 2.1}, "mean of 3 rows 2 -> 2.1", id="mean"),
        pytest.param(ROWS, {"digest": 9.1}, "single values of its 3 rows moved", id="single"),
    ],
)
def test_what_moved_fails_and_says_from_what_to_what(row: Row, change: Row, why: str) -> None:
    assert verdict(row, row | change) == ("fails", why)


def test_on_another_platform_an_interval_counts_and_no_digest() -> None:
    assert verdict(LOOSE, LOOSE | {"value": 2.1}, ELSEWHERE)[0] == "holds"
    assert verdict(LOOSE, LOOSE | {"value": 2.6}, ELSEWHERE)[0] == "fails"
    assert verdict(NUMBER, NUMBER | {"value": 2.1}, ELSEWHERE)[0] == "fails"
    assert verdict(ROWS, ROWS | {"digest": 9.1}, ELSEWHERE)[0] == "not checked"


def test_what_is_new_or_gone_fails() -> None:
    (gone,) = held([NUMBER], []).checks
    (new,) = held([], [NUMBER]).checks
    assert (gone.why, gone.wanted) == ("is not in this build", 2.0)
    assert (new.why, new.found) == ("is not among the golden values: write them anew", 2.0)


def test_what_cannot_be_checked_says_why_and_is_not_moved() -> None:
    comparison = held([NUMBER], [NUMBER | {"value": 3.0}], "trace a is not at hand")
    assert [(c.verdict, c.why) for c in comparison.checks] == [
        ("not checked", "trace a is not at hand")
    ]
    assert comparison.moved == []


def test_changed_inputs_are_named_and_judge_nothing() -> None:
    other = INPUT | {"file": "config/b.yaml"}
    comparison = held([PLATFORM, INPUT], [PLATFORM, INPUT | {"value": "cd"}, other])
    assert comparison.checks == []
    assert comparison.inputs == ["config/a.yaml", "config/b.yaml"]


def test_pairs_that_moved_are_kept() -> None:
    after = NUMBER | {"value": 3.0}
    assert held([NUMBER, CLAIM], [after, CLAIM]).moved == [(NUMBER, after)]
