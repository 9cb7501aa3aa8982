"""Events per second of the kernel, beside event loops that do nothing else.

All loops keep `PENDING` events in the queue; the bare ones take the first, and schedule one some
drawn time later. The same loop is written for SimPy, for Python's own `heapq`, and for the kernel's
queue compiled: how much of the kernel's time its queue alone would take is the limit of a design
that has such a queue.
"""

import heapq
from collections.abc import Callable
from typing import Any

import numpy as np
import simpy

from anarchy.common.files import Row
from anarchy.serving.compiled.core.compile import compiled
from anarchy.serving.compiled.core.event_queue import ARRIVE, drop_event, push
from anarchy.serving.compiled.core.records import Entry, State
from anarchy.serving.compiled.core.tables import Floats, zeros
from anarchy.serving.rules.event_order import NORMAL
from benchmarks.measuring import Effort, Say, in_turns, ratio, row, spend
from benchmarks.subjects import closed_loop

PENDING = 64
"""As many as the closed loop has clients that the kernel is measured on."""

DELAYS = np.random.default_rng(1).exponential(1.0, 1024)
LOOP = "70b-1p2d"


def simpy_loop(events: int) -> float:
    """SimPy's, each event a timeout with a callback."""
    clock = simpy.Environment()
    delays = DELAYS.tolist()
    count = 0

    def tick(_: simpy.Event) -> None:
        nonlocal count
        count += 1
        if count < events:
            clock.timeout(delays[count % len(delays)]).callbacks.append(tick)

    for start in range(PENDING):
        clock.timeout(delays[start]).callbacks.append(tick)
    _, spent = spend(clock.run)
    return count / spent.cpu


def python_loop(events: int) -> float:
    """Python's heap of tuples that are ordered as SimPy's."""
    delays = DELAYS.tolist()
    queue = [(delays[k], 1, k, None) for k in range(PENDING)]
    heapq.heapify(queue)

    def run() -> None:
        for order in range(PENDING, PENDING + events):
            now, _, _, what = heapq.heappop(queue)
            heapq.heappush(queue, (now + delays[order % len(delays)], 1, order, what))

    _, spent = spend(run)
    return events / spent.cpu


@compiled
def _compiled_loop(state: State, delays: Floats, events: int) -> None:
    for count in range(events):
        event = state.events[0]
        time, number = event.key, event.number
        drop_event(state)
        push(state, time + delays[count % len(delays)], NORMAL, ARRIVE, number)


@compiled
def _schedule_first(state: State, delays: Floats, events: int) -> None:
    for count in range(events):
        push(state, delays[count], NORMAL, ARRIVE, count)


def compiled_loop(events: int) -> float:
    """The kernel's queue, compiled as it is in the kernel."""
    idle = closed_loop(LOOP, 100).compiled()._state
    state = idle._replace(events=zeros(Entry, 2 * PENDING))
    _schedule_first(state, DELAYS, PENDING)
    _, spent = spend(lambda: _compiled_loop(state, DELAYS, events))
    return events / spent.cpu


def kernel_loop(requests: int) -> float:
    """A closed loop on the kernel: all of its run is timed, and the events it scheduled count."""
    system = closed_loop(LOOP, requests).compiled()
    _, spent = spend(system.run)
    return int(system._state.progress.events_ever) / spent.cpu


def measure(effort: Effort, say: Say) -> list[Row]:
    """Events per second of each loop, and how they compare."""
    kernel_loop(100)  # compiles
    compiled_loop(100)
    # A compiled loop is over in no time: it is made as long as the others.
    subjects: dict[str, tuple[str, Callable[[], float]]] = {
        "kernel": (f"kernel, {LOOP}", lambda: kernel_loop(effort.requests)),
        "heap": ("the kernel's queue alone, compiled", lambda: compiled_loop(20 * effort.events)),
        "heapq": ("a loop on heapq, in Python", lambda: python_loop(effort.events)),
        "simpy": ("SimPy's loop alone", lambda: simpy_loop(effort.events)),
    }
    runs: dict[str, Callable[[], Any]] = {name: run for name, (_, run) in subjects.items()}
    found = in_turns(runs, effort.repeats, say)
    rows = [
        row(f"events.{name}_per_second", found[name], "1/s", "cpu", what)
        for name, (what, _) in subjects.items()
    ]
    for other in ("heap", "heapq", "simpy"):
        what = f"kernel over: {subjects[other][0]}"
        rows.append(
            ratio(f"events.kernel_over_{other}", found["kernel"], found[other], "cpu", what)
        )
    return rows
