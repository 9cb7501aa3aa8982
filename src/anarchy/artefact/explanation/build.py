"""A build as an explanation sees it: the project's files and what was made of them."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from anarchy.artefact.explanation import declarations
from anarchy.artefact.explanation.jobs import Job, Jobs, read_jobs
from anarchy.artefact.explanation.numbering import Numbering
from anarchy.artefact.explanation.places import Paper, Place, lines_of
from anarchy.artefact.imported_sources import imported_sources
from anarchy.common.errors import InputError
from anarchy.common.files import read_rows
from anarchy.common.paths import SETTINGS, TRACE_CACHE, Outputs
from anarchy.config.yaml_files import read_yaml

QUICK = "quick.yaml"
"""The overlay of ./reproduce quick."""

FIRST_ROW = 2
"""The line of a results file that its first row stands on."""

SAME, CHANGED, MISSING, UNKNOWN = "as built", "changed since", "missing", "not recorded"
"""What became of an input since the build."""


@dataclass(frozen=True)
class Input:
    """A file that a result follows from and that no job makes."""

    path: str
    sha256: str | None
    state: str


class Build:
    """A project with one of its builds, which need not be there yet."""

    def __init__(self, root: Path, overlay: Path | None = None) -> None:
        """`overlay` is that of the build: settings laid over config.yaml."""
        self.root = root
        self.overlay = overlay
        self._inputs: dict[str, Input] = {}
        self._modules: dict[str, list[Path]] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self.out = Outputs(_output(root, overlay))

    @cached_property
    def jobs(self) -> Jobs | None:
        """The index of the build's jobs; None before the first whole build."""
        path = self.root / self.out.machine / "jobs.json"
        return read_jobs(path) if path.is_file() else None

    @cached_property
    def numbering(self) -> Numbering:
        """The numbers of this build's PDF."""
        return Numbering(self.root / self.out.machine / "latex" / "main.aux")

    @cached_property
    def paper(self) -> Paper:
        """The paper, with this build's appendix."""
        return Paper(self.root, self.out.generated)

    @cached_property
    def _record(self) -> tuple[dict[str, str], dict[str, float]]:
        """Hashes of the inputs and seconds of the jobs as provenance.json has them; a broken one
        is refused. Its models check more, and loading them takes longer than an explanation may.
        """
        path = self.root / self.out.machine / "provenance.json"
        if not path.is_file():
            return {}, {}
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            return dict(record["inputs"]), {j["name"]: float(j["cpu_s"]) for j in record["jobs"]}
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{path}: no record of a build; a build writes it anew") from None

    def results(self, file: str) -> str:
        """The path of a results file that declarations name by its place below results/."""
        return (self.out.results / file).as_posix()

    def rows(self, file: str) -> list[dict[str, Any]]:
        """The rows of a results file, by its path from the root; a broken one is refused."""
        if file not in self._rows:
            path = self.root / file
            try:
                self._rows[file] = read_rows(path)
            except (AttributeError, TypeError, ValueError):
                raise InputError(
                    f"{path}: no rows of results; delete it and run ./reproduce"
                ) from None
        return self._rows[file]

    def row_place(self, file: str, position: int) -> Place:
        """The line of a row, counted from 0."""
        return Place(file, position + FIRST_ROW)

    def files_with(self, row_id: str) -> list[tuple[str, int]]:
        """The results files that have rows of an id, with how many, those of single runs last."""
        wanted = f'"id": {json.dumps(row_id, ensure_ascii=False)}'
        marks = (wanted + ",", wanted + "}")
        machine = self.root / self.out.machine
        found = []
        for path in sorted((self.root / self.out.results).rglob("*.json")):
            if machine not in path.parents:
                text = path.read_text(encoding="utf-8")
                count = sum(map(text.count, marks))
                if count:
                    found.append((path.relative_to(self.root).as_posix(), count))
        return sorted(found, key=lambda entry: "/points/" in entry[0])

    def input(self, path: str) -> Input:
        """An input with its hash now, and what became of it since the build."""
        if path not in self._inputs:
            self._inputs[path] = self._hashed(path)
        return self._inputs[path]

    def _hashed(self, path: str) -> Input:
        file = self.root / path
        # The record calls a trace that lies elsewhere what it is called inside.
        known = (TRACE_CACHE / file.name).as_posix() if Path(path).is_absolute() else path
        recorded = self._record[0].get(known)
        if not file.is_file():
            return Input(path, recorded, MISSING)
        with file.open("rb") as opened:
            now = hashlib.file_digest(opened, "sha256").hexdigest()
        state = UNKNOWN if recorded is None else SAME if recorded == now else CHANGED
        return Input(path, now, state)

    def inputs(self, jobs: Sequence[Job]) -> list[Input]:
        """The files that some jobs follow from and that no job makes, each once."""
        assert self.jobs is not None
        made = self.jobs.maker
        read = [p for job in jobs for p in job.inputs if made(p) is None]
        named = [*(p for job in jobs for p in job.configs), *read]
        return [self.input(path) for path in dict.fromkeys(named)]

    def modules(self, script: str) -> list[Path]:
        """The modules that a script rests on, the nearest first."""
        if script not in self._modules:
            path = self.root / script
            found = imported_sources(path, self.root / "src") if path.is_file() else []
            self._modules[script] = found
        return self._modules[script]

    def sources(self, jobs: Sequence[Job]) -> list[Input]:
        """The scripts of some jobs with all modules of the package that they rest on."""
        scripts = dict.fromkeys(job.script for job in jobs if job.script)
        found = {path: None for script in scripts for path in self.modules(script)}
        paths = [*scripts, *sorted(p.relative_to(self.root).as_posix() for p in found)]
        return [self.input(path) for path in paths]

    def seconds(self, job: Job) -> float | None:
        """Processor time of a job in the last whole build; None where that is not known.

        Its wall clock would say as much of what else ran at the time.
        """
        return self._record[1].get(job.name)

    def command(self, target: str) -> str:
        """What builds a file, and no more than it needs."""
        if self.overlay is None:
            return f".venv/bin/snakemake {target}"
        inside = self.overlay.is_relative_to(self.root)
        overlay = self.overlay.relative_to(self.root) if inside else self.overlay
        return f".venv/bin/snakemake {target} --config overlay={overlay.as_posix()}"

    @property
    def whole(self) -> str:
        """What builds everything."""
        if self.overlay is None:
            return "./reproduce"
        return "./reproduce quick" if self.overlay.name == QUICK else self.command("all")

    @cached_property
    def macros(self) -> dict[str, Place]:
        """Where each macro is declared."""
        return declarations.macros(self.root)

    def rule_place(self, rule: str) -> Place | None:
        """Where a rule of the workflow is."""
        return self._rule_places.get(rule)

    @cached_property
    def _rule_places(self) -> dict[str, Place]:
        return {
            found[1]: Place(path.relative_to(self.root).as_posix(), number)
            for path in sorted((self.root / "workflow" / "rules").glob("*.smk"))
            for number, line in enumerate(lines_of(path), start=1)
            if (found := re.match(r"rule (\w+):", line))
        }


def _output(root: Path, overlay: Path | None) -> Path:
    """The folder that a build writes to, the only setting that matters here."""
    output = read_yaml(root / SETTINGS).get("output", ".")
    if overlay is not None:
        output = read_yaml(overlay).get("output", output)
    if not isinstance(output, str):
        raise InputError(f"{overlay or root / SETTINGS}: output: a folder is wanted")
    return Path(output)
