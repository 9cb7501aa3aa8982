"""The campaign: one stack after the other, its points one after the other, each kept as it ends.

A point that is kept is not measured again until the campaign is over, so that one that was
stopped goes on where it was. A point counts only if the machine had time to spare.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from anarchy.common.files import Row, read_rows, write_rows
from anarchy.config.live import LiveCampaign, LivePoint
from anarchy.live.measuring.load import ClosedLoopLoad, make_load
from anarchy.live.measuring.metrics import REQUESTS, TTFT
from anarchy.live.measuring.observing import (
    Glance,
    Listener,
    Report,
    first_fault,
    glance,
    kept_file,
    log_between,
    report,
    settled,
    watch,
)
from anarchy.live.measuring.router_log import read_decisions
from anarchy.live.measuring.rows import Observation, point_rows
from anarchy.live.processes import LiveError
from anarchy.live.stack import Stack, running
from anarchy.serving.service_times.lookup import Latency


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
        table = self._latency(point.scenario.model.latency).table
        asked = [
            point.scenario.model_dump(mode="json"),
            table.model_dump(mode="json"),
            [point.dilation, point.requests, self._settings.seed, point.warmup_cycles],
        ]
        return kept_file(self._folder, point.name, asked)

    def _measure(self, points: Sequence[LivePoint]) -> None:
        first = points[0]
        self._listener.begins(f"{first.series}: Dynamo starts")
        logs = self._folder / f"stack-{first.series}"
        shutil.rmtree(logs, ignore_errors=True)
        with running(first.scenario, first.dilation, logs) as stack:
            for point in points:
                self._listener.begins(point.name)
                observe = partial(self._observe, stack, point)
                seen = settled(point.name, observe, self._settings, self._listener)
                write_rows(self._kept(point), point_rows(point, seen))
                self._listener.ended(point.name)

    def _observe(self, stack: Stack, point: LivePoint) -> Observation:
        return asyncio.run(self._watched(stack, point))

    async def _watched(self, stack: Stack, point: LivePoint) -> Observation:
        """Run the closed loop of a point once."""
        latency = self._latency(point.scenario.model.latency)
        load = make_load(
            stack.url, stack.model, stack.prompt_words, point, latency, self._settings.seed
        )
        glances: list[Glance] = []
        load.at_edge = lambda: glances.append(glance(stack))
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(watch(stack))
                clients = tasks.create_task(load.run())
                await load.opened.wait()
                before = await report(stack)
                await load.closed.wait()
                after = await report(stack)
                await clients
                watching.cancel()
        except* LiveError as faults:
            raise first_fault(faults) from None
        return _observation(stack, load, glances, before, after)


def _observation(
    stack: Stack, load: ClosedLoopLoad, glances: Sequence[Glance], before: Report, after: Report
) -> Observation:
    start, end = glances
    lines = log_between(stack, start, end)
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
