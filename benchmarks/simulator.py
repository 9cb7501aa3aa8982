"""How fast the simulator is: requests per second of CPU time, beside SimPy's bare event loop.

    .venv/bin/python benchmarks/simulator.py [--repeats 5]

Machines are shared and noisy, so each figure is the median of several runs, and the event rate of
an empty SimPy loop is measured in alternation: the ratio of the two says more than either.
Writes results/machine/benchmarks.json, an array of {id, value, unit}.
"""

import argparse
import resource
import time
from collections.abc import Callable
from statistics import median

import simpy
from rich.console import Console
from rich.progress import track
from rich.table import Table

from anarchy import paths
from anarchy.config import TraceSources, load_scenario, read_yaml, validate, with_fields
from anarchy.files import write_rows
from anarchy.inputs import find_trace
from anarchy.serving.cluster import simulate
from anarchy.serving.latency import load_latency
from anarchy.traces import load_trace

REQUESTS = 20_000
EVENTS = 200_000
CLOSED_LOOPS = {"70b-1p2d": 64, "70b-1p5d": 128, "340b-1p2d": 256}


def bare_events() -> float:
    """Events per second of a SimPy loop whose callbacks only schedule the next event."""
    clock = simpy.Environment()
    count = 0

    def tick(_: simpy.Event) -> None:
        nonlocal count
        count += 1
        if count < EVENTS:
            clock.timeout(1.0).callbacks.append(tick)

    for start in range(64):
        clock.timeout(start / 64).callbacks.append(tick)
    began = time.process_time()
    clock.run()
    return count / (time.process_time() - began)


def closed_loop(name: str, clients: int) -> float:
    """Simulated requests per second of a published topology, its log included."""
    scenario = with_fields(
        load_scenario(paths.ROOT / paths.SCENARIOS, name), {"workload.clients": clients}, name
    )
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    began = time.process_time()
    run = simulate(scenario, latency, seed=1, requests=REQUESTS)
    return len(run.log) / (time.process_time() - began)


def recorded() -> Callable[[], float] | None:
    """The full conversation trace on 8P/8D with the KV router, if the trace is at hand."""
    sources = validate(TraceSources, read_yaml(paths.ROOT / paths.TRACES), str(paths.TRACES))
    path = find_trace("mooncake-conversation", sources, paths.ROOT)
    if not path.is_file():
        return None
    trace = load_trace(path)
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "mooncake-8p8d")
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)

    def replay() -> float:
        began = time.process_time()
        run = simulate(scenario, latency, seed=1, trace=trace)
        return len(run.log) / (time.process_time() - began)

    return replay


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="runs per figure (default 5)")
    repeats = parser.parse_args().repeats
    subjects: dict[str, Callable[[], float]] = {
        f"closed_loop.{name}.requests_per_second": lambda n=name, c=clients: closed_loop(n, c)
        for name, clients in CLOSED_LOOPS.items()
    }
    replay = recorded()
    if replay is not None:
        subjects["mooncake.requests_per_second"] = replay
    console = Console(stderr=True)
    found: dict[str, list[float]] = {name: [] for name in subjects}
    bare: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in track(range(repeats), "measuring", console=console):
        for name, subject in subjects.items():
            bare[name].append(bare_events())
            found[name].append(subject())
    table = Table("id", "requests/s", "bare SimPy events/s", "events per request at that rate")
    rows: list[dict[str, object]] = []
    for name in subjects:
        value, reference = median(found[name]), median(bare[name])
        table.add_row(name, f"{value:,.0f}", f"{reference:,.0f}", f"{reference / value:.1f}")
        rows.append({"id": name, "value": value, "unit": "1/s"})
        rows.append({"id": f"{name}.bare_simpy", "value": reference, "unit": "1/s"})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    rows.append({"id": "peak_memory", "value": peak, "unit": "bytes"})
    Console().print(table)
    Console().print(f"peak memory {peak / 2**20:,.0f} MiB")
    write_rows(paths.ROOT / "results/machine/benchmarks.json", rows)


if __name__ == "__main__":
    main()
