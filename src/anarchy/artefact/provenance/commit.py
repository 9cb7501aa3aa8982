"""Which commit the files of the project come from, in a checkout and in a copy without git."""

import re
import subprocess
from pathlib import Path

FILE = Path("COMMIT")
"""Says the commit in a copy: git fills it in when it exports the files, and a deposit has it."""

CHANGED = "+changes"
"""Follows the commit where tracked files differ from it."""


def commit(root: Path) -> str | None:
    """The commit of the files below `root`, with "+changes" if they differ; null if nobody knows.

    Git is asked only if `root` is the top of a checkout: a copy that lies inside some other
    repository has nothing to do with that one's commit.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return _exported(root / FILE)
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return None
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return head + (CHANGED if changed else "")


def _exported(file: Path) -> str | None:
    """The commit that a file says, unless git has not filled it in."""
    if not file.is_file():
        return None
    text = file.read_text(encoding="utf-8").strip()
    return text if re.fullmatch(rf"[0-9a-f]{{40,64}}({re.escape(CHANGED)})?", text) else None


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
