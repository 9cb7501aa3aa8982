"""Declarations found in the text say what reading them whole says."""

from pathlib import Path

from anarchy.artefact.explanation import declarations
from anarchy.artefact.numbers import read_declarations
from anarchy.common.paths import CLAIMS, ROOT
from anarchy.config.claims.ledger import Ledger
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml


def test_macros_are_those_of_the_build() -> None:
    whole = {n.macro: n for n in read_declarations((ROOT / "paper/numbers.d").glob("*.yaml"))}
    found = declarations.macros(ROOT)
    assert found.keys() == whole.keys()
    for name in list(found)[::10]:
        assert declarations.read_macro(ROOT, found[name]) == whole[name]
        assert f"macro: {name}," in declarations.line(ROOT, found[name])


def test_claims_are_those_of_the_ledger() -> None:
    ledger = validate(Ledger, read_yaml(ROOT / CLAIMS), "claims")
    found = declarations.claims(ROOT)
    assert list(found) == [claim.id for claim in ledger.claims]
    for claim in ledger.claims:
        entry = declarations.read_claim(ROOT, found[claim.id])
        assert entry["text"] == claim.text
        assert len(declarations.tests_of(entry)) == len(claim.every_test)
        files = {selection.file for selection in claim.selections}
        assert set(declarations.claimed_files(entry)) == files


def test_mentions_are_whole_names(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("deep-tail: 1\ntail: {}\ntails: 2\n")
    (place,) = declarations.mentions(tmp_path, ["a.yaml"], "tail")
    assert str(place) == "a.yaml:2"
