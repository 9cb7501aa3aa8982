"""What a build was made with, in and outside git."""

import hashlib
import platform
import subprocess
from pathlib import Path

import pytest

from anarchy.artefact.provenance import provenance


def values(root: Path, *inputs: str) -> dict[str, object]:
    rows = provenance([Path(p) for p in inputs], root)
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row["value"] for row in rows}


def test_outside_git(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"x")
    found = values(tmp_path, "a.yaml", "a.yaml")
    assert found["commit"] is None
    assert found["python"] == platform.python_version()
    assert found["sha256:a.yaml"] == hashlib.sha256(b"x").hexdigest()
    assert found["package:numpy"]


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert values(tmp_path)["commit"] is None


def test_in_git(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "one")
    commit = git("rev-parse", "HEAD")
    assert values(tmp_path)["commit"] == commit
    (tmp_path / "b").write_text("untracked")
    assert values(tmp_path)["commit"] == commit
    (tmp_path / "a").write_text("2")
    assert values(tmp_path)["commit"] == f"{commit}+changes"
