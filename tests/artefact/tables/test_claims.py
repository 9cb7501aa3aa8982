"""The table of the ledger."""

from anarchy.artefact.tables.claims import claims_table, found

ROW = {
    "id": "C04",
    "text": "the plateau & more",
    "published": "18.7 ± 0.10",
    "value": 18.02,
    "lo": 17.9,
    "hi": 18.14,
    "unit": "1",
    "verdict": "reproduced-with-mechanism",
    "where": "sec:rule-outs",
}


def test_a_line_has_its_value_its_verdict_and_its_place() -> None:
    table = claims_table([ROW])
    assert r"Sec. \ref{sec:rule-outs}" in table
    assert r"the plateau \& more" in table
    assert r"18.02 \ensuremath{\pm} 0.12" in table
    assert "with mechanism" in table
    assert r"\label{tab:claims}" in table


def test_what_was_found_may_be_exact_or_missing() -> None:
    assert found(ROW | {"value": 3, "lo": 3, "hi": 3, "unit": "members"}) == "3 members"
    assert found(ROW | {"value": None, "lo": None, "hi": None}) == "–"
