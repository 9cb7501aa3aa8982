"""What is run: a scenario of `config/scenarios` with changes, its service times and its trace.

Files are read when a subject is made, so that they are no part of what is timed.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import with_fields
from anarchy.config.settings import TraceSources, load_scenario
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml
from anarchy.serving.compiled.run import CompiledSystem
from anarchy.serving.log.request_log import RequestLog, Run
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import Simulator, prepare, simulate, takes_compiled
from anarchy.workload.trace_files import find_trace
from anarchy.workload.traces import TraceData, load_trace

CLOSED_LOOPS = {"70b-1p2d": 64, "70b-1p5d": 128, "340b-1p2d": 256}
"""The published closed loops, and with how many clients they are measured."""


def trace_file(name: str) -> Path:
    """Where a trace lies; an InputError if it is not at hand."""
    sources = validate(TraceSources, read_yaml(paths.ROOT / paths.TRACES), str(paths.TRACES))
    path = find_trace(name, sources, paths.ROOT)
    if not path.is_file():
        raise InputError(f"the trace {name} is not at hand; README.md says where it is looked for")
    return path


class Counter:
    """Counts rows and lets them go."""

    def __init__(self) -> None:
        self.rows = 0

    def take(self, log: RequestLog, measured: NDArray[np.bool_]) -> None:
        self.rows += len(measured)


class Subject:
    """One deployment that can be run again and again, the same every time."""

    def __init__(
        self,
        name: str,
        requests: int,
        changes: Mapping[str, Any] | None = None,
        trace: TraceData | None = None,
    ) -> None:
        self.requests, self.trace = requests, trace
        self.scenario = with_fields(
            load_scenario(paths.ROOT / paths.SCENARIOS, name), dict(changes or {}), name
        )
        self.latency = load_latency(paths.ROOT / paths.LATENCY, self.scenario.model.latency)

    def run(self, simulator: Simulator = "auto", seed: int = 1) -> Run:
        """The whole run, its log included."""
        return simulate(
            self.scenario, self.latency, seed=seed, simulator=simulator, **self._options
        )

    def compiled(self, costs: bool = True) -> CompiledSystem:
        """A run on the kernel that has not begun."""
        run = prepare(
            self.scenario,
            self.latency,
            seed=1,
            simulator="compiled",
            costs=costs,
            **self._options,
        )
        assert isinstance(run, CompiledSystem)
        return run

    @property
    def _options(self) -> dict[str, Any]:
        return {"requests": self.requests, "trace": self.trace}

    def stream(self) -> int:
        """Run on the kernel and keep nothing; how many rows came out."""
        counter = Counter()
        self.compiled(costs=False).stream(counter)
        return counter.rows

    @property
    def on_kernel(self) -> bool:
        """Whether `auto` takes the kernel."""
        return takes_compiled(self.scenario, "auto")


def closed_loop(name: str, requests: int) -> Subject:
    """A published closed loop."""
    return Subject(name, requests, {"workload.clients": CLOSED_LOOPS[name]})


def recorded(name: str, rows: int | None = None) -> Subject:
    """A deployment that replays the conversation trace, or its first rows."""
    trace = _conversation()
    return Subject(name, rows or len(trace), {"workload.rows": rows}, trace)


@cache
def _conversation() -> TraceData:
    return load_trace(trace_file("mooncake-conversation"))
