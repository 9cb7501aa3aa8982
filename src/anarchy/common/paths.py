"""Every folder the artefact reads or writes, named once.

Input folders are relative to the project root, output folders to the output root of a build
(the project root itself, or `build/quick`), so that no absolute path ever reaches a result.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

CONFIG = Path("config")
SETTINGS = CONFIG / "config.yaml"
SCENARIOS = CONFIG / "scenarios"
EXPERIMENTS = CONFIG / "experiments"
STUDIES = CONFIG / "studies"
LATENCY = CONFIG / "latency"
TRACES = CONFIG / "traces.yaml"
SYNTHETIC_TRACES = CONFIG / "synthetic-traces"
REFERENCE = CONFIG / "reference"
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
