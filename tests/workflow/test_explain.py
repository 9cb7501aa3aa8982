"""Everything that the tiny build made can be explained from its index, and the page has it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from anarchy.artefact.explanation.build import SAME, Build
from anarchy.artefact.explanation.explain import explain
from anarchy.artefact.explanation.names import Named, catalogue
from anarchy.artefact.explanation.page import page
from tests.workflow.conftest import OUT


@pytest.fixture(scope="module")
def build(built: Path) -> Iterator[Build]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(built)
        yield Build(Path(), Path("config/tiny.yaml"))


@pytest.mark.parametrize("kind", ["macro", "claim", "experiment", "study", "figure", "table"])
def test_every_name_has_its_rule_functions_inputs_and_seconds(build: Build, kind: str) -> None:
    names = catalogue(build)[kind]
    assert len(names) > 1
    for name in names:
        facts = explain(build, Named(kind, name))
        assert json.dumps(facts, allow_nan=False)
        assert all(rule["place"] for rule in facts["rules"]), name
        restored = any(rule["rule"] == "restore_reference" for rule in facts["rules"])
        assert facts["functions"] or restored, name
        assert facts["seconds"]["timed"] == facts["seconds"]["jobs"] > 0, name
        assert facts["tree"], name
        assert {entry["state"] for entry in facts["inputs"]} <= {SAME}, name
        assert facts["notes"] == [], name
        assert str(OUT) in facts["rebuild"]
        assert facts["rebuild"].endswith("--config overlay=config/tiny.yaml")


def test_every_macro_with_an_id_says_where_that_is_written(build: Build) -> None:
    for name in catalogue(build)["macro"]:
        facts = explain(build, Named("macro", name))
        if facts["rules"][0]["rule"] == "restore_reference" or not facts.get("row"):
            continue
        assert facts["origin"] or "id" not in facts["row"]["columns"], name


def test_the_page_names_what_the_build_makes(build: Build) -> None:
    files = set(re.findall(r"\| `([^`]+)` \| \S+ \|$", page(build), re.M))
    assert len(files) > 50
    assert build.jobs is not None
    assert [file for file in sorted(files) if build.jobs.maker(file) is None] == []
