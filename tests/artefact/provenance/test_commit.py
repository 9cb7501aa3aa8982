"""Which commit files come from: in git, in a copy without it, and inside somebody else's git."""

import subprocess
from pathlib import Path

import pytest

from anarchy.artefact.provenance.commit import FILE, commit
from anarchy.common import paths
from tests.artefact.provenance.builds import git

SOME = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    (tmp_path / FILE).write_bytes((paths.ROOT / FILE).read_bytes())
    (tmp_path / ".gitattributes").write_bytes((paths.ROOT / ".gitattributes").read_bytes())
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    return tmp_path


def test_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILE).write_text("$Format:%H$\n")
    assert commit(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit(tmp_path) is None


def test_changes_of_tracked_files_show(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    assert commit(checkout) == head
    (checkout / "b").write_text("untracked")
    assert commit(checkout) == head
    (checkout / "a").write_text("2")
    assert commit(checkout) == f"{head}+changes"


def test_git_fills_in_the_file_when_it_exports(checkout: Path, tmp_path: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    git(checkout, "archive", "--format=tar", "--output=a.tar", "HEAD")
    folder = checkout / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xf", "../a.tar"], cwd=folder, check=True)
    assert commit(folder) == head  # though it lies inside a checkout, whose head may move on
    git(checkout, "commit", "--allow-empty", "-m", "two")
    assert commit(folder) == head != git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("text", [SOME, f"{SOME}+changes"])
def test_a_copy_says_what_its_file_says(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(f"{text}\n")
    assert commit(tmp_path) == text


def test_a_file_that_says_something_else_says_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("yesterday's\n")
    assert commit(tmp_path) is None
