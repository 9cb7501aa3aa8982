"""Checks: what holds, what fails, and how many of each."""

from anarchy.artefact.verification.checks import check, check_rows, failures, skipped, tally

CHECKS = [
    check("files", "a", ""),
    check("numbers", "b", "1 -> 2", 2, 1),
    skipped("files", "c", "no LaTeX"),
]


def test_a_check_fails_if_there_is_a_fault_to_name() -> None:
    assert [each.verdict for each in CHECKS] == ["holds", "fails", "not checked"]
    assert failures(CHECKS) == [CHECKS[1]]


def test_what_was_not_checked_neither_holds_nor_fails() -> None:
    assert tally(CHECKS) == {
        "files": {"holds": 1, "not checked": 1},
        "numbers": {"fails": 1},
    }


def test_rows_are_flat_and_told_apart() -> None:
    rows = check_rows(CHECKS)
    assert [row["id"] for row in rows] == ["files: a", "numbers: b", "files: c"]
    assert rows[1]["found"] == 2
    assert rows[1]["wanted"] == 1
