"""The checks of one build together: whole where nothing changed, and each can fail."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from anarchy.artefact.verification import steps as module
from anarchy.artefact.verification.checks import Check, failures
from anarchy.artefact.verification.environment import locked_packages
from anarchy.artefact.verification.products import Product
from anarchy.artefact.verification.steps import LOST, Build, steps
from anarchy.common.errors import InputError
from anarchy.common.paths import ROOT
from tests.artefact.verification.builds import SWEEP, finish, write_pdf

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _locked_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the tests may have more; here it is the locked one."""
    monkeypatch.setattr(module, "installed_packages", lambda: locked_packages(LOCK))


def run(build: Build) -> list[Check]:
    return [check for _, work in steps(build) for check in work()]


def failed(build: Build) -> set[tuple[str, str]]:
    return {(each.group, each.name) for each in failures(run(build))}


def test_an_unchanged_build_holds_in_every_group(tmp_path: Path) -> None:
    build = finish(tmp_path)
    checks = run(build)
    assert [each for each in checks if each.verdict != "holds" and each.name != "commit"] == []
    groups = {"environment", "files", "figures", "numbers", "results", "claims", "macros", "PDF"}
    assert {each.group for each in checks} == groups | {"provenance"}
    assert build.moved == {}


def test_a_change_names_what_moved_and_what_that_feeds(tmp_path: Path) -> None:
    finish(tmp_path)
    (tmp_path / "config/config.yaml").write_text("seed: 2\n")
    changed = [row | {"value": 0.11 * row["clients"]} for row in SWEEP]
    build = finish(tmp_path, changed, knee=96, verdict="contradicted")
    assert failed(build) >= {
        ("numbers", "Knee"),
        ("numbers", "Tail"),
        ("claims", "C01"),
        ("results", "experiments/sweep.json ttft"),
    }
    assert build.moved["inputs"] == ["config/config.yaml"]
    assert build.moved["experiments"] == ["sweep"]
    assert build.moved["numbers"] == ["Knee 97 -> 96", "Tail 0.3 -> 0.33"]
    assert build.moved["verdicts"] == ["C01 reproduced -> contradicted"]
    assert build.moved["figures"] == ["sweep"]


def _doctor_pdf(root: Path) -> None:
    write_pdf(
        root / "b/paper/main.pdf",
        "The knee of the sweep lies at 98\nclients, and at three the tail is 300 long.",
    )


def _doctor_macros(root: Path) -> None:
    path = root / "b/paper/generated/numbers.tex"
    path.write_text(path.read_text().replace("97", "98"))


def _remove_figure(root: Path) -> None:
    (root / "b/figures/sweep.png").unlink()


def _change_input(root: Path) -> None:
    (root / "config/config.yaml").write_text("seed: 2\n")


@pytest.mark.parametrize(
    ("doctor", "named"),
    [
        (_doctor_pdf, {("PDF", "a.tex:1 Knee"), ("provenance", "b/paper/main.pdf")}),
        (
            _doctor_macros,
            {
                ("macros", "Knee"),
                ("PDF", "a.tex:1 Knee"),
                ("provenance", "b/paper/generated/numbers.tex"),
            },
        ),
        (
            _remove_figure,
            {("figures", "b/figures/sweep.png"), ("provenance", "b/figures/sweep.png")},
        ),
        (_change_input, {("provenance", "config/config.yaml")}),
    ],
)
def test_what_was_doctored_fails_and_nothing_else(
    doctor: Callable[[Path], None], named: set[tuple[str, str]], tmp_path: Path
) -> None:
    build = finish(tmp_path)
    doctor(tmp_path)
    assert failed(build) == named


def test_results_that_were_deleted_fail_and_are_no_bad_input(tmp_path: Path) -> None:
    build = finish(tmp_path)
    (tmp_path / "b/results/experiments/sweep.json").unlink()
    assert failed(build) >= {
        ("files", "b/results/experiments/sweep.json"),
        ("macros", "numbers.tex"),
        ("numbers", "Knee"),
    }


def test_files_of_an_earlier_build_fail(tmp_path: Path) -> None:
    build = finish(tmp_path)
    begun = (tmp_path / "b/figures/sweep.png").stat().st_mtime
    os.utime(tmp_path / "b/figures/sweep.png", (begun - 10, begun - 10))
    assert failed(replace(build, since=begun - 5)) == {("figures", "b/figures/sweep.png")}


def test_without_latex_the_pdf_is_skipped_and_says_so(tmp_path: Path) -> None:
    build = replace(finish(tmp_path), pdf=False)
    skipped = [c for c in run(build) if c.verdict == "not checked" and c.name != "commit"]
    assert [(each.group, each.why) for each in skipped] == [("PDF", "LaTeX is not at hand")]


def test_what_rests_on_an_absent_trace_is_not_checked_and_says_so(tmp_path: Path) -> None:
    finish(tmp_path)
    build = finish(tmp_path, [row | {"value": 1.0} for row in SWEEP])
    sweep = "b/results/experiments/sweep.json"
    products = [replace(p, rule=LOST) if p.path == sweep else p for p in build.products]
    build = replace(build, products=products, missing={"sweep": "azure"})
    groups = {"numbers", "claims", "results"}
    checks = [c for c in run(build) if c.group in groups and c.name != "Other"]
    assert {(each.verdict, each.why) for each in checks} == {
        ("not checked", "trace azure is not at hand")
    }
    assert len(checks) >= 5


def test_an_experiment_without_trace_or_reference_is_not_checked(tmp_path: Path) -> None:
    build = finish(tmp_path)
    (tmp_path / "b/results/experiments/other.json").write_text('[{"id": "x", "value": 1}]')
    products = [*build.products, Product("b/results/x.json", "rule", frozenset(), True)]
    build = replace(build, missing={"other": "azure"}, products=products)
    (each,) = [c for c in build.comparison.checks if "other" in c.name]
    assert (each.verdict, each.why) == ("not checked", "trace azure is not at hand")


@pytest.mark.parametrize("content", [None, "", "{}", "[3]", '[{"of": "number"}]'])
def test_no_golden_values_are_one_line(content: str | None, tmp_path: Path) -> None:
    build = finish(tmp_path)
    if content is None:
        (tmp_path / build.golden).unlink()
    else:
        (tmp_path / build.golden).write_text(content)
    with pytest.raises(InputError, match=r"full\.json: no golden values"):
        run(build)
