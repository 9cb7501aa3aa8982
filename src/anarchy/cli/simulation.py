"""One simulation asked for by name: the library behind `anarchy simulate`."""

import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anarchy.common import paths
from anarchy.common.errors import InputError, faults_in, suggest
from anarchy.common.files import refuse_inputs
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import TraceSources, load_scenario
from anarchy.config.validation import validate
from anarchy.config.workload import SyntheticTrace, Trace, Workload
from anarchy.config.yaml_files import parse_yaml, read_yaml
from anarchy.serving.log.request_log import LogWriter, RequestLog, log_writer
from anarchy.serving.log.summary import Summary
from anarchy.serving.rules.feasibility import check_requests
from anarchy.serving.scenario_checks import ScenarioChecks
from anarchy.serving.service_times.lookup import load_service_times
from anarchy.serving.simulate import Runnable, Simulator, prepare
from anarchy.workload.synthetic_trace import generate
from anarchy.workload.synthetic_trace_parameters import load_trace_parameters
from anarchy.workload.trace_files import fetch_trace, find_trace, is_path
from anarchy.workload.traces import TraceData, load_trace, read_trace

REQUESTS = 4000
"""Measured requests of a synthetic workload, when the user names no number."""

MOST_REQUESTS = 100_000_000
"""More would take gigabytes and hours."""

MOST_SEED = 2**63 - 1

REFRESH = 0.1
"""Seconds between two readings of a run's progress."""

Progress = Callable[[int, int], None]
"""Called now and then with the requests done and those wanted, from another thread."""


@dataclass(frozen=True)
class Simulation:
    """What is simulated: a checked scenario, its trace if it replays one, seed and length.

    `inputs` are the scenario's file and, if a path names one, the trace's.
    """

    scenario: Scenario
    trace: TraceData | None
    seed: int
    requests: int
    inputs: tuple[Path, ...]


def plan_simulation(
    name: str,
    *,
    seed: int = 1,
    trace: Path | None = None,
    rows: int | None = None,
    changes: Mapping[str, Any] | None = None,
    root: Path = Path(),
) -> Simulation:
    """Read and check everything that a run needs; a fault is one InputError.

    `name` is a scenario of config/scenarios or the path of a YAML file; `trace` replaces the
    scenario's workload, `rows` limits a trace or the measured requests of a synthetic workload,
    and `changes` are fields to set.
    """
    file, scenario = read_scenario(name, root)
    if not 0 <= seed <= MOST_SEED:
        raise InputError(f"--seed: {seed}, allowed are whole numbers from 0 to {MOST_SEED}")
    if rows is not None and not 1 <= rows <= MOST_REQUESTS:
        raise InputError(f"--rows: {rows}, allowed are whole numbers from 1 to {MOST_REQUESTS:,}")
    if trace is not None:
        scenario = _with_trace(scenario, trace)
    if changes:
        scenario = with_fields(scenario, changes, "--set")
    recorded = isinstance(scenario.workload, Trace | SyntheticTrace)
    if recorded and rows is not None:
        scenario = with_fields(scenario, {"workload.rows": rows}, "--rows")
    sources = validate(TraceSources, read_yaml(root / paths.TRACES), str(root / paths.TRACES))
    own = _own_trace(scenario.workload, trace, sources, root)
    data = None if own is None else load_trace(own)  # once, for it may be a pipe
    missing = ScenarioChecks(root, sources).scenario(scenario, name, trace=data)
    if missing is not None:
        raise InputError(f"{name}: workload.trace: '{missing}' is not at hand and cannot be had")
    if data is None:
        data = _other_trace(scenario, sources, seed, root)
    with faults_in(name):
        check_requests(scenario, data)
    length = REQUESTS if recorded or rows is None else rows
    return Simulation(scenario, data, seed, length, (file,) if own is None else (file, own))


def recorded_requests(scenario: Scenario, seed: int, root: Path = Path()) -> TraceData | None:
    """The rows of a scenario's trace, recorded or synthetic; None if it replays none."""
    sources = validate(TraceSources, read_yaml(root / paths.TRACES), str(root / paths.TRACES))
    own = _own_trace(scenario.workload, None, sources, root)
    return _other_trace(scenario, sources, seed, root) if own is None else load_trace(own)


class _Rows:
    """Rows into the summary, and into a file if one is written."""

    def __init__(self, summary: Summary, writer: LogWriter | None) -> None:
        self._summary = summary
        self._writer = writer

    def take(self, log: RequestLog, measured: NDArray[np.bool_]) -> None:
        self._summary.take(log, measured)
        if self._writer is not None:
            self._writer.write(log)


