"""Verdicts over many checks: Holm's procedure, rows, summaries."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common.files import read_rows, write_rows
from anarchy.measure.intervals import Interval
from anarchy.measure.validation.checks import exact_check, holm, input_check, interval_check, judge


def test_holm_by_hand() -> None:
    """0.01 <= 0.05/4 and 0.015 <= 0.05/3, but 0.03 > 0.05/2; so 0.04 passes as well."""
    assert holm([0.03, 0.01, 0.04, 0.015]) == [False, True, False, True]


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_lies_between_bonferroni_and_no_correction(p_values: list[float]) -> None:
    for p, rejected in zip(p_values, holm(p_values), strict=True):
        if p <= 0.05 / len(p_values):
            assert rejected
        if p > 0.05:
            assert not rejected


def test_holm_seldom_rejects_anything_true() -> None:
    rng = np.random.default_rng(0)
    repetitions = 4000
    wrong = sum(any(holm(rng.random(30).tolist())) for _ in range(repetitions))
    assert wrong / repetitions <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / repetitions)


def interval(value: float, half: float, p: float, **options: bool) -> dict[str, object]:
    found = Interval(value, value - half, value + half, 60)
    return interval_check("a", "g", "s", "q", 10.0, found, p, 0.01, **options)


def test_an_interval_row_says_what_it_is() -> None:
    row = interval(10.1, 0.05, 0.02)
    assert row["half_width"] == pytest.approx(0.005)
    assert row["precise"] is True
    assert row["covers"] is False
    assert row["holds"] is None


def test_an_interval_row_without_limits_neither_covers_nor_is_precise() -> None:
    row = interval_check("a", "g", "s", "q", 1.0, Interval(math.nan, None, None, 3), 0.5, 0.1)
    assert row["value"] is None
    assert (row["half_width"], row["precise"], row["covers"]) == (None, False, False)


def test_a_miss_by_chance_is_not_a_rejection() -> None:
    rows = [interval(10.1, 0.09, 0.03), *[interval(10.0, 0.1, 0.5)] * 19]
    judged = judge(rows)
    assert all(row["holds"] for row in judged[:20])
    found = {row["id"]: (row["value"], row["n"]) for row in judged[20:]}
    assert found["summary-checks"] == (20.0, 20)
    assert found["summary-intervals"] == (19.0, 20)
    assert found["summary-tests"] == (0.0, 20)


def test_a_clear_miss_is_rejected() -> None:
    judged = judge([interval(11.0, 0.1, 1e-9), interval(10.0, 0.1, 0.5)])
    assert [row["holds"] for row in judged[:2]] == [False, True]
    assert judged[-1]["value"] == 1.0


def test_what_is_not_judged_holds_neither_way() -> None:
    row = judge([interval(12.0, 0.1, 1e-9, judged=False)])[0]
    assert row["holds"] is None


@pytest.mark.parametrize(
    ("value", "tolerance", "holds"),
    [(102.0, 0.03, True), (104.0, 0.03, False), (100.0, 0.0, True), (None, 0.03, False)],
)
def test_exact_checks(value: float | None, tolerance: float, holds: bool) -> None:
    assert exact_check("a", "g", "s", "q", 100.0, value, tolerance)["holds"] is holds


def test_rows_can_be_written(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rows = judge(
        [
            interval(10.0, 0.1, 0.5),
            exact_check("b", "g", "s", "q", 1.0, 1.0),
            input_check("c", "g", "s", "q", 0.3, 100),
        ]
    )
    write_rows(tmp_path / "rows.json", rows)
    written = read_rows(tmp_path / "rows.json")
    assert [row["holds"] for row in written[:3]] == [True, True, True]
    assert all(set(rows[0]) == set(row) for row in written)
