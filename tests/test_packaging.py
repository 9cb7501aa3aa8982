"""The lock, the declared dependencies and the page that explains them say the same."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK, ORACLE, LIVE, GPU, SLURM, KUBERNETES = (
    (ROOT / f"requirements{name}.lock").read_text(encoding="utf-8")
    for name in ("", "-oracle", "-live", "-gpu", "-slurm", "-kubernetes")
)
ENVIRONMENTS = {
    ".venv": LOCK + ORACLE,
    ".venv-live": LIVE,
    "on a GPU machine": GPU,
    "on Slurm": LOCK + SLURM,
    "on Kubernetes": LOCK + KUBERNETES,
}
"""What is installed together."""

# Declared, but called as a program or read by mypy instead of being imported.
NOT_IMPORTED = {"snakemake"}
IMPORT_NAMES = {"prometheus-client": "prometheus_client", "pyyaml": "yaml"}


def declared() -> list[str]:
    """Every direct dependency: names without version ranges, in lower case."""
    listed = [*PROJECT["project"]["dependencies"]]
    for group in PROJECT["dependency-groups"].values():
        listed += group
    return sorted({re.split(r"[\s<>=!~;\[]", text, maxsplit=1)[0].lower() for text in listed})


def locked(lock: str) -> dict[str, list[str]]:
    """The blocks of a lock by package name; more than one block means more than one version."""
    blocks: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=\S)", lock.strip()):
        blocks.setdefault(block.split("==", maxsplit=1)[0], []).append(block)
    return blocks


@pytest.mark.parametrize("name", declared())
def test_every_dependency_is_locked_with_hashes(name: str) -> None:
    assert any(name in locked(lock) for lock in ENVIRONMENTS.values())


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_locked_package_has_one_version_and_hashes(name: str) -> None:
    """One version for all Pythons and platforms, else results could differ between them."""
    line = re.compile(r"[a-z0-9-]+==[^\s;]+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+")
    for package, blocks in locked(ENVIRONMENTS[name]).items():
        assert len(blocks) == 1, f"{package} is locked to more than one version"
        assert line.fullmatch(blocks[0]), f"{package}: a version and nothing but hashes expected"


def test_the_live_environment_has_the_versions_of_the_artefact() -> None:
    """Or the two would measure with different libraries."""
    ours, live = locked(LOCK), locked(LIVE)
    shared = ours.keys() & live.keys()
    assert {"numpy", "pydantic", "pyyaml"} <= shared
    version = re.compile(r"==[^\s;]+")
    for name in shared:
        assert version.findall(ours[name][0]) == version.findall(live[name][0]), name


@pytest.mark.parametrize("lock", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_no_version_in_a_lock_depends_on_the_python(lock: str) -> None:
    assert "python_full_version" not in lock
    assert "python_version" not in lock


@pytest.mark.parametrize("address", ["://", "file:", "--index", "--extra-index", "--find-links"])
def test_the_locks_name_no_address(address: str) -> None:
    assert not any(address in lock for lock in ENVIRONMENTS.values())


@pytest.mark.parametrize("name", declared())
def test_every_dependency_has_a_reason(name: str) -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(rf"^\| `{re.escape(name)}` \| (.+) \| (.+) \|$", page, flags=re.MULTILINE)
    assert len(rows) == 1
    reason, where = rows[0]
    assert len(reason.split()) >= 4, "say why it, and not our own code"
    assert where


def test_the_page_explains_nothing_that_is_not_declared() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE)) == declared()


@cache
def imported(file: Path) -> set[str]:
    """The packages that a module imports, by their first name."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("name", sorted(set(PROJECT["project"]["dependencies"]) - NOT_IMPORTED))
def test_every_runtime_dependency_is_imported_where_the_page_says(name: str) -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    (where,) = re.findall(rf"^\| `{re.escape(name)}` \| .+ \| (.+) \|$", page, flags=re.MULTILINE)
    stated = [place.replace(".", "/") for place in re.findall(r"`(anarchy[\w.]*)`", where)]
    package = IMPORT_NAMES.get(name, name)
    files = [
        file.relative_to(ROOT / "src").with_suffix("").as_posix()
        for file in (ROOT / "src" / "anarchy").rglob("*.py")
        if package in imported(file)
    ]
    assert stated
    for place in stated:
        assert any(f"{file}/".startswith(f"{place}/") for file in files), f"{place} does not"
    for file in files:
        assert any(f"{file}/".startswith(f"{place}/") for place in stated), f"{file} does too"


def test_an_image_gets_what_is_committed_and_nothing_that_is_built() -> None:
    """What .gitignore leaves out, .dockerignore leaves out too; a leading slash says nothing."""

    def patterns(name: str) -> set[str]:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        listed = [line for line in lines if line and not line.startswith("#")]
        return {re.sub(r"^(!?)(/|\*\*/)", r"\1", line).rstrip("/") for line in listed}

    assert patterns(".dockerignore") == patterns(".gitignore")


def test_the_image_is_made_of_an_exact_python_and_runs_the_command() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    steps = dict(re.findall(r"^(FROM|ENTRYPOINT|CMD) (.+)$", text, re.MULTILINE))
    assert re.fullmatch(r"python:3\.1[1-3]\.\d+-bookworm", steps["FROM"])
    assert (steps["ENTRYPOINT"], steps["CMD"]) == ('["./reproduce"]', '["all"]')
    assert f"anarchy:{PROJECT['project']['version']}" in text


def test_licence_and_version_agree_everywhere() -> None:
    project = PROJECT["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["license"] == citation["license"] == "Apache-2.0"
    assert "Apache License" in licence
    assert "Copyright 2026 the anarchy authors" in licence
    assert str(citation["version"]) == project["version"]
    assert f"## [{project['version']}]" in changelog


def test_the_citation_names_the_source_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["references"][0]["identifiers"][0]["value"] == "arXiv:2606.17081"


def test_citation_and_paper_have_one_title() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    paper = (ROOT / "paper/main.tex").read_text(encoding="utf-8")
    (title,) = re.findall(r"\\title\{(.*?)\}", paper, re.DOTALL)
    assert citation["title"] == " ".join(title.replace("\\\\", " ").split())
