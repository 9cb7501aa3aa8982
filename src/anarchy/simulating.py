"""One simulation asked for by name: the library behind `anarchy simulate`."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from anarchy import paths
from anarchy.config import (
    Custom,
    Scenario,
    Trace,
    TraceSources,
    TwinTrace,
    get_field,
    load_scenario,
    read_yaml,
    validate,
    with_fields,
)
from anarchy.errors import InputError, suggest
from anarchy.inputs import fetch_trace, find_trace, is_path
from anarchy.plan import ScenarioChecks
from anarchy.serving.cluster import prepare
from anarchy.serving.latency import load_latency
from anarchy.serving.log import Run, write_log
from anarchy.serving.twin import generate
from anarchy.serving.twin_parameters import load_twin
from anarchy.traces import TraceData, load_trace, read_trace

REQUESTS = 4000
"""Measured requests of a synthetic workload, when the user names no number."""

REFRESH = 0.1
"""Seconds between two readings of a run's progress."""

Progress = Callable[[int, int], None]
"""Called now and then with the requests done and those wanted, from another thread."""


@dataclass(frozen=True)
class Simulation:
    """What is simulated: a checked scenario, its trace if it replays one, seed and length."""

    scenario: Scenario
    trace: TraceData | None
    seed: int
    requests: int


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
    scenario = _load(name, root)
    if seed < 0:
        raise InputError(f"--seed: {seed}, allowed are whole numbers from 0")
    if rows is not None and rows < 1:
        raise InputError(f"--rows: {rows}, allowed are whole numbers from 1")
    if trace is not None:
        scenario = _with_trace(scenario, trace)
    for key, value in (changes or {}).items():
        get_field(scenario, key, "--set")
        scenario = with_fields(scenario, {key: value}, "--set")
    recorded = isinstance(scenario.workload, Trace | TwinTrace)
    if recorded and rows is not None:
        scenario = with_fields(scenario, {"workload.rows": rows}, "--rows")
    sources = validate(TraceSources, read_yaml(root / paths.TRACES), str(root / paths.TRACES))
    missing = ScenarioChecks(root, sources).scenario(scenario, name)
    if missing is not None:
        raise InputError(f"{name}: workload.trace: '{missing}' is not at hand and cannot be had")
    data = _read_trace(scenario, sources, seed, root)
    _check_prompts(scenario, data, name)
    return Simulation(scenario, data, seed, REQUESTS if recorded or rows is None else rows)


def run_simulation(
    simulation: Simulation, progress: Progress | None = None, root: Path = Path()
) -> tuple[Run, float]:
    """Simulate; returns the run and the seconds it took."""
    latency = load_latency(root / paths.LATENCY, simulation.scenario.model.latency)
    system = prepare(
        simulation.scenario,
        latency,
        seed=simulation.seed,
        requests=simulation.requests,
        trace=simulation.trace,
    )
    stop = threading.Event()

    def watch() -> None:
        while progress is not None and not stop.wait(REFRESH):
            progress(*system.progress)

    watcher = threading.Thread(target=watch, daemon=True)
    if progress is not None:
        watcher.start()
    began = time.perf_counter()
    try:
        run = system.run()
    finally:
        seconds = time.perf_counter() - began
        stop.set()
        if progress is not None:
            watcher.join()
            progress(*system.progress)
    return run, seconds


def summarise(run: Run, seconds: float) -> dict[str, float | int | None]:
    """The run in a few numbers, times in seconds; None where a run has no such number."""
    log = run.log.select(run.measured)
    window = run.end - run.start
    p50, p99 = np.percentile(log.ttft, [50, 99])
    return {
        "requests": len(log),
        "mean_ttft": float(log.ttft.mean()),
        "p50_ttft": float(p50),
        "p99_ttft": float(p99),
        "mean_itl": float(log.itl.mean()),
        "mean_e2e": float(log.e2e.mean()),
        "throughput": len(log) / window if window > 0 else None,
        "prefix_reuse": float(log.cached_tokens.sum() / log.input_tokens.sum()),
        "requests_per_wall_second": len(run.log) / seconds,
    }


def parse_change(text: str) -> tuple[str, Any]:
    """One `key=value`; the value is read as YAML would read it."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InputError(f"--set: '{text}' is not key=value, as in router.temperature=0.5")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(f"--set: '{value}' of '{key}' is not a YAML value") from None


def check_writable(out: Path) -> None:
    """Refuse a path that no file can be written to, before anything is computed."""
    if out.is_dir():
        raise InputError(f"--out: {out} is a folder; name a file, as in log.parquet")
    folder = out.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"--out: {out} cannot be written: {folder} is no writable folder")


def write_run(out: Path, run: Run) -> None:
    """Write the log of a run whole or not at all."""
    try:
        write_log(out, run.log)
    except OSError as error:
        raise InputError(f"--out: {out} cannot be written: {error.strerror}") from None


def _load(name: str, root: Path) -> Scenario:
    library = root / paths.SCENARIOS
    if not name.endswith((".yaml", ".yml")) and os.sep not in name:
        return load_scenario(library, name)
    path = Path(name)
    if not path.is_file():
        names = [known.stem for known in library.glob("*.yaml")]
        raise InputError(f"{path}: no such scenario file; {suggest(path.stem, names)}")
    if path.suffix != ".yaml":
        raise InputError(f"{path}: scenario files end in .yaml")
    return load_scenario(path.parent, path.stem, library)


def _with_trace(scenario: Scenario, path: Path) -> Scenario:
    """The scenario with its workload replaced, and without what was assumed of the old one."""
    if not path.is_file():
        raise InputError(f"--trace: {path}: no such file")
    data = scenario.model_dump()
    data["workload"] = {"kind": "trace", "trace": str(path.absolute())}
    data["assumptions"] = {
        key: reason
        for key, reason in scenario.assumptions.items()
        if not key.startswith("workload")
    }
    return validate(Scenario, data, "--trace")


def _read_trace(
    scenario: Scenario, sources: TraceSources, seed: int, root: Path
) -> TraceData | None:
    workload = scenario.workload
    if isinstance(workload, TwinTrace):
        twin = load_twin(root / paths.TWINS, workload.twin)
        return generate(twin, workload.rows, seed if workload.seed is None else workload.seed)
    if not isinstance(scenario.workload, Trace):
        return None
    name = scenario.workload.trace
    path = find_trace(name, sources, root)
    if is_path(name):
        return load_trace(path)
    source = sources.traces[name]
    if not path.is_file():
        path = fetch_trace(source, path.parent)
    return read_trace(path, source.format, source.sha256)


def _check_prompts(scenario: Scenario, trace: TraceData | None, source: str) -> None:
    """A prompt that no worker's memory holds would be served in no real system."""
    workload, capacity = scenario.workload, scenario.engine.cache.capacity_tokens
    if isinstance(workload, Custom):
        return  # what it will ask is its own affair
    if isinstance(workload, Trace | TwinTrace):
        assert trace is not None
        largest = int(trace.input_tokens[: workload.rows].max())
    else:
        largest = max(part.input_tokens for part in [workload, *workload.tenants])
    if largest > capacity:
        raise InputError(
            f"{source}: engine.cache.capacity_tokens: {capacity}, but a prompt has {largest} tokens"
        )
