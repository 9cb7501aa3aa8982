"""Every kind of name has its way; what changed or is missing since the build is said."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from anarchy.artefact.explanation.build import CHANGED, MISSING, SAME, Build
from anarchy.artefact.explanation.explain import explain
from anarchy.artefact.explanation.names import Named, catalogue, find_name
from anarchy.common.errors import InputError
from anarchy.common.files import write_rows
from anarchy.common.paths import ROOT
from tests.artefact.explanation.conftest import INPUTS, MEASURED


def facts_of(build: Build, name: str) -> dict[str, Any]:
    return explain(build, find_name(build, name))


@pytest.mark.parametrize("name", ["TailMost", r"\TailMost"])
def test_a_macro_has_value_declaration_row_rule_function_formula_and_inputs(
    build: Build, name: str
) -> None:
    facts = facts_of(build, name)
    assert (facts["kind"], facts["printed"], facts["value"]) == ("macro", "7.2", 7.25)
    assert facts["declared"] == "paper/numbers.d/sweep.yaml:2"
    assert facts["paper"] == ["paper/sections/sweep.tex:2"]
    assert facts["row"]["place"] == f"{MEASURED}:3"
    assert facts["row"]["columns"]["clients"] == 8
    (rule,) = facts["rules"]
    assert rule["place"] == "workflow/rules/measures.smk:4"
    assert rule["script"] == "workflow/scripts/measure.py"
    assert facts["origin"]["place"] == "src/anarchy/measure/tails.py:9"
    assert [f["name"] for f in facts["origin"]["functions"]] == ["anarchy.measure.tails.tail_rows"]
    assert [f["name"] for f in facts["functions"]] == ["anarchy.measure.tails.tail_rows"]
    (label,) = facts["labels"]
    assert label == {
        "label": "eq:tail",
        "place": "paper/sections/sweep.tex:6",
        "formula": "T = 1 + n",
    }
    assert {entry["path"]: entry["state"] for entry in facts["inputs"]} == dict.fromkeys(
        INPUTS, SAME
    )
    assert facts["seconds"] == {"own": 1.5, "all": 3.75, "jobs": 2, "timed": 2}
    assert facts["rebuild"] == f".venv/bin/snakemake {MEASURED}"
    assert facts["notes"] == []


def test_hashes_are_those_of_the_files(build: Build) -> None:
    for entry in facts_of(build, "TailMost")["inputs"]:
        content = (build.root / entry["path"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_tree_leads_from_the_file_to_what_no_job_makes(build: Build) -> None:
    made, package = facts_of(build, "TailMost")["tree"]
    assert made["says"] == f"{MEASURED}  ← measure, 1.5 s"
    inner = {part["says"].split()[0]: part["parts"] for part in made["parts"]}
    assert inner.keys() == {"results/points/sweep/0.json", INPUTS[0]}
    (leaf,) = inner["results/points/sweep/0.json"]
    assert leaf["says"].startswith(f"{INPUTS[1]}  sha256 ")
    assert package["says"].startswith("2 scripts and modules  sha256 ")


def test_an_input_that_changed_or_is_lost_is_said(project: Path) -> None:
    (project / INPUTS[0]).write_text("title: Another\n")
    (project / INPUTS[1]).unlink()
    facts = facts_of(Build(project), "TailMost")
    states = {entry["path"]: entry["state"] for entry in facts["inputs"]}
    assert states == {INPUTS[0]: CHANGED, INPUTS[1]: MISSING}
    assert facts["notes"] == [
        f"changed since the build: {INPUTS[0]}",
        f"missing: {INPUTS[1]}",
    ]


def test_a_lost_result_is_said_with_what_makes_it(project: Path) -> None:
    (project / MEASURED).unlink()
    facts = facts_of(Build(project), "TailMost")
    assert "value" not in facts
    assert facts["notes"] == [f"not there: {MEASURED}"]


def test_what_a_build_leaves_out_is_said(build: Build) -> None:
    facts = facts_of(build, "TailNone")
    assert facts["notes"] == ["left out of this build: results/experiments/other.json"]
    assert (facts["rules"], facts["origin"]) == ([], None)


def test_a_value_that_cannot_be_printed_says_why(build: Build) -> None:
    assert "no rows" in facts_of(build, "TailNone").get("without", "no rows")
    assert facts_of(build, "Gain")["value"] == "inf"


def test_an_id_that_is_put_together_names_the_place(build: Build) -> None:
    origin = facts_of(build, "Gain")["origin"]
    assert origin["place"] == "src/anarchy/measure/tails.py:14"
    assert [f["says"] for f in origin["functions"]] == ["What is gained."]


def test_a_claim_has_verdict_tests_rules_and_what_it_rests_on(build: Build) -> None:
    facts = facts_of(build, "C01")
    assert (facts["verdict"], facts["declared"]) == ("reproduced", "config/claims.yaml:3")
    assert facts["paper"] == ["paper/sections/sweep.tex:1", "paper/sections/sweep.tex:3"]
    assert [part["says"].split("  ")[0] for part in facts["tree"][:2]] == [
        "results/experiments/other.json",
        MEASURED,
    ]
    assert facts["rebuild"] == ".venv/bin/snakemake results/claims.json"
    assert facts_of(build, "C02")["says"] == "not to be judged"


@pytest.mark.parametrize("name", ["fig:sweep", "figures/sweep.pdf", "figures/sweep.png"])
def test_a_figure_goes_by_label_and_file(build: Build, name: str) -> None:
    facts = facts_of(build, name)
    assert (facts["kind"], facts["name"]) == ("figure", "sweep")
    assert facts["paper"] == ["paper/sections/sweep.tex:3", "paper/sections/sweep.tex:4"]
    assert [rule["rule"] for rule in facts["rules"]] == ["draw"]


@pytest.mark.parametrize(
    "name",
    [
        "tab:experiments:sweep",
        "experiments/sweep",
        "tables/experiments/sweep",
        "paper/generated/tables/experiments/sweep.tex",
    ],
)
def test_a_table_goes_by_label_name_and_file(build: Build, name: str) -> None:
    facts = facts_of(build, name)
    assert (facts["kind"], facts["name"]) == ("table", "experiments/sweep")
    assert facts["paper"] == ["paper/sections/sweep.tex:5"]


def test_an_experiment_has_all_that_is_made_of_it(build: Build) -> None:
    facts = facts_of(build, "sweep")
    assert facts["kind"] == "experiment"
    assert facts["outputs"] == [
        MEASURED,
        "results/experiments/sweep.gains.json",
        "figures/sweep.pdf",
        "figures/sweep.png",
        "paper/generated/tables/experiments/sweep.tex",
    ]
    assert facts["macros"] == [r"\TailMost", r"\Gain"]


@pytest.mark.parametrize("name", [MEASURED, "experiments/sweep.json"])
def test_a_results_file_has_its_rows_and_its_readers(build: Build, name: str) -> None:
    facts = facts_of(build, name)
    assert (facts["kind"], facts["rows"]) == ("results file", 3)
    assert facts["macros"] == [r"\TailMost", r"\Gain"]


def test_the_id_of_a_row_finds_every_file_that_has_it(build: Build) -> None:
    facts = facts_of(build, "tail")
    assert facts["kind"] == "row"
    assert [(f["file"], f["rows"]) for f in facts["files"]] == [
        (MEASURED, 2),
        ("results/points/sweep/0.json", 1),
    ]
    assert facts["macros"] == [r"\TailMost"]
    there = facts_of(build, "experiments/sweep.json:gain:of-two")
    assert there["row"]["place"] == f"{MEASURED}:4"


def test_a_row_that_a_file_has_not_is_refused(build: Build) -> None:
    with pytest.raises(InputError, match="has no row 'hits'"):
        facts_of(build, "experiments/sweep.json:hits")


def test_a_theorem_has_its_place_and_its_checks(project: Path) -> None:
    checks = [{"id": "tail-1", "theorem": "thm:tail", "holds": True}] * 2
    write_rows(project / "results/theory/theorems.json", checks)
    facts = facts_of(Build(project), "thm:tail")
    assert (facts["checks"], facts["hold"]) == (2, 2)
    assert facts["paper"] == ["paper/sections/sweep.tex:10"]


def test_without_a_build_everything_named_is_explained_as_far_as_it_goes(tmp_path: Path) -> None:
    """All names of the project itself, with an output folder that nothing was built in."""
    overlay = tmp_path / "none.yaml"
    overlay.write_text("output: build/never-built\n")
    build = Build(ROOT, overlay)
    known = catalogue(build)
    assert len(known["macro"]) > 500
    for kind in ("claim", "experiment", "study", "figure", "table", "theorem"):
        assert known[kind], kind
        for name in known[kind]:
            facts = explain(build, Named(kind, name))
            assert facts["rebuild"].startswith(".venv/bin/snakemake "), name
            assert "no finished build" in facts["notes"][0], name
    for name in known["macro"][::20]:
        facts = explain(build, Named("macro", name))
        assert facts["declared"].startswith("paper/numbers.d/")
        assert facts["paper"], name


def test_a_trace_that_lies_elsewhere_is_the_one_of_the_record(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    trace = tmp_path_factory.mktemp("elsewhere") / "trace.jsonl"
    trace.write_text("{}")
    record = project / "results/machine/provenance.json"
    known = json.loads(record.read_text())
    known["inputs"]["data/traces/trace.jsonl"] = hashlib.sha256(b"{}").hexdigest()
    record.write_text(json.dumps(known))
    assert Build(project).input(str(trace)).state == SAME
    trace.write_text("{{}}")
    assert Build(project).input(str(trace)).state == CHANGED
