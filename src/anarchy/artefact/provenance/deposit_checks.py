"""Whether an unpacked deposit is whole, and can be worked with where it lies."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from anarchy.artefact.provenance.checks import faults
from anarchy.artefact.provenance.commit import commit
from anarchy.artefact.provenance.crate import crate_faults
from anarchy.artefact.provenance.deposit import SUMS, Deposit
from anarchy.artefact.provenance.record import read_record, sha256


def deposit_faults(folder: Path, deposit: Deposit) -> list[str]:
    """What is wrong with the deposit that was unpacked as `folder`: one line each, or none.

    Its checksums, its crate, its record and its commit must be right, and its own package must
    find its own configuration valid.
    """
    found = [*_wrong_sums(folder), *crate_faults(folder)]
    found += faults(read_record(folder / deposit.record), folder, deposit.left_out)
    if commit(folder) != deposit.commit:
        found.append(f"it says that its commit is {commit(folder)}, not {deposit.commit}")
    return found or [*_not_working(folder)]


def _wrong_sums(folder: Path) -> Iterable[str]:
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    for name in sorted(there - {SUMS.as_posix()} ^ listed.keys()):
        yield f"{name}: in {SUMS} or there, not both"
    for name in sorted(there & listed.keys()):
        if sha256(folder / name) != listed[name]:
            yield f"{name}: not the hash that {SUMS} has"


def _not_working(folder: Path) -> Iterable[str]:
    """What its own `anarchy check` says if it fails."""
    variables = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    variables.pop("ANARCHY_PROJECT", None)
    done = subprocess.run(
        [sys.executable, "-m", "anarchy", "check"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        yield f"its configuration is not valid there: {done.stderr.strip()}"