def run_simulation(
    simulation: Simulation,
    *,
    engine: Simulator = "auto",
    out: Path | None = None,
    progress: Progress | None = None,
    root: Path = Path(),
) -> dict[str, float | int | None]:
    """Simulate; the figures of the run (see `serving.summary`).

    With `out` the log is written there, whole or not at all. In the compiled simulator rows go as
    they are done, so that memory grows with the requests in flight and by three numbers a request.
    """
    if out is not None:
        check_writable(out, simulation.inputs)
    latency = load_service_times(root / paths.LATENCY, simulation.scenario.model)
    system = prepare(
        simulation.scenario,
        latency,
        seed=simulation.seed,
        requests=simulation.requests,
        trace=simulation.trace,
        simulator=engine,
        costs=out is not None,
    )
    summary = Summary()
    with _writer(out) as writer, _watched(system, progress):
        began = time.perf_counter()
        run = system.stream(_Rows(summary, writer))
        figures = summary.figures(run["end"] - run["start"], time.perf_counter() - began)
        _check_figures(figures, simulation.inputs[0])
    return figures


def _check_figures(figures: Mapping[str, float | None], source: Path) -> None:
    for name, value in figures.items():
        if value is not None and not math.isfinite(value):
            raise InputError(f"{source}: {name} is {value}: some time or rate is too large")


@contextmanager
def _writer(out: Path | None) -> Iterator[LogWriter | None]:
    """What writes the log, if one is asked for."""
    if out is None:
        yield None
        return
    try:
        with log_writer(out) as writer:
            yield writer
    except OSError as error:
        raise InputError(f"--out: {out} cannot be written: {error.strerror}") from None


@contextmanager
def _watched(system: Runnable, progress: Progress | None) -> Iterator[None]:
    """Tell of the progress now and then, and at the end."""
    if progress is None:
        yield
        return
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(REFRESH):
            progress(*system.progress)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        progress(*system.progress)


def parse_change(text: str) -> tuple[str, Any]:
    """One `key=value`; the value is read as YAML would read it."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InputError(f"--set: '{text}' is not key=value, as in router.temperature=0.5")
    return key, parse_yaml(value, f"--set {key}")


def check_writable(out: Path, inputs: Iterable[Path] = ()) -> None:
    """Refuse a path that no file can be written to, before anything is computed.

    A link is followed. What is read or written already, be it one of `inputs` or a standard
    stream, is not written over, whatever it is called.
    """
    if out.is_dir():
        raise InputError(f"--out: {out} is a folder; name a file, as in log.parquet")
    if out.exists():
        if not out.is_file():
            raise InputError(f"--out: {out} is no regular file; name one, as in log.parquet")
        refuse_inputs(out, inputs, "--out")
        if any(_is_open(out, standard) for standard in range(3)):
            raise InputError(f"--out: {out} is a standard stream of the command; name another file")
    folder = Path(os.path.realpath(out)).parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"--out: {out} cannot be written: {folder} is no writable folder")


def _is_open(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:  # closed
        return False


def read_scenario(name: str, root: Path) -> tuple[Path, Scenario]:
    """The file of a scenario, and what it says with all that it extends."""
    library = root / paths.SCENARIOS
    if not name.endswith((".yaml", ".yml")) and os.sep not in name:
        return library / f"{name}.yaml", load_scenario(library, name)
    path = Path(name)
    if not path.is_file():
        names = [known.stem for known in library.glob("*.yaml")]
        raise InputError(f"{path}: no such scenario file; {suggest(path.stem, names)}")
    if path.suffix != ".yaml":
        raise InputError(f"{path}: scenario files end in .yaml")
    return path, load_scenario(path.parent, path.stem, library)


def _with_trace(scenario: Scenario, path: Path) -> Scenario:
    """The scenario with its workload replaced, and without what was assumed of the old one."""
    if not path.exists() or path.is_dir():
        raise InputError(f"--trace: {path}: no such file")
    data = scenario.model_dump()
    data["workload"] = {"kind": "trace", "trace": str(path.absolute())}
    data["assumptions"] = {
        key: reason
        for key, reason in scenario.assumptions.items()
        if not key.startswith("workload")
    }
    return validate(Scenario, data, "--trace")


def _own_trace(
    workload: Workload, given: Path | None, sources: TraceSources, root: Path
) -> Path | None:
    """The trace file that a scenario, or the command line, names by its path."""
    if not isinstance(workload, Trace) or not is_path(workload.trace):
        return None
    if given is not None and workload.trace == str(given.absolute()):
        return given
    return find_trace(workload.trace, sources, root)


def _other_trace(
    scenario: Scenario, sources: TraceSources, seed: int, root: Path
) -> TraceData | None:
    """The rows of a synthetic trace or of a registered one, if the scenario has either."""
    workload = scenario.workload
    if isinstance(workload, SyntheticTrace):
        fitted = load_trace_parameters(root / paths.SYNTHETIC_TRACES, workload.parameters)
        return generate(fitted, workload.rows, seed if workload.seed is None else workload.seed)
    if not isinstance(workload, Trace):
        return None
    source = sources.traces[workload.trace]
    path = find_trace(workload.trace, sources, root)
    if not path.is_file():
        path = fetch_trace(source, path.parent)
    return read_trace(path, source.format, source.sha256)
