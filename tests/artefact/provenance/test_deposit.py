"""What a deposit holds, and when there is none to be had."""

import subprocess
from pathlib import Path

import pytest

from anarchy.artefact.provenance.commit import commit
from anarchy.artefact.provenance.deposit import Deposit, lay_out, plan_deposit
from anarchy.artefact.provenance.deposit_checks import deposit_faults
from anarchy.common.errors import InputError
from anarchy.common.paths import Outputs
from tests.artefact.provenance.builds import READS, checkout, git, project, save_record, write

OUT = Outputs(Path())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return checkout(folder)


def plan(root: Path, *, logs: bool = False, changes: bool = False) -> Deposit:
    return plan_deposit(root, OUT, logs=logs, changes=changes)


def laid_out(root: Path, deposit: Deposit) -> Path:
    folder = root.parent / deposit.name
    lay_out(root, deposit, folder, READS)
    return folder


def refused(root: Path) -> str:
    with pytest.raises(InputError) as error:
        plan(root)
    return str(error.value)


def test_sources_and_results_without_the_logs(root: Path) -> None:
    deposit = plan(root)
    head = git(root, "rev-parse", "HEAD")
    assert deposit.name == f"anarchy-0.1.0-{head[:8]}"
    assert {"Snakefile", "reproduce", "results/a.json", "figures/a.png"} < deposit.files.keys()
    assert {"results/machine/provenance.json", ".gitattributes"} < deposit.files.keys()
    assert not any(name.startswith("results/logs/") for name in deposit.files)
    assert any(name.startswith("results/logs/") for name in plan(root, logs=True).files)


def test_what_is_laid_out_is_sound_and_says_what_it_is(root: Path) -> None:
    deposit = plan(root)
    folder = laid_out(root, deposit)
    assert sound(folder, deposit) == []
    assert commit(folder) == git(root, "rev-parse", "HEAD")
    guide = (folder / "DEPOSIT.md").read_text()
    assert "results/logs/" in guide
    assert deposit.commit in guide
    done = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    assert done.returncode == 0


def test_the_same_deposit_has_the_same_bytes(root: Path) -> None:
    deposit = plan(root)
    one, other = root.parent / "one", root.parent / "other"
    for folder in (one, other):
        lay_out(root, deposit, folder, READS)
    files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
    assert len(files) > len(deposit.files)
    assert all((one / file).read_bytes() == (other / file).read_bytes() for file in files)


def sound(folder: Path, deposit: Deposit) -> list[str]:
    """The checks but for the last, since this project is none."""
    return [fault for fault in deposit_faults(folder, deposit) if "not valid there" not in fault]


def test_a_changed_tree_is_refused_or_says_so(root: Path) -> None:
    write(root, "reproduce", "#!/bin/sh\nexit\n")
    assert "--changes" in refused(root)
    save_record(root)
    deposit = plan(root, changes=True)
    folder = laid_out(root, deposit)
    assert deposit.name.endswith("-changed")
    assert (folder / "COMMIT").read_text().endswith("+changes\n")
    assert (folder / "reproduce").read_text().endswith("exit\n")


def test_a_build_of_other_files_is_refused(root: Path) -> None:
    (root / "results/a.json").write_text("[1]\n")
    assert "results/a.json: output of the build, changed since" in refused(root)


def test_a_build_of_another_commit_is_refused(root: Path) -> None:
    git(root, "commit", "--allow-empty", "-m", "two")
    assert "is checked out" in refused(root)


def test_an_input_that_git_does_not_know_is_refused(root: Path) -> None:
    git(root, "rm", "--cached", "src/a.py")
    git(root, "commit", "-m", "less")
    save_record(root)
    assert "src/a.py: input of the build, not under version control" in refused(root)


def test_outside_git_there_is_none(tmp_path: Path) -> None:
    assert "checkout" in refused(project(tmp_path))


def test_without_a_build_there_is_none(root: Path) -> None:
    (root / "results/machine/provenance.json").unlink()
    assert "provenance.json: not there" in refused(root)
