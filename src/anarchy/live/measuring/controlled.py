"""The campaign of controlled runs: the controller's own command beside a load in phases.

It polls the frontend's metrics page, and its decisions go to the file that the router of the stack
reads. What only looks is the same command in a dry run.
"""

import asyncio
import json
import shutil
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anarchy.common.files import write_rows, write_text
from anarchy.config.live import ControlledRun, Stretch, slowed
from anarchy.live.measuring.campaign import Campaign
from anarchy.live.measuring.controlled_rows import ControlledObservation, Stage, run_rows
from anarchy.live.measuring.load import Connection
from anarchy.live.measuring.metrics import TTFT
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
from anarchy.live.measuring.phased_load import PhasedLoad
from anarchy.live.measuring.router_log import read_decisions
from anarchy.live.processes import LiveError
from anarchy.live.stack import Stack, running

ALONE = 10
"""Requests of a client that is alone, before the others come."""

Edge = tuple[Glance, Report]
"""What is seen at one end of a stretch."""


class ControlledCampaign(Campaign[ControlledRun]):
    """Measures runs in phases, each with a stack of its own."""

    def _stacks(self) -> Iterable[Sequence[ControlledRun]]:
        return ([run] for run in self._asked)

    def _conditions(self, each: ControlledRun) -> list[Any]:
        return [each.model_dump(mode="json")]

    def _measure(self, missing: Sequence[ControlledRun]) -> None:
        (run,) = missing
        self._listener.begins(f"{run.name}: Dynamo starts")
        logs = (self._folder / f"stack-{run.name}").resolve()
        shutil.rmtree(logs, ignore_errors=True)
        override = logs / "override.json"
        with running(run.scenario, run.dilation, logs, override=override) as stack:
            self._listener.begins(run.name)
            observe = partial(self._observe, stack, run, override)
            seen = settled(run.name, observe, self._settings, self._listener)
            write_rows(self._kept(run), run_rows(run, seen))
            self._listener.ended(run.name)

    def _observe(self, stack: Stack, run: ControlledRun, override: Path) -> ControlledObservation:
        override.unlink(missing_ok=True)  # of an observation that did not count
        latency = self._latency(run.scenario.model.latency)
        load = PhasedLoad(stack, run, latency, self._settings.seed)
        return asyncio.run(_watched(stack, run, load, override))


async def _watched(
    stack: Stack, run: ControlledRun, load: PhasedLoad, override: Path
) -> ControlledObservation:
    """Go through the phases of a run once."""
    alone = await _alone(stack, load)
    edges: list[Edge] = []
    with stack.beside("controller", _command(stack, run, override)) as controller:
        load.begin()
        began = time.time()
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(watch(stack))
                clients = tasks.create_task(load.run())
                for moment in (m for s in run.stretches for m in (s.start, s.end)):
                    await load.until(moment)
                    edges.append((glance(stack), await report(stack)))
                await clients
                watching.cancel()
        except* LiveError as faults:
            raise first_fault(faults) from None
    ends = zip(edges[::2], edges[1::2], strict=True)
    polls = controller.log.read_text(encoding="utf-8").splitlines()
    return ControlledObservation(
        began=began,
        stages=[_stage(stack, load, *of) for of in zip(run.stretches, ends, strict=True)],
        polls=[json.loads(line) for line in polls],
        alone=alone,
        free=edges[-1][0].processors.free_share(edges[0][0].processors),
        lateness=max(seen.lateness for _, seen in edges),
    )


def _command(stack: Stack, run: ControlledRun, override: Path) -> list[str | Path]:
    """The controller as a user would start it, with its settings by the wall clock."""
    settings = override.with_name("controller.yaml")  # JSON is YAML
    controller = slowed(run.controller, run.dilation)
    write_text(settings, controller.model_dump_json())
    options = ["--prometheus", f"{stack.url}/metrics", "--json"]
    return ["-m", "anarchy", "control", *options, "--config", settings, "--override", override]


async def _alone(stack: Stack, load: PhasedLoad) -> float:
    """The mean TTFT, by the wall clock, that the frontend sees of a client that is alone.

    It asks one prompt again and again, the first time without being looked at.
    """
    async with Connection(stack.url, stack.model) as connection:
        text = load.prompts.text(0)
        await connection.complete(text, 2)
        before = (await report(stack)).metrics.histogram(TTFT)
        for _ in range(ALONE):
            await connection.complete(text, 2)
    seen = (await report(stack)).metrics.histogram(TTFT).since(before)
    return seen.total / seen.count


def _stage(stack: Stack, load: PhasedLoad, stretch: Stretch, ends: tuple[Edge, Edge]) -> Stage:
    (first, before), (last, after) = ends
    start, end = load.moment(stretch.start), load.moment(stretch.end)
    return Stage(
        phase=stretch.phase,
        clients=stretch.clients,
        answers=[answer for answer in load.answers if start < answer.done <= end],
        decisions=list(read_decisions(log_between(stack, first, last), stack.decode_workers)),
        ttft=after.metrics.histogram(TTFT).since(before.metrics.histogram(TTFT)),
    )
