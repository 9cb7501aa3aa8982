"""The settings of a build and the public traces; which files make up a scenario."""

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from anarchy.common import paths
from anarchy.common.errors import InputError, suggest
from anarchy.config.base import (
    Count,
    FilePath,
    Model,
    Name,
    Prose,
    Replications,
    Seed,
    Title,
    Whole,
)
from anarchy.config.scenario import Scenario, merge_scenarios
from anarchy.config.validation import validate_layers
from anarchy.config.yaml_files import read_yaml

FILE_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"

MOST_LETTERS = 100
"""Of a file's or folder's name."""

FileName = Annotated[str, Field(pattern=FILE_NAME_PATTERN, max_length=MOST_LETTERS)]


def _folder_of_results(output: str) -> str:
    """Refuses what lies outside the project and what a build must not write into."""
    parts = PurePosixPath(output).parts
    if not all(re.fullmatch(FILE_NAME_PATTERN, part) for part in parts):
        raise ValueError("a folder of the project is wanted, such as build/mine")
    if max(map(len, parts), default=0) > MOST_LETTERS:
        raise ValueError(f"names of folders may have {MOST_LETTERS} letters")
    if parts and parts[0].lower() in paths.SOURCES:  # one folder where letters have no case
        raise ValueError(f"'{parts[0]}' holds sources of the project; allowed: build/mine")
    return output


Output = Annotated[FilePath, AfterValidator(_folder_of_results)]


class Bootstrap(Model):
    """Block bootstrap of a single real trace."""

    resamples: Annotated[Whole, Field(ge=100, le=1_000_000)] = 1000
    block: Count = Field(200, description="consecutive requests resampled together")


class Adjust(Model):
    """What is merged over files of the configuration; how overlays coarsen a build."""

    experiments: dict[Name, dict[str, Any] | None] = Field({}, description="null leaves one out")
    studies: dict[Name, dict[str, Any]] = {}
    silicon: dict[str, Any] = {}

    @property
    def left_out(self) -> set[str]:
        """The experiments that a build goes without."""
        return {name for name, change in self.experiments.items() if change is None}


class Settings(Model):
    """What is built, with which seed and how precisely."""

    seed: Seed
    replications: Annotated[Replications, Field(ge=2)] = Field(description="runs per point")
    requests: Count = Field(description="measured requests per run of a synthetic workload")
    warmup_cycles: Annotated[float, Field(ge=0, le=1000)] = Field(
        description="completions per client (closed loop) dropped before measuring"
    )
    bootstrap: Bootstrap = Bootstrap()
    theorem_checks: Count | None = Field(
        None, description="most instances of each family of theorem checks; all if absent"
    )
    output: Output = Field(
        ".", description="folder of the project that receives results, figures and paper"
    )
    adjust: Adjust = Adjust()


class TraceSource(Model):
    """A public trace: looked up, downloaded when absent, checked, never committed."""

    file: FileName = Field(description="what it is called below data/traces")
    format: Literal["mooncake", "azure"]
    url: Annotated[str, Field(max_length=1000, pattern=r"^(https?|file)://[!-~]+$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    licence: Title
    citation: Prose


class TraceSources(Model):
    """config/traces.yaml."""

    traces: dict[Name, TraceSource]

    @model_validator(mode="after")
    def _files_are_distinct(self) -> Self:
        files = [source.file for source in self.traces.values()]
        for name, source in self.traces.items():
            if files.count(source.file) > 1:
                raise ValueError(f"traces.{name}.file: another trace is called '{source.file}' too")
        return self


def load_settings(base: Path, overlay: Path | None = None, output: str | None = None) -> Settings:
    """Read the settings with an optional overlay laid over them.

    An `output` takes the place of theirs: the same build in another folder.
    """
    files = [(base, read_yaml(base))]
    if overlay is not None:
        files.append((overlay, read_yaml(overlay)))
    if output is not None:
        files.append((Path("--output"), {"output": output}))
    return validate_layers(Settings, files)


def load_scenario(folder: Path, name: str, library: Path | None = None) -> Scenario:
    """Read a scenario with everything it `extends`, from its folder or else from `library`."""
    return validate_layers(Scenario, scenario_files(folder, name, library), merge_scenarios)


def scenario_files(
    folder: Path, name: str, library: Path | None = None, seen: tuple[str, ...] = ()
) -> list[tuple[Path, dict[str, Any]]]:
    """The files that make up a scenario, each above what it `extends`, without that key."""
    path = folder / f"{name}.yaml"
    if library is not None and seen and not path.is_file():
        folder, path = library, library / f"{name}.yaml"
    if not path.is_file():
        if path.is_symlink() or path.exists():
            raise InputError(f"{path}: no regular file, nor a link to one")
        known = [p.stem for p in folder.glob("*.yaml")]
        raise InputError(f"{path}: unknown scenario '{name}'; {suggest(name, known)}")
    if name in seen:
        raise InputError(f"{path}: extends itself through {' -> '.join([*seen, name])}")
    data = read_yaml(path)
    files: list[tuple[Path, dict[str, Any]]] = []
    parents = data.pop("extends", [])
    for parent in parents if isinstance(parents, list) else [parents]:
        files += scenario_files(folder, str(parent), library, (*seen, name))
    return [*files, (path, data)]
