"""The tables of what is ruled out and of what gives the published changes."""

from anarchy.artefact.tables.rule_outs import mechanisms_table, pairs_table

PAIR = {"id": "C12+C13", "scenario": "70b-1p5d-v09", "clients": 192, "value": 2.085, "most": 1.555}
PAIR |= {"first_token": 0.0325, "unloaded": 0.0162, "possible": False}


def mechanism(name: str, claim: str, kind: str, value: float | None, met: bool | None) -> dict:
    row = {"id": name, "claim": claim, "kind": kind, "value": value, "met": met, "unit": "1"}
    return row | {"published": 0.324}


def test_a_pair_has_what_it_needs_and_what_there_is() -> None:
    index = PAIR | {"id": "C12+C11", "possible": None}
    table = pairs_table([PAIR, index])
    assert "C12 + C13" in table
    assert "C11" not in table
    for cell in ("2.08", "1.55", "32.5", "16.2", "no"):
        assert cell in table, cell


def test_mechanisms_are_grouped_and_marked() -> None:
    rows = [
        mechanism("drift", "C11", "cause", 1.29, False),
        mechanism("late-1s", "C11", "switch", 0.33, True),
        mechanism("late-1s", "C13", "switch", None, False),
        mechanism("fewer-clients", "C13", "size", 97.04, None) | {"unit": "clients"},
    ]
    lines = [line for line in mechanisms_table(rows).split("\n") if line.endswith(r"\\")]
    names = [line.split("&")[0].strip() for line in lines]
    assert names.index("events a second late") < names.index(r"all service 29 \% slower")
    assert any(r"0.33 \ensuremath{\star}" in line for line in lines)
    assert any("97" in line and "97.04" not in line for line in lines)
