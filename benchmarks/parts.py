"""Where the time of one run goes: by part of the driver, and by mechanism of the kernel.

Parts are timed one by one around the functions named in `_parts`, each without what it calls of the
others. Mechanisms cannot be: the machine code of the kernel is one function. They are switched off
or on, and the difference of the kernel's time is shown. It is what the switch saves, not the share
of a mechanism, for a run without it also goes another way.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from anarchy.common.errors import InputError
from anarchy.common.files import Row
from anarchy.serving.compiled import run as system
from anarchy.serving.log import sinks
from benchmarks.measuring import Effort, Say, in_turns, row
from benchmarks.subjects import CLOSED_LOOPS, Subject, closed_loop, recorded

LOOP = "70b-1p5d"

MECHANISMS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "all": (f"{LOOP} as it is", {}, True),
    "no_costs": ("no columns of what the routers saw", {}, False),
    "round_robin": ("round robin instead of the KV router", {"router.policy": "round-robin"}, True),
    "no_caches": ("no caches", {"engine.cache.enabled": False}, True),
    "softmax": ("temperature 0.5: a draw for every decision", {"router.temperature": 0.5}, True),
    "late_updates": ("routers that hear 5 ms late", {"router.tracking.event_lag": 0.005}, True),
}
"""What is switched, the fields that do it, and whether the log has columns of costs."""


class Stopwatch:
    """Processor seconds by name; what is called within is not counted again."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._within: list[float] = []

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            self._within.append(0.0)
            began = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                passed = time.process_time() - began
                self.seconds[name] += passed - self._within.pop()
                if self._within:
                    self._within[-1] += passed

        return timed

    @contextmanager
    def watching(self, driver: type[system.CompiledSystem]) -> Iterator[None]:
        """All parts of the driver are timed."""
        with ExitStack() as patches:
            for name, owner, function in _parts(driver):
                timed = self.around(name, getattr(owner, function))
                patches.enter_context(patch.object(owner, function, timed))
            yield


def _parts(driver: type[system.CompiledSystem]) -> list[tuple[str, Any, str]]:
    return [
        ("refill", driver, "_refill"),
        ("kernel", system, "begin"),
        ("kernel", driver, "_advance"),
        ("rows_out", driver, "_emit"),
        ("rows_out", driver, "_grow_requests"),
        ("log", sinks.Memory, "log"),
        ("log", sinks.Memory, "measured"),
    ]


TEXTS = {
    "set_up": "set-up",
    "refill": "requests, times and draws",
    "kernel": "the compiled loop",
    "rows_out": "rows out of the ring",
    "log": "joining the log",
    "rest": "everything else",
}


def _watched(subject: Subject, costs: bool = True) -> tuple[dict[str, float], int, int]:
    """Seconds by part, requests and events of a run."""
    watch = Stopwatch()
    began = time.process_time()
    run = watch.around("set_up", subject.compiled)(costs)
    with watch.watching(type(run)):
        log = run.run().log
    whole = time.process_time() - began
    seconds = {name: watch.seconds[name] for name in TEXTS if name != "rest"}
    seconds["rest"] = whole - sum(seconds.values())
    return seconds, len(log), int(run._state.progress.events_ever)


def measure(effort: Effort, say: Say) -> list[Row]:
    """Seconds per request by part of the closed loop and of the trace, then by mechanism."""
    subjects = {"closed_loop": (closed_loop(LOOP, effort.requests), f"{LOOP}: ")}
    try:
        subjects["mooncake_plain"] = (
            recorded("mooncake-8p8d", effort.trace_rows),
            "mooncake-8p8d: ",
        )
    except InputError as fault:
        say(f"the trace is left out: {fault}")
    rows: list[Row] = []
    for name, (subject, text) in subjects.items():
        _watched(subject)  # compiles
        runs = in_turns({name: partial(_watched, subject)}, effort.repeats, say)[name]
        for part, what in TEXTS.items():
            each = [seconds[part] / count for seconds, count, _ in runs]
            id = f"profile.{name}.{part}.seconds_per_request"
            rows.append(row(id, each, "s", "cpu", text + what))
        events = [total / count for _, count, total in runs]
        rows.append(
            row(
                f"profile.{name}.events_per_request", events, "1", "none", f"{text}events scheduled"
            )
        )
    return rows + _mechanisms(effort, say)


def _mechanisms(effort: Effort, say: Say) -> list[Row]:
    clients = {"workload.clients": CLOSED_LOOPS[LOOP]}
    subjects = {
        name: (Subject(LOOP, effort.requests, {**clients, **changes}), costs)
        for name, (_, changes, costs) in MECHANISMS.items()
    }
    runs = {name: partial(_watched, subject, costs) for name, (subject, costs) in subjects.items()}
    found = in_turns(runs, effort.repeats, say)
    rows = []
    for name, (what, _, _) in MECHANISMS.items():
        each = [seconds["kernel"] / count for seconds, count, _ in found[name]]
        id, text = f"profile.mechanism.{name}.seconds_per_request", f"compiled loop: {what}"
        rows.append(row(id, each, "s", "cpu", text))
    return rows
