"""A finished build becomes a deposit that works elsewhere; its rules have what a report shows."""

import re
import subprocess
import sys
from pathlib import Path

from anarchy.artefact.provenance.packing import unpack
from anarchy.artefact.provenance.record import Commit, read_record, write_record
from anarchy.common import paths
from tests.artefact.provenance.builds import git
from tests.workflow.conftest import OUT, copy_built, environment

RULES = sorted((paths.ROOT / "workflow/rules").glob("*.smk"))


def blocks() -> list[str]:
    """The text of every rule."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in RULES)
    return re.split(r"^rule ", text, flags=re.MULTILINE)[1:]


def test_captions_name_parameters_that_their_rules_have() -> None:
    """A caption that does not would only fail when somebody makes the report."""
    used = set()
    for block in blocks():
        for name in re.findall(r'caption="\.\./report/(\w+)\.rst"', block):
            used.add(name)
            caption = (paths.ROOT / f"workflow/report/{name}.rst").read_text(encoding="utf-8")
            for param in re.findall(r"snakemake\.params\.(\w+)", caption):
                assert re.search(rf"^        {param}=", block, re.MULTILINE), (name, param)
            for wildcard in re.findall(r"snakemake\.wildcards\.(\w+)", caption):
                assert f"{{{{{wildcard}}}}}" in block, (name, wildcard)
    there = {path.stem for path in (paths.ROOT / "workflow/report").glob("*.rst")}
    assert used | {"overview"} == there


def test_every_png_is_in_the_report() -> None:
    pictures = [re.findall(r"\w*png=(\w+\()?", block) for block in blocks()]
    assert sum(map(len, pictures)) >= 8
    assert {call for calls in pictures for call in calls} == {"report("}


def test_a_build_becomes_a_deposit_that_works_elsewhere(built: Path, tmp_path: Path) -> None:
    project = copy_built(built, tmp_path / "project")
    git(project, "init")
    git(project, "add", ".")
    git(project, "commit", "-m", "one")
    path = project / OUT / "results/machine/provenance.json"
    known = Commit(id=git(project, "rev-parse", "HEAD"), changed=False)
    write_record(path, read_record(path).model_copy(update={"commit": known}))

    folder = unpack(archive(project), tmp_path / "elsewhere")
    assert (folder / OUT / "results/claims.json").is_file()
    assert not (folder / OUT / "results/logs").exists()
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=False
    )
    assert done.returncode == 0


def archive(project: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "anarchy", "archive", "--overlay", "config/tiny.yaml"],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unpacked elsewhere and checked" in done.stdout
    (made,) = (project / "build/deposit").iterdir()
    return made
