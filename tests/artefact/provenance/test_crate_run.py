"""Which script does the work of which rule."""

from pathlib import Path

from anarchy.artefact.provenance.crate_run import moment, rule_scripts
from anarchy.common import paths
from tests.artefact.provenance.builds import project


def test_scripts_are_those_of_the_rules(tmp_path: Path) -> None:
    project(tmp_path)
    assert rule_scripts(tmp_path, ["workflow/rules/a.smk", "src/a.py"]) == {
        "plot": "workflow/scripts/plot.py",
        "simulate": "workflow/scripts/simulate.py",
    }


def test_every_rule_of_the_project_has_its_script() -> None:
    rules = [
        path.relative_to(paths.ROOT).as_posix()
        for path in (paths.ROOT / "workflow/rules").glob("*.smk")
    ]
    found = rule_scripts(paths.ROOT, rules)
    text = "".join((paths.ROOT / name).read_text() for name in rules)
    assert len(found) == text.count("\nrule ")
    assert all((paths.ROOT / script).is_file() for script in found.values())


def test_a_moment_is_in_universal_time() -> None:
    assert moment(1767225600.4) == "2026-01-01T00:00:00+00:00"
