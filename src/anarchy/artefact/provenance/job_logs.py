"""What each job took: the last line of its log, which `anarchy.common.jobs` writes."""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from anarchy.config.base import Model


class Job(Model):
    """One job of the build."""

    name: str = Field(description="the rule and its wildcards, as the log is called")
    rule: str
    started: float = Field(description="seconds since 1970")
    wall_s: float = Field(ge=0, description="wall clock")
    cpu_s: float = Field(ge=0, description="CPU, of the job and what it started")
    peak_mib: float = Field(gt=0, description="memory of the largest process at its most")
    made: list[str] = Field(min_length=1, description="its outputs, files and folders")


def read_jobs(logs: Path) -> Iterator[Job]:
    """The jobs whose logs lie below a folder and say what the jobs took; others did not finish."""
    for path in sorted(logs.rglob("*.log")):
        job = read_job(logs, path.relative_to(logs).with_suffix("").as_posix())
        if job:
            yield job


def read_job(logs: Path, name: str) -> Job | None:
    """The job of a name, None if it did not finish or its log is gone."""
    try:
        text = (logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        took = json.loads(text.splitlines()[-1])
        return Job(name=name, rule=name.partition("/")[0], **took)
    except (OSError, IndexError, TypeError, ValueError):
        return None
