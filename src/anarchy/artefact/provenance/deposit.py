"""The deposit for a DOI: sources, configuration, results and paper in one archive."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anarchy.artefact.provenance.checks import faults
from anarchy.artefact.provenance.commit import CHANGED, FILE, commit
from anarchy.artefact.provenance.crate import METADATA, metadata
from anarchy.artefact.provenance.record import (
    Provenance,
    hashes,
    read_record,
)
from anarchy.common.errors import InputError
from anarchy.common.files import write_text
from anarchy.common.paths import TRACE_CACHE, Outputs
from anarchy.config.yaml_files import read_yaml

RECORDS = ("provenance.json", "provenance.html", "jobs.json")
"""What a build says of itself: made with what, and which job made what of what."""

SUMS, GUIDE, CITATION = Path("SHA256SUMS"), Path("DEPOSIT.md"), Path("CITATION.cff")

_GUIDE = """\
# {title}

The sources of the artefact, version {version}, and what a build of them made. {left_out}

Commit: {commit}
Built on: {machine}

    sha256sum --check --quiet SHA256SUMS    # every file is what it was
    ./reproduce quick                       # builds the paper anew, coarsely, in build/quick
    ./reproduce                             # builds all of it anew

`README.md` says what is what. `{record}` says what the build
was made with and from, and `ro-crate-metadata.json` the same, with all files, as an RO-Crate.
"""


@dataclass(frozen=True)
class Deposit:
    """What is in an archive: its own name, and the files below the one folder in it."""

    name: str
    commit: str
    files: Mapping[str, Path]
    """The file behind each path of the deposit."""
    left_out: tuple[str, ...]
    """Folders of outputs that it does not have, with a slash at the end."""
    record: str
    provenance: Provenance

    @property
    def said_of_left_out(self) -> str:
        """A sentence on what it does not have."""
        folders = " and ".join(f"`{folder}`" for folder in self.left_out)
        return f"It leaves out the logs of single requests in {folders}." if folders else ""


def plan_deposit(root: Path, outputs: Outputs, *, logs: bool, changes: bool) -> Deposit:
    """What to put into a deposit of the build in `outputs`, once that is known to be sound.

    The request logs, most of its size, are left out unless `logs`. Refuses, as an InputError, what
    is no checkout; changed tracked files unless `changes`; and a build that is not of these files.
    """
    head, sources = commit(root), _tracked(root)
    if head is None or sources is None:
        raise InputError("a deposit is made from a checkout: git does not say which files it has")
    if head.endswith(CHANGED) and not changes:
        raise InputError(
            "tracked files differ from the commit: commit them, or ask for a deposit that says so "
            "with --changes"
        )
    record = outputs.machine / "provenance.json"
    provenance = read_record(root / record)
    _refuse(record, provenance, root, head, sources)
    omitted = () if logs else (f"{(outputs.results / 'logs').as_posix()}/",)
    names = [*sources, *provenance.outputs]
    names += [(outputs.machine / name).as_posix() for name in RECORDS]
    return Deposit(
        name=_name(root, head),
        commit=head,
        files={name: root / name for name in sorted(names) if not name.startswith(omitted)},
        left_out=omitted,
        record=record.as_posix(),
        provenance=provenance,
    )


def _tracked(root: Path) -> list[str] | None:
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return [name for name in done.stdout.decode().split("\0") if name]


def _refuse(
    record: Path, provenance: Provenance, root: Path, head: str, sources: list[str]
) -> None:
    """Refuse a build of other files than those of the deposit."""
    found = faults(provenance, root)
    recorded = f"{provenance.commit.id}{CHANGED if provenance.commit.changed else ''}"
    if recorded != head:
        found.append(f"it is of commit {recorded}, and {head} is checked out")
    loose = provenance.inputs.keys() - set(sources)
    found += [
        f"{name}: input of the build, not under version control"
        for name in sorted(loose)
        if not name.startswith(f"{TRACE_CACHE}/")
    ]
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise InputError(f"{record}: the build is not of these files: {found[0]}{more}")


def _name(root: Path, head: str) -> str:
    version = read_yaml(root / CITATION)["version"]
    return f"anarchy-{version}-{head[:8]}{'-changed' if head.endswith(CHANGED) else ''}"


def lay_out(root: Path, deposit: Deposit, folder: Path, reads: Mapping[str, Sequence[str]]) -> None:
    """Put the deposit into an empty folder: its files, commit, guide, crate and checksums.

    `reads` has the inputs of each job, by its name.
    """
    for name, path in deposit.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / name)
    citation = read_yaml(root / CITATION)
    write_text(folder / FILE, f"{deposit.commit}\n")
    write_text(folder / GUIDE, _guide(deposit, citation))
    held = _hashes(folder)
    write_text(
        folder / METADATA,
        metadata(folder, held, deposit.provenance, citation, deposit.said_of_left_out, reads),
    )
    held = _hashes(folder)
    write_text(folder / SUMS, "".join(f"{digest}  {name}\n" for name, digest in held.items()))


def _guide(deposit: Deposit, citation: Mapping[str, Any]) -> str:
    machine = deposit.provenance.machine
    return _GUIDE.format(
        title=citation["title"],
        version=citation["version"],
        commit=deposit.commit,
        machine=f"{machine.cpu}, {machine.platform}",
        left_out=deposit.said_of_left_out,
        record=deposit.record,
    )


def _hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of all files below a folder, also of hidden ones, by path."""
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return hashes(folder, {path.as_posix(): path for path in files})
