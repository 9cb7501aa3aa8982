"""The campaign of points: one stack after the other, and on each its points one after the other.

A point counts only if the machine had time to spare.
"""

import asyncio
import shutil
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from anarchy.common.files import write_rows
from anarchy.config.live import LivePoint
from anarchy.live.measuring.campaign import Campaign
from anarchy.live.measuring.load import ClosedLoopLoad, make_load
from anarchy.live.measuring.metrics import REQUESTS, TTFT
from anarchy.live.measuring.observing import (
    Glance,
    Report,
    first_fault,
    glance,
    log_between,
    report,
    settled,
    watch,
)
from anarchy.live.measuring.router_log import read_decisions
from anarchy.live.measuring.rows import Observation, point_rows
from anarchy.live.processes import LiveError
from anarchy.live.stack import Stack, running


class PointCampaign(Campaign[LivePoint]):
    """Measures points of constant load; those of one deployment share a stack."""

    def _stacks(self) -> Iterable[Sequence[LivePoint]]:
        """Points that differ in their workload alone."""
        found: dict[str, list[LivePoint]] = {}
        for point in self._asked:
            deployment = point.scenario.model_dump_json(
                exclude={"workload", "description", "assumptions"}
            )
            found.setdefault(f"{point.dilation} {deployment}", []).append(point)
        return found.values()

    def _conditions(self, each: LivePoint) -> list[Any]:
        scenario = each.scenario.model_dump(mode="json")
        return [scenario, each.dilation, each.requests, each.warmup_cycles]

    def _measure(self, missing: Sequence[LivePoint]) -> None:
        first = missing[0]
        self._listener.begins(f"{first.series}: Dynamo starts")
        logs = self._folder / f"stack-{first.series}"
        shutil.rmtree(logs, ignore_errors=True)
        with running(first.scenario, first.dilation, logs) as stack:
            for point in missing:
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
