"""What a build was made with and from: versions, commit, platform, hashes of the inputs."""

import hashlib
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any


def provenance(inputs: Iterable[Path], root: Path) -> list[dict[str, Any]]:
    """Rows {id, value}: Python, platform, commit, every installed package, sha256 of each input.

    `inputs` are relative to `root`, the project's folder. The commit is null outside git; it ends
    in "+changes" when tracked files differ from it. The rows depend on the machine and belong into
    results/machine.
    """
    rows: list[dict[str, Any]] = [
        {"id": "python", "value": platform.python_version()},
        {"id": "platform", "value": platform.platform()},
        {"id": "commit", "value": commit(root)},
    ]
    versions = {d.metadata["Name"].lower(): d.version for d in distributions()}
    rows += [{"id": f"package:{name}", "value": versions[name]} for name in sorted(versions)]
    for path in sorted(set(inputs)):
        with (root / path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        rows.append({"id": f"sha256:{path.as_posix()}", "value": digest})
    return rows


def commit(root: Path) -> str | None:
    """The commit that is checked out, with "+changes" if files differ; null outside git."""
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return None
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return head + ("+changes" if changed else "")


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
