"""results/machine/provenance.json: what a build was made with and from, and what it took."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from anarchy.artefact.provenance.commit import CHANGED, commit
from anarchy.artefact.provenance.job_logs import Job
from anarchy.artefact.provenance.machine import Machine, this_machine, versions
from anarchy.common.errors import InputError
from anarchy.common.files import write_text
from anarchy.common.paths import TRACE_CACHE
from anarchy.config.base import Model, Seed
from anarchy.config.settings import Settings

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

LOCK = "requirements.lock"


class Commit(Model):
    """Where the project's own files come from."""

    id: str | None = Field(description="null where neither git nor a file says it")
    changed: bool = Field(description="whether tracked files differ from it")


class Rule(Model):
    """What all jobs of a rule took together."""

    rule: str
    jobs: int
    wall_s: float = Field(description="sum over the jobs, which may run side by side")
    cpu_s: float
    peak_mib: float = Field(description="of the largest job")


class Total(Model):
    """What the whole build took, but for the record itself."""

    jobs: int
    wall_s: float = Field(description="sum over the jobs")
    busy_s: float = Field(description="time during which at least one job ran")
    cpu_s: float
    peak_mib: float = Field(description="of the largest job")


class Provenance(Model):
    """The record of one build. All paths are relative to the project's folder."""

    commit: Commit
    overlay: str | None = Field(description="what was laid over config/config.yaml")
    seed: Seed = Field(description="root of all random streams: replication i has its i-th child")
    settings: Settings = Field(description="config/config.yaml with the overlay laid over it")
    machine: Machine
    packages: dict[str, str] = Field(description="version of every installed package")
    inputs: dict[str, Digest] = Field(description="SHA-256 of every file that the build rests on")
    digests: dict[str, Digest] = Field(
        description="SHA-256 of the lines `sha256  path` of a group of inputs, sorted by path"
    )
    outputs: dict[str, Digest] = Field(description="SHA-256 of every file that the build made")
    jobs: list[Job] = Field(description="the last run of each job, in order of their start")
    rules: list[Rule] = Field(description="the jobs by rule, those that took most CPU first")
    total: Total


def record(
    root: Path,
    *,
    overlay: str | None,
    settings: Settings,
    inputs: Iterable[Path],
    made: Sequence[str],
    jobs: Iterable[Job],
) -> Provenance:
    """The record of a build in the project at `root` whose outputs, files and folders, are `made`.

    Of the jobs those count that made one of the outputs or inputs last. An input that lies outside
    the project is a trace, and is called what it is called inside.
    """
    known = commit(root)
    hashed = hashes(root, {_name(path): path for path in inputs})
    counted = latest(jobs, {*made, *hashed})
    return Provenance(
        commit=Commit(
            id=known and known.removesuffix(CHANGED), changed=bool(known and CHANGED in known)
        ),
        overlay=overlay,
        seed=settings.seed,
        settings=settings,
        machine=this_machine(),
        packages=versions(),
        inputs=hashed,
        digests=digests(hashed),
        outputs=hashes(root, {name: Path(name) for name in files_of(root, made)}),
        jobs=counted,
        rules=by_rule(counted),
        total=total(counted),
    )


def write_record(path: Path, provenance: Provenance) -> None:
    """Write the record as JSON."""
    write_text(path, provenance.model_dump_json(indent=1) + "\n")


def read_record(path: Path) -> Provenance:
    """Read a record; anything else is an InputError that names the file."""
    try:
        return Provenance.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: not there; a build writes it") from None
    except (ValidationError, ValueError):
        raise InputError(f"{path}: no record of a build; a build writes it anew") from None


def files_of(root: Path, made: Iterable[str]) -> list[str]:
    """The files among some outputs and in the folders among them."""
    found = []
    for name in made:
        path = root / name
        inside = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
        found += [p.relative_to(root).as_posix() for p in inside if not p.name.startswith(".")]
    return found


def hashes(root: Path, files: Mapping[str, Path]) -> dict[str, str]:
    """The SHA-256 of some files of the project by what each is called, sorted by that."""
    return {name: sha256(root / files[name]) for name in sorted(files)}


def _name(path: Path) -> str:
    return (TRACE_CACHE / path.name if path.is_absolute() else path).as_posix()


def sha256(path: Path) -> str:
    """The SHA-256 of one file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(inputs: Mapping[str, str]) -> dict[str, str]:
    """One digest for the configuration, the lock, the code, the paper's sources and the rest."""
    groups = defaultdict(list)
    for name, digest in sorted(inputs.items()):
        groups[_group(name)].append(f"{digest}  {name}\n")
    return {
        group: hashlib.sha256("".join(lines).encode()).hexdigest()
        for group, lines in sorted(groups.items())
    }


def _group(name: str) -> str:
    if name == LOCK:
        return "lock"
    first = name.partition("/")[0]
    if first in ("src", "workflow", "Snakefile"):
        return "code"
    return first if first in ("config", "paper") else "other"


def latest(jobs: Iterable[Job], wanted: Iterable[str]) -> list[Job]:
    """The jobs that made each wanted output last."""
    names = set(wanted)
    last: dict[str, Job] = {}
    for job in sorted(jobs, key=lambda job: (job.started, job.name)):
        last |= dict.fromkeys(names.intersection(job.made), job)
    return sorted({job.name: job for job in last.values()}.values(), key=lambda job: job.started)


def by_rule(jobs: Iterable[Job]) -> list[Rule]:
    """What the jobs of each rule took; the rule with most CPU time comes first."""
    groups = defaultdict(list)
    for job in jobs:
        groups[job.rule].append(job)
    rules = [
        Rule(
            rule=rule,
            jobs=len(group),
            wall_s=round(sum(job.wall_s for job in group), 2),
            cpu_s=round(sum(job.cpu_s for job in group), 2),
            peak_mib=max(job.peak_mib for job in group),
        )
        for rule, group in groups.items()
    ]
    return sorted(rules, key=lambda rule: (-rule.cpu_s, rule.rule))


def total(jobs: Sequence[Job]) -> Total:
    """What all jobs took."""
    return Total(
        jobs=len(jobs),
        wall_s=round(sum(job.wall_s for job in jobs), 2),
        busy_s=round(_busy(jobs), 2),
        cpu_s=round(sum(job.cpu_s for job in jobs), 2),
        peak_mib=max((job.peak_mib for job in jobs), default=0.0),
    )


def span(jobs: Sequence[Job]) -> tuple[float, float]:
    """Seconds since 1970 at which the first job began and the last one ended."""
    return (
        min((job.started for job in jobs), default=0.0),
        max((job.started + job.wall_s for job in jobs), default=0.0),
    )


def _busy(jobs: Sequence[Job]) -> float:
    """Seconds that the jobs cover together: pauses between parts of a build do not count."""
    busy, until = 0.0, float("-inf")
    for job in sorted(jobs, key=lambda job: job.started):
        end = job.started + job.wall_s
        busy += max(0.0, end - max(job.started, until))
        until = max(until, end)
    return busy


def locked_versions(lock: str) -> dict[str, str]:
    """The version of each package in the text of a lock."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE))
