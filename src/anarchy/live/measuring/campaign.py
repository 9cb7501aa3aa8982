"""The campaign: one stack after the other, its points one after the other, each kept as it ends.

A point that is kept is not measured again until the campaign is over, so that one that was
stopped goes on where it was. A point counts only if the machine had time to spare.
"""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.error import URLError
from urllib.request import urlopen

from anarchy.common.files import Row, read_rows, write_rows
from anarchy.config.live import LiveCampaign, LivePoint
from anarchy.live.measuring.load import PATIENCE, ClosedLoopLoad, make_load
from anarchy.live.measuring.machine import ProcessorTime, processor_time
from anarchy.live.measuring.metrics import REQUESTS, TTFT, Reading, read_metrics
from anarchy.live.measuring.router_log import read_decisions
from anarchy.live.measuring.rows import Observation, point_rows
from anarchy.live.processes import LiveError
from anarchy.live.stack import Stack, running
from anarchy.serving.service_times.lookup import Latency

ATTEMPTS = 3
"""How often a point is measured before the machine is said to be too loaded for it."""

WATCH = 1.0
"""Seconds between two looks at whether all processes are alive."""


class Listener(Protocol):
    """Hears how the campaign comes along."""

    def begins(self, what: str) -> None:
        """A stack is started or a point measured."""

    def ended(self, point: LivePoint) -> None:
        """A point is kept."""

    def failed(self, fault: str) -> None:
        """A measurement does not count, and is taken again."""


class _Glance(NamedTuple):
    """What is read in no time at one end of the window."""

    log_bytes: int
    processors: ProcessorTime


class _Report(NamedTuple):
    """What is asked for at one end of the window, while the clients go on."""

    metrics: Reading
    lateness: float


class Campaign:
    """Measures points and keeps their rows in files of a folder."""

    def __init__(
        self,
        settings: LiveCampaign,
        points: Sequence[LivePoint],
        latency: Callable[[str], Latency],
        folder: Path,
        listener: Listener,
    ) -> None:
        """`latency` finds a table by its name."""
        self._settings = settings
        self._points = points
        self._latency = latency
        self._folder = folder
        self._listener = listener

    def run(self) -> list[Row]:
        """The rows of all points, in their order."""
        for deployment in self._deployments():
            missing = [point for point in deployment if not self._kept(point).is_file()]
            if missing:
                self._measure(missing)
        return [row for point in self._points for row in read_rows(self._kept(point))]

    def forget(self) -> None:
        """Keep nothing any more: the next campaign measures anew."""
        for point in self._points:
            self._kept(point).unlink()

    def _deployments(self) -> Iterator[list[LivePoint]]:
        """Points that differ in their workload alone: one stack serves them."""
        found: dict[str, list[LivePoint]] = {}
        for point in self._points:
            deployment = point.scenario.model_dump_json(
                exclude={"workload", "description", "assumptions"}
            )
            found.setdefault(f"{point.dilation} {deployment}", []).append(point)
        yield from found.values()

    def _kept(self, point: LivePoint) -> Path:
        """Where the rows of a point are kept; another name if anything about it has changed."""
        table = self._latency(point.scenario.model.latency).table
        asked = [
            point.scenario.model_dump(mode="json"),
            table.model_dump(mode="json"),
            [point.dilation, point.requests, self._settings.seed, point.warmup_cycles],
        ]
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        return self._folder / f"{point.name}-{digest[:12]}.json"

    def _measure(self, points: Sequence[LivePoint]) -> None:
        first = points[0]
        self._listener.begins(f"{first.series}: Dynamo starts")
        logs = self._folder / f"stack-{first.series}"
        shutil.rmtree(logs, ignore_errors=True)
        with running(first.scenario, first.dilation, logs) as stack:
            for point in points:
                self._listener.begins(point.name)
                write_rows(self._kept(point), point_rows(point, self._settled(stack, point)))
                self._listener.ended(point)

    def _settled(self, stack: Stack, point: LivePoint) -> Observation:
        """The first measurement that counts."""
        for attempt in range(1, ATTEMPTS + 1):
            seen = asyncio.run(self._observe(stack, point))
            fault = self._disturbance(seen)
            if fault is None:
                return seen
            if attempt < ATTEMPTS:
                self._listener.failed(f"{point.name}: {fault}; measured again")
        raise LiveError(f"{point.name}: the machine is too loaded to measure: {fault}")

    def _disturbance(self, seen: Observation) -> str | None:
        """Why a measurement does not count, if it does not."""
        if seen.free < self._settings.free:
            return (
                f"{100 * seen.free:.0f} % of the processors' time was free, "
                f"{100 * self._settings.free:g} % are wanted"
            )
        if seen.lateness > self._settings.lateness:
            return (
                f"engines woke up {1000 * seen.lateness:.0f} ms late in one of a hundred cases, "
                f"allowed: {1000 * self._settings.lateness:g} ms"
            )
        return None

    async def _observe(self, stack: Stack, point: LivePoint) -> Observation:
        """Run the closed loop of a point once."""
        latency = self._latency(point.scenario.model.latency)
        load = make_load(
            stack.url, stack.model, stack.prompt_words, point, latency, self._settings.seed
        )
        glances: list[_Glance] = []
        load.at_edge = lambda: glances.append(_glance(stack))
        try:
            async with asyncio.TaskGroup() as tasks:
                watch = tasks.create_task(_watch(stack))
                clients = tasks.create_task(load.run())
                await load.opened.wait()
                before = await _report(stack)
                await load.closed.wait()
                after = await _report(stack)
                await clients
                watch.cancel()
        except* LiveError as faults:
            raise _first(faults) from None
        return _observation(stack, load, glances, before, after)


async def _watch(stack: Stack) -> None:
    """Raise LiveError as soon as a process has died."""
    while True:
        stack.check()
        await asyncio.sleep(WATCH)


def _glance(stack: Stack) -> _Glance:
    return _Glance(stack.frontend_log.stat().st_size, processor_time())


async def _report(stack: Stack) -> _Report:
    page = await asyncio.to_thread(_page, f"{stack.url}/metrics")
    late = await asyncio.to_thread(stack.lateness)
    return _Report(read_metrics(page), late.get("p99", 0.0))


def _page(url: str) -> str:
    try:
        with urlopen(url, timeout=PATIENCE) as page:
            text: str = page.read().decode()
            return text
    except (URLError, OSError) as error:
        raise LiveError(f"{url}: no answer: {error}") from None


def _observation(
    stack: Stack, load: ClosedLoopLoad, glances: Sequence[_Glance], before: _Report, after: _Report
) -> Observation:
    start, end = glances
    with stack.frontend_log.open("rb") as log:
        log.seek(start.log_bytes)
        text = log.read(end.log_bytes - start.log_bytes).decode(errors="replace")
    lines = text.splitlines()
    earlier, later = before.metrics, after.metrics
    return Observation(
        start=load.boundary,
        answers=load.measured,
        decisions=list(read_decisions(lines, stack.decode_workers)),
        prefill_decisions=list(read_decisions(lines, stack.prefill_workers)),
        ttft=later.histogram(TTFT).since(earlier.histogram(TTFT)),
        requests=later.counter(REQUESTS) - earlier.counter(REQUESTS),
        free=end.processors.free_share(start.processors),
        lateness=after.lateness,
    )


def _first(faults: BaseExceptionGroup[Any]) -> LiveError:
    """One of the faults of a group, which may hold groups."""
    fault = faults.exceptions[0]
    return _first(fault) if isinstance(fault, BaseExceptionGroup) else fault
