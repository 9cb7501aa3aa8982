"""Everything that the tiny build made can be explained from its index, and the page has it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from anarchy.artefact.explanation.build import MISSING, SAME, Build
from anarchy.artefact.explanation.explain import explain
from anarchy.artefact.explanation.names import Named, catalogue
from anarchy.artefact.explanation.page import page
from anarchy.artefact.explanation.way import ABSENT
from tests.workflow.conftest import OUT


@pytest.fixture(scope="module")
def build(built: Path) -> Iterator[Build]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(built)
        yield Build(Path(), Path("config/tiny.yaml"))


@pytest.mark.parametrize("kind", ["macro", "claim", "experiment", "study", "figure", "table"])
def test_every_name_has_its_rule_functions_inputs_and_seconds(build: Build, kind: str) -> None:
    """Of all that is part of this build, which leaves some experiments out."""
    explained = 0
    for name in catalogue(build)[kind]:
        facts = explain(build, Named(kind, name))
        assert json.dumps(facts, allow_nan=False)
        assert str(OUT) in facts["rebuild"]
        assert facts["rebuild"].endswith("--config overlay=config/tiny.yaml")
        assert {entry["state"] for entry in facts["inputs"]} <= {SAME, MISSING}, name
        if any(note.startswith(ABSENT) for note in facts["notes"]):
            continue
        explained += 1
        assert facts["notes"] == [], name
        assert all(rule["place"] for rule in facts["rules"]), name
        restored = any(rule["rule"] == "restore_reference" for rule in facts["rules"])
        assert facts["functions"] or restored, name
        assert facts["seconds"]["timed"] == facts["seconds"]["jobs"] > 0, name
        assert facts["tree"], name
        if kind == "macro" and "id" in facts.get("row", {}).get("columns", ()):
            assert facts["origin"] or restored, name
    assert explained > 1


def test_the_page_names_what_the_build_makes(build: Build) -> None:
    """And more: experiments that this build leaves out."""
    assert build.jobs is not None
    files = set(re.findall(r"\| `([^`]+)` \| \S+ \|$", page(build), re.M))
    figures = {file for file in build.jobs.outputs() if re.search(r"/figures/[\w-]+\.pdf$", file)}
    assert figures < files
    absent = {file for file in files if build.jobs.maker(file) is None}
    named = {Path(file).stem for file in absent}
    assert len(files - absent) > 40
    assert named <= set(catalogue(build)["experiment"])
