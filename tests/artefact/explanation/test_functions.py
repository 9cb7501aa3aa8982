"""The functions behind an output are read off its script."""

from pathlib import Path

import pytest

from anarchy.artefact.explanation.functions import find_function, writers
from anarchy.common.paths import ROOT

SCRIPTS = ROOT / "workflow/scripts"


@pytest.mark.parametrize(
    ("script", "output", "wildcards", "names"),
    [
        ("measure_experiment", "spread", (), ["measure.aggregate.spread"]),
        ("show_experiment", "knees", (), ["artefact.tables.experiments.knee_table"]),
        ("solve_curves", None, ("plateau",), ["games.theorems.plateau.curve_rows"]),
        ("plot_curves", "pdf", ("windows",), ["artefact.figures.theory.windows.plot"]),
        ("show_experiment", "pdf", (), ["artefact.figures.experiments.plot_experiment"]),
        ("judge_dynamo", None, (), ["measure.validation.dynamo.verdicts.judge_measured"]),
        ("measure_family", None, (), ["measure.estimators.members.measure_family"]),
    ],
)
def test_each_output_has_its_own(
    script: str, output: str | None, wildcards: tuple[str, ...], names: list[str]
) -> None:
    found = writers(SCRIPTS / f"{script}.py", output, wildcards)
    assert [name for name in found if name.removeprefix("anarchy.") in names], found
    assert len(found) <= 4


def test_every_script_names_functions_that_are_there() -> None:
    """Of the whole package, or nothing for the scripts that only write what they are given."""
    without = {"index_jobs", "fetch_trace", "restore_reference"}
    for script in sorted(SCRIPTS.glob("*.py")):
        names = writers(script, None, ())
        assert names or script.stem in without, script
        for name in names:
            assert name.startswith("anarchy."), name


def test_a_function_has_its_line_and_its_documentation() -> None:
    found = find_function("anarchy.measure.aggregate.spread", ROOT)
    assert found is not None
    line = (ROOT / found.place.file).read_text().splitlines()[found.place.line - 1]
    assert line.startswith("def spread(")
    assert found.doc
    handed_on = find_function("anarchy.games.theorems.placement.theorems.curve_rows", ROOT)
    assert handed_on is not None
    assert handed_on.place.file == "src/anarchy/games/theorems/placement/curves.py"
    table = find_function("anarchy.measure.theorem_checks.THEOREMS", ROOT)
    assert table is not None
    assert "check_rows" in table.doc
    assert find_function("anarchy.measure.aggregate.nothing", ROOT) is None
    assert find_function("anarchy.nothing.at_all", Path("/nonexistent")) is None
