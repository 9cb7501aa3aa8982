"""Every folder the artefact reads or writes, named once.

Input folders are relative to the project root, output folders to the output root of a build
(the project root itself, or `build/quick`), so that no absolute path ever reaches a result.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from anarchy.common.errors import InputError

ROOT = Path(__file__).resolve().parents[3]

CONFIG = Path("config")
SETTINGS = CONFIG / "config.yaml"
SCENARIOS = CONFIG / "scenarios"
EXPERIMENTS = CONFIG / "experiments"
STUDIES = CONFIG / "studies"
LATENCY = CONFIG / "latency"
TRACES = CONFIG / "traces.yaml"
LIVE = CONFIG / "live.yaml"
SILICON = CONFIG / "silicon.yaml"
CLAIMS = CONFIG / "claims.yaml"
SYNTHETIC_TRACES = CONFIG / "synthetic-traces"
REFERENCE = CONFIG / "reference"
LIVE_REFERENCE = REFERENCE / "live"
LIVE_WORK = Path("build") / "live"
SCHEMAS = Path("workflow") / "schemas"
TRACE_CACHE = Path("data") / "traces"
PAPER = Path("paper")

SOURCES = (
    "benchmarks",
    "config",
    "data",
    "docs",
    "figures",
    "paper",
    "scripts",
    "src",
    "tests",
    "workflow",
)
"""The project's own folders: no build may be sent into one."""


def find_project() -> Path:
    """The project that a command works on.

    That is the folder in ANARCHY_PROJECT, or else the working folder or the nearest one above it
    with a configuration, or else the project that the package was installed from.
    """
    given = os.environ.get("ANARCHY_PROJECT")
    if given:
        if not (Path(given) / SETTINGS).is_file():
            raise InputError(f"ANARCHY_PROJECT: {given} has no {SETTINGS}")
        return Path(given)
    if SETTINGS.is_file():
        return Path()  # messages and results then hold no absolute path
    here = Path(os.path.realpath("."))
    for folder in (*here.parents, ROOT):
        if (folder / SETTINGS).is_file():
            return folder
    raise InputError(
        f"{here}: neither this folder nor one above has a {SETTINGS}; run `anarchy` in the "
        "project's folder or set ANARCHY_PROJECT to it"
    )


@dataclass(frozen=True)
class Outputs:
    """The output folders of one build, below `base` (relative to the project root)."""

    base: Path

    @property
    def results(self) -> Path:
        """Everything computed; deterministic."""
        return self.base / "results"

    @property
    def machine(self) -> Path:
        """What depends on the clock or the machine: timings, versions, provenance."""
        return self.results / "machine"

    @property
    def logs(self) -> Path:
        """Messages of the jobs."""
        return self.machine / "logs"

    @property
    def figures(self) -> Path:
        """Vector PDFs and PNGs."""
        return self.base / "figures"

    @property
    def generated(self) -> Path:
        """What the paper reads: macros, tables, appendix pages."""
        return self.base / "paper" / "generated"

    @property
    def pdf(self) -> Path:
        """The paper itself."""
        return self.base / "paper" / "main.pdf"
