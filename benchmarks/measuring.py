"""Clocks, repeated measurements and the rows that come of them.

A row is {id, value, unit, lo, hi, n, clock, what}: the median of `n` measurements, the least and
the largest of them, and the clock they were taken with: `cpu` is the processor time of the process
with all its threads, `wall` the time that passed. Seconds, bytes, and 1/s.
"""

import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeVar

from anarchy.common import paths
from anarchy.common.files import Row
from anarchy.common.garbage_collection import gc_paused

T = TypeVar("T")

Clock = Literal["cpu", "wall", "none"]
Say = Callable[[str], None]
"""Hears what is measured next."""


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    repeats: int = 5
    requests: int = 200_000  # of a closed loop
    reference_requests: int = 20_000  # the same on SimPy, which is slower
    events: int = 1_000_000
    trace_rows: int | None = None  # all of them
    most_requests: int = 10**7
    most_workers: int = 4096
    most_clients: int = 4096
    swept_requests: int = 50_000  # at each point of a sweep over workers or clients
    compilations: int = 3  # from an empty cache

    def with_repeats(self, repeats: int | None) -> "Effort":
        """The same, each measured so many times."""
        return self if repeats is None else replace(self, repeats=repeats)


QUICK = Effort(
    repeats=3,
    reference_requests=5000,
    events=200_000,
    most_requests=10**6,
    most_workers=256,
    most_clients=1024,
    swept_requests=20_000,
    compilations=1,
)


@dataclass(frozen=True)
class Spent:
    """Seconds of one measurement."""

    wall: float
    cpu: float


def spend(work: Callable[[], Any]) -> tuple[Any, Spent]:
    """What `work` returns, and what it took.

    As in `timeit`, cyclic garbage is not looked for meanwhile: that would charge the work for what
    earlier measurements have left in memory.
    """
    gc.collect()
    with gc_paused():
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        return result, Spent(time.perf_counter() - wall, time.process_time() - cpu)


def in_turns(subjects: Mapping[str, Callable[[], T]], repeats: int, say: Say) -> dict[str, list[T]]:
    """What each subject returns, time after time; all of them once before any of them twice."""
    found: dict[str, list[T]] = {name: [] for name in subjects}
    for turn in range(repeats):
        for name, subject in subjects.items():
            say(f"{name}, {turn + 1} of {repeats}")
            found[name].append(subject())
    return found


def row(id: str, values: Sequence[float], unit: str, clock: Clock, what: str) -> Row:
    """The row of some measurements of one quantity."""
    return {
        "id": id,
        "value": median(values),
        "unit": unit,
        "lo": min(values),
        "hi": max(values),
        "n": len(values),
        "clock": clock,
        "what": what,
    }


def ratio(id: str, over: Sequence[float], under: Sequence[float], clock: Clock, what: str) -> Row:
    """The row of the ratios of measurements that were taken in turns."""
    return row(id, [a / b for a, b in zip(over, under, strict=True)], "1", clock, what)


def peak_memory() -> int:
    """The largest memory of this process so far, bytes.

    Where Linux tells, it is that of the program alone: what `getrusage` says begins with the memory
    of the process that started it.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def in_child(task: str, **arguments: Any) -> tuple[dict[str, Any], Spent]:
    """What a task of `benchmarks.child` reports from a process of its own.

    The seconds are those of the whole process, from its start.
    """
    command = [sys.executable, "-m", "benchmarks.child", task, json.dumps(arguments)]
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True, check=True, encoding="utf-8"
    )
    wall = time.perf_counter() - began
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report, Spent(wall, report["process_cpu"])
