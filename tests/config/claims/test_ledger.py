"""The committed ledger has every published claim once; what cannot be judged is refused."""

import re
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.claims.ledger import Ledger
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml

DATA = read_yaml(paths.ROOT / paths.CLAIMS)
PUBLISHED = [f"C{number:02d}" for number in range(1, 33)]
TEST = {"text": "x", "rule": "value", "rows": {"file": "x.json", "id": "y"}, "at_least": 1}
CLAIM = {"id": "C01", "text": "t", "published": "p", "mark": "A", "where": "sec:x"}


def made(*claims: dict[str, Any]) -> Ledger:
    return validate(Ledger, {"claims": list(claims)}, "claims.yaml")


def test_every_published_claim_has_exactly_one_entry() -> None:
    assert [claim.id for claim in validate(Ledger, DATA, "claims.yaml").claims] == PUBLISHED


def test_every_claim_points_to_a_place_of_the_paper() -> None:
    text = "".join(p.read_text() for p in sorted((paths.ROOT / "paper/sections").glob("*.tex")))
    labels = {*re.findall(r"\\label\{([^}]*)\}", text)}
    labels |= {f"fig:{name}" for name in re.findall(r"\\experimentfigure\{([^}]*)\}", text)}
    for claim in validate(Ledger, DATA, "claims.yaml").claims:
        assert claim.where in labels, claim.id


def test_every_theorem_that_is_evidence_stands_in_the_paper() -> None:
    text = "".join(p.read_text() for p in sorted((paths.ROOT / "paper/sections").glob("*.tex")))
    selections = [s for claim in made(*DATA["claims"]).claims for s in claim.selections]
    named = [s.where["theorem"] for s in selections if "theorem" in s.where]
    assert len(named) > 8
    for labels in named:
        for label in labels if isinstance(labels, list) else [labels]:
            assert rf"\label{{{label}}}" in text


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ([CLAIM], "claim C01 has neither a rule with data in 'tests' nor a reason in 'open'"),
        ([CLAIM | {"open": "o"}] * 2, "claims: claim C01 occurs twice"),
        ([CLAIM | {"tests": [{"text": "x", "rule": "value"}]}], "rows"),
        ([CLAIM | {"tests": [TEST | {"at_most": 0}]}], "'at_least' (1.0) is above 'at_most' (0.0)"),
        ([CLAIM | {"tests": [TEST | {"rule": "No Rule"}]}], "rule"),
        ([CLAIM | {"id": "C1", "open": "o"}], "id"),
        (
            [CLAIM | {"open": "o", "mechanisms": [{"text": "m", "tests": [TEST]}]}],
            "claim C01 has mechanisms, but no 'tests' without it",
        ),
        ([], "claims"),
    ],
)
def test_what_cannot_be_judged_is_refused(claims: list[dict[str, Any]], fault: str) -> None:
    with pytest.raises(InputError, match=re.escape(fault)) as refused:
        made(*claims)
    assert str(refused.value).startswith("claims.yaml: ")
    assert "\n" not in str(refused.value)


def test_a_claim_without_tests_says_why() -> None:
    assert made(CLAIM | {"open": "waits"}).claims[0].every_test == []
