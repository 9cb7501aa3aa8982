"""Whether the record of a build is complete and true of the files that lie there now."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from anarchy.artefact.provenance.record import (
    LOCK,
    Provenance,
    by_rule,
    locked_versions,
    sha256,
    total,
)
from anarchy.common.paths import TRACE_CACHE


def faults(
    provenance: Provenance, root: Path = Path(), left_out: tuple[str, ...] = ()
) -> list[str]:
    """What is wrong with the record of a build in the project at `root`: one line each, or none.

    What begins with one of `left_out` need not be there, as in a deposit without the logs.
    Every input and output must be there and have the recorded hash; every output must be one of a
    job that says what it took; the sums must be those of the jobs; and the packages must have the
    versions of the lock. An unknown commit is no fault, since the hashes say more, nor is a trace
    that lies elsewhere: config/traces.yaml has its hash.
    """
    return [
        *_differences(provenance.inputs, root, "input", (f"{TRACE_CACHE}/",)),
        *_differences(provenance.outputs, root, "output", left_out),
        *_unclaimed(provenance),
        *_wrong_sums(provenance),
        *_unlocked(provenance, root),
    ]


def _differences(
    recorded: Mapping[str, str], root: Path, kind: str, elsewhere: tuple[str, ...]
) -> Iterable[str]:
    if not recorded:
        yield f"the record names no {kind}"
    for name, digest in recorded.items():
        path = root / name
        if not path.is_file():
            if not name.startswith(elsewhere):
                yield f"{name}: {kind} of the build, not there"
        elif sha256(path) != digest:
            yield f"{name}: {kind} of the build, changed since"


def _unclaimed(provenance: Provenance) -> Iterable[str]:
    claimed = {name for job in provenance.jobs for name in job.made}
    for name in provenance.outputs:
        if claimed.isdisjoint({name, *map(str, Path(name).parents)}):
            yield f"{name}: no job says that it made it, and what that took"


def _wrong_sums(provenance: Provenance) -> Iterable[str]:
    if provenance.rules != by_rule(provenance.jobs) or provenance.total != total(provenance.jobs):
        yield "rules, total: not the sums over the jobs"


def _unlocked(provenance: Provenance, root: Path) -> Iterable[str]:
    lock = root / LOCK
    locked = locked_versions(lock.read_text(encoding="utf-8")) if lock.is_file() else {}
    for name, version in provenance.packages.items():
        if name in locked and locked[name] != version:
            yield f"{name}: version {version}, but {LOCK} has {locked[name]}"
