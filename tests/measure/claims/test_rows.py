"""Rows of verdicts that are read from a file are what they should be."""

from typing import Any

import pytest

from anarchy.measure.claims.rows import checked

VERDICT = {"id": "C01", "text": "it grows", "published": "yes", "mark": "A", "where": "sec:a"}
VERDICT |= {"value": 1.5, "lo": 1.0, "hi": None, "unit": "1", "verdict": "reproduced"}
VERDICT |= {"mechanism": None}


def test_rows_come_back_as_they_are() -> None:
    rows = [VERDICT | {"more": 1}]
    assert checked("claims.json", rows) == rows


@pytest.mark.parametrize("change", [{"text": 3}, {"value": "x"}, {"verdict": None}])
def test_other_rows_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        checked("claims.json", [VERDICT | change])


def test_rows_of_another_file_are_refused() -> None:
    with pytest.raises(ValueError, match="holds"):
        checked("claims.evidence.json", [VERDICT])
