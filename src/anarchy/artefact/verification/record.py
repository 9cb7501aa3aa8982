"""Whether the record of a build is there, complete, and true of the files that lie there now."""

import hashlib
from pathlib import Path
from typing import Any

from anarchy.artefact.verification.checks import Check, check
from anarchy.common.files import read_rows

GROUP = "provenance"

REQUIRED = ("python", "platform", "commit")


def check_record(path: Path, root: Path) -> list[Check]:
    """The record of a build in the project at `root`: its fields, and the hash of every input."""
    try:
        rows: dict[str, Any] = {row["id"]: row["value"] for row in read_rows(path)}
    except (OSError, ValueError, KeyError, AttributeError):
        rows = {}
    if not rows:
        return [check(GROUP, path.name, "is not there, or no record of a build")]
    checks = [
        check(GROUP, name, "" if rows.get(name) else "is not recorded", rows.get(name))
        for name in REQUIRED
    ]
    for name, digest in rows.items():
        kind, _, file = name.partition(":")
        if kind == "sha256":
            now = _sha256(root / file)
            fault = "" if now == digest else "changed since the build, or gone"
            checks.append(check(GROUP, file, fault, now, digest))
    return checks


def _sha256(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
