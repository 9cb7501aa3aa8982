"""Verdicts over what was measured beside Dynamo: they follow the data, and wrong data fails."""

from typing import Any

import pytest

from anarchy.common import paths
from anarchy.common.files import read_rows
from anarchy.measure.validation.dynamo.names import CLASSES
from anarchy.measure.validation.dynamo.verdicts import judge_measured, judge_requests, judge_units

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def kept() -> Rows:
    return read_rows(paths.ROOT / paths.REFERENCE / "dynamo" / "measured.json")


@pytest.fixture(scope="module")
def judged(kept: Rows) -> Rows:
    return judge_measured(kept)


def row(rows: Rows, name: str) -> dict[str, Any]:
    return next(row for row in rows if row["id"] == name)


def test_ids_are_unique_and_verdicts_complete(judged: Rows) -> None:
    assert len({row["id"] for row in judged}) == len(judged)
    undecided = [row["id"] for row in judged if row["holds"] is None and row["group"] != "summary"]
    assert undecided == ["requests-preemption"]


def test_intervals_hold_their_value(judged: Rows) -> None:
    ends = [row for row in judged if row["lo"] is not None]
    assert ends
    assert all(row["lo"] <= row["value"] <= row["hi"] for row in ends)


def test_the_summary_counts(judged: Rows) -> None:
    decided = [row for row in judged if row["holds"] is not None]
    checks = row(judged, "summary-checks")
    assert (checks["value"], checks["n"]) == (sum(r["holds"] for r in decided), len(decided))
    tests = [row for row in decided if row["p"] is not None]
    assert row(judged, "summary-tests")["n"] == len(tests)
    requests = [row(judged, f"summary-requests-{name}") for name in CLASSES]
    assert sum(r["value"] for r in requests) == requests[0]["n"]


def test_a_request_too_many_that_differs_fails(kept: Rows) -> None:
    case = row(kept, "requests-fixed")
    assert judge_requests(case)["holds"]
    for wrong in ({"within": 0.98 * case["n"]}, {"ttft_error": 0.011}, {"reuse_error": 0.011}):
        assert judge_requests({**case, **wrong})["holds"] is False


def test_one_wrong_answer_of_a_part_fails(kept: Rows) -> None:
    part = row(kept, "units-overlap")
    assert judge_units(part)["holds"]
    assert not judge_units({**part, "equal": part["n"] - 1})["holds"]


def test_a_frequency_six_errors_off_fails_and_certainty_bears_no_exception(kept: Rows) -> None:
    drawn, certain = (
        next(
            r
            for r in kept
            if r["group"] == "choices" and r["side"] == "dynamo" and (r["probability"] == 1) == sure
        )
        for sure in (False, True)
    )
    p, n = drawn["probability"], drawn["n"]
    for cell, taken in ((drawn, round(n * p + 6 * (n * p * (1 - p)) ** 0.5)), (certain, n - 1)):
        rows = [{**r, "taken": taken} if r is cell else r for r in kept]
        found = row(judge_measured(rows), f"{cell['id']}-dynamo")
        assert not found["holds"]


def test_runs_a_tenth_slower_fail(kept: Rows) -> None:
    slow = [
        {**r, "ttft": 1.1 * r["ttft"]}
        if r["group"] in ("windows", "trend") and r["side"] == "ours"
        else r
        for r in kept
    ]
    found = judge_measured(slow)
    times = [r for r in found if r["group"] in ("windows", "trend") and r["unit"] == "s"]
    assert not any(r["holds"] for r in times)
