"""The jobs of a build as its index has them: which one makes a file, and what of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from anarchy.common.errors import InputError
from anarchy.common.files import read_rows


@dataclass(frozen=True)
class Job:
    """One job; its name is its rule and, if the rule has several, what tells them apart."""

    name: str
    script: str | None
    inputs: tuple[str, ...]  # without the package's own files
    configs: tuple[str, ...]
    outputs: Mapping[str, str | None]  # what its script calls them

    @property
    def rule(self) -> str:
        """The rule that it is a job of."""
        return self.name.partition("/")[0]

    @property
    def wildcards(self) -> tuple[str, ...]:
        """What tells it from other jobs of its rule."""
        return tuple(part for word in self.name.split("/")[1:] for part in word.split("__"))


@dataclass(frozen=True)
class Jobs:
    """All jobs of a build by name."""

    jobs: Mapping[str, Job]

    @cached_property
    def _makers(self) -> dict[str, Job]:
        return {path: job for job in self.jobs.values() for path in job.outputs}

    def maker(self, path: str) -> Job | None:
        """The job that makes a file; None for one that no job makes."""
        return self._makers.get(path)

    def upstream(self, paths: Iterable[str]) -> list[Job]:
        """The jobs that make the files and all that they are made of, the last job first."""
        found: dict[str, Job] = {}
        ahead = list(paths)
        while ahead:
            makers = dict.fromkeys(job.name for p in ahead if (job := self.maker(p)) is not None)
            new = [self.jobs[name] for name in makers if name not in found]
            found |= {job.name: job for job in new}
            ahead = [path for job in new for path in job.inputs]
        return list(found.values())

    def outputs(self) -> list[str]:
        """Every file that the build makes, in the order of its jobs."""
        return list(self._makers)


def read_jobs(path: Path) -> Jobs:
    """The index of a build; one that cannot be read is refused."""
    jobs: dict[str, dict[str, Any]] = {}
    try:
        for row in read_rows(path):
            job = jobs.setdefault(row["id"], {"input": [], "config": [], "output": {}})
            if row["role"] == "output":
                job["output"][row["value"]] = row["name"]
            elif row["role"] == "script":
                job["script"] = row["value"]
            else:
                job[row["role"]].append(row["value"])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(f"{path}: no index of jobs; delete it and run ./reproduce") from None
    return Jobs(
        {
            name: Job(name, j.get("script"), tuple(j["input"]), tuple(j["config"]), j["output"])
            for name, j in jobs.items()
        }
    )
