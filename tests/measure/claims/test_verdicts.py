"""Verdicts follow from data and rules: change either, and they change."""

import re
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.claims.ledger import Ledger
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml
from anarchy.measure.claims.verdicts import VERDICTS, check_claims, count_verdicts, judge

CLAIM = {"id": "C01", "text": "t", "published": "p", "mark": "A", "where": "sec:x"}


def asked(name: str = "x", rule: str = "value", **more: Any) -> dict[str, Any]:
    return {"text": "q", "rule": rule, "rows": {"file": "f.json", "id": name}, **more}


def ledger(**claim: Any) -> Ledger:
    return validate(Ledger, {"claims": [CLAIM | claim]}, "claims.yaml")


def results(**values: tuple[float, float, float]) -> dict[str, list[dict[str, Any]]]:
    rows = [
        {"id": name, "value": value, "lo": lo, "hi": hi, "n": 10}
        for name, (value, lo, hi) in values.items()
    ]
    return {"f.json": rows}


def verdict(claims: Ledger, data: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    ((row,), _) = judge(claims, data)
    return row


PLAIN = ledger(tests=[asked(at_least=2)], open="o", note="n")
OTHERS = [{"text": "m", "tests": [asked("y", at_most=1)]}]
WITH = ledger(tests=[asked(at_least=2)], mechanisms=OTHERS)


@pytest.mark.parametrize(
    ("claims", "data", "found", "why"),
    [
        (PLAIN, {"x": (3, 2.9, 3.1)}, "reproduced", "n"),
        (PLAIN, {"x": (1, 0.9, 1.1)}, "contradicted", "n"),
        (PLAIN, {"x": (2.1, 1.9, 2.3)}, "undecidable", "o"),
        (PLAIN, {}, "undecidable", "o"),
        (WITH, {"x": (3, 2.9, 3.1), "y": (3, 2.9, 3.1)}, "reproduced", None),
        (WITH, {"x": (1, 0.9, 1.1), "y": (0.5, 0.4, 0.6)}, "reproduced-with-mechanism", "m"),
        (WITH, {"x": (2.1, 1.9, 2.3), "y": (0.5, 0.4, 0.6)}, "reproduced-with-mechanism", "m"),
        (WITH, {"x": (1, 0.9, 1.1), "y": (1.1, 0.9, 1.3)}, "contradicted", None),
    ],
)
def test_the_verdict_follows_from_the_data(
    claims: Ledger, data: dict[str, Any], found: str, why: str | None
) -> None:
    row = verdict(claims, results(**data))
    assert (row["verdict"], row["mechanism"]) == (found, why)
    assert row["verdict"] in VERDICTS


def test_the_first_mechanism_that_holds_counts() -> None:
    others = [{"text": name, "tests": [asked(name, at_most=1)]} for name in ("y", "z", "w")]
    claims = ledger(tests=[asked(at_least=2)], mechanisms=others)
    data = results(x=(1, 0.9, 1.1), y=(3, 2.9, 3.1), z=(0.5, 0.4, 0.6), w=(0.3, 0.2, 0.4))
    row = verdict(claims, data)
    assert (row["verdict"], row["mechanism"], row["value"]) == (VERDICTS[1], "z", 0.5)


def test_the_verdict_follows_from_the_rule() -> None:
    data = results(x=(3, 2.9, 3.1))
    assert verdict(ledger(tests=[asked(at_least=2)]), data)["verdict"] == "reproduced"
    assert verdict(ledger(tests=[asked(at_least=4)]), data)["verdict"] == "contradicted"
    assert verdict(ledger(tests=[asked(at_least=3)]), data)["verdict"] == "undecidable"


def test_a_failure_that_denies_nothing_leaves_a_claim_open() -> None:
    claims = ledger(tests=[asked(at_least=2, denies=False)], open="o")
    assert verdict(claims, results(x=(1, 0.9, 1.1)))["verdict"] == "undecidable"


def test_theorems_prove_and_refute_only_if_all_their_checks_hold() -> None:
    rows = [{"id": "x", "holds": True}, {"id": "x", "holds": True}]
    broken = [*rows, {"id": "x", "holds": False}]
    for rule, found in (("proved", "reproduced"), ("refuted", "contradicted")):
        test = {"text": "q", "rule": rule, "rows": {"file": "f.json", "id": "x", "field": "holds"}}
        assert verdict(ledger(tests=[test]), {"f.json": rows})["verdict"] == found
        assert verdict(ledger(tests=[test]), {"f.json": broken})["verdict"] == "undecidable"


def test_more_claims_widen_every_interval() -> None:
    """One of two claims has half the error, and each of its two intervals half of that."""
    data = results(x=(3, 2.7, 3.3))
    one = validate(Ledger, {"claims": [CLAIM | {"tests": [asked(at_least=2)]}]}, "c")
    claims = [CLAIM | {"id": f"C{i:02d}", "tests": [asked(at_least=2)]} for i in range(1, 33)]
    rows, _ = judge(validate(Ledger, {"claims": claims}, "c"), data)
    alone = verdict(one, data)
    assert alone["lo"] == pytest.approx(2.7)
    assert all(row["lo"] < 2.5 for row in rows)


def test_a_mistyped_selection_is_refused_unless_points_are_left_out() -> None:
    claims = ledger(tests=[asked("no-such", at_least=2)])
    with pytest.raises(InputError, match=r"claims: C01: no row of f.json: id = no-such"):
        judge(claims, results(x=(3, 2, 4)))
    ((row,), _) = judge(claims, results(x=(3, 2, 4)), coarse=True)
    assert row["verdict"] == "undecidable"


def test_groups_are_judged_one_by_one() -> None:
    rows = [{"id": "x", "s": "a", "value": 3}, {"id": "x", "s": "b", "value": 1}]
    claims = ledger(tests=[asked(at_least=2, per=["s"])])
    ((row,), evidence) = judge(claims, {"f.json": rows})
    assert row["verdict"] == "contradicted"
    assert row["value"] == 1
    assert [(e["group"], e["holds"]) for e in evidence] == [("a", True), ("b", False)]


@pytest.mark.parametrize(
    ("test", "fault"),
    [
        (
            asked(rule="valu", at_least=1),
            "C01: unknown rule of claims 'valu'; did you mean 'value'",
        ),
        (asked(), "C01: rule 'value': needs 'at_least', 'at_most' or both"),
        (asked(rule="ratio", at_least=1), "C01: rule 'ratio': needs 'of'"),
        (
            asked(at_least=1, of={"file": "f.json", "id": "x"}),
            "C01: rule 'value': takes no 'of'",
        ),
    ],
)
def test_rules_that_cannot_be_used_are_refused(test: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError, match=re.escape(fault)):
        check_claims(ledger(tests=[test]))


def test_the_committed_ledger_gives_every_claim_one_row_even_without_results() -> None:
    claims = validate(Ledger, read_yaml(paths.ROOT / paths.CLAIMS), "claims.yaml")
    check_claims(claims)
    rows, evidence = judge(claims, {}, coarse=True)
    assert [row["id"] for row in rows] == [f"C{number:02d}" for number in range(1, 33)]
    assert {row["verdict"] for row in rows} == {"undecidable"}
    assert all(row["mechanism"] for row in rows)
    assert [(r["id"], r["value"]) for r in count_verdicts(rows)] == [
        (name, 32 * (name == "undecidable")) for name in VERDICTS
    ]
    assert not evidence
