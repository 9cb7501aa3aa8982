"""Measure the simulator: `.venv/bin/python -m benchmarks [--quick] [--only PREFIX] [--repeats N]`.

Prints a table for each group and writes results/machine/benchmarks.json, a flat array of rows (see
`measuring`), and benchmarks.png and .pdf beside it. A partial run keeps the rows of other groups.
With --page it measures nothing and puts what was last measured into docs/performance.md.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from anarchy.common import paths
from anarchy.common.errors import InputError, suggest
from anarchy.common.files import Row, read_rows, write_rows
from benchmarks import (
    closed_loops,
    compilation,
    event_loops,
    games,
    memory,
    mooncake,
    parts,
    scaling,
)
from benchmarks.figure import draw
from benchmarks.measuring import QUICK, Effort, Say
from benchmarks.page import write_page
from benchmarks.tables import print_rows

OUT = paths.ROOT / paths.Outputs(Path()).machine / "benchmarks.json"

Group = Callable[[Effort, Say], Sequence[Row]]

GROUPS: dict[str, Group] = {
    "mooncake": mooncake.measure,
    "closed_loop": closed_loops.measure,
    "events": event_loops.measure,
    "scaling.requests": scaling.measure_requests,
    "scaling.decode_workers": scaling.measure_decode_workers,
    "scaling.prefill_workers": scaling.measure_prefill_workers,
    "scaling.concurrency": scaling.measure_concurrency,
    "memory": memory.measure,
    "profile": parts.measure,
    "compile": compilation.measure,
    "games": games.measure,
}
"""By what the ids of their rows begin with."""


def chosen(prefix: str) -> list[str]:
    """The groups that have ids with a prefix."""
    found = [name for name in GROUPS if f"{name}.".startswith(prefix) or in_group(prefix, name)]
    if not found:
        raise InputError(f"--only: no id begins with '{prefix}'; {suggest(prefix, list(GROUPS))}")
    return found


def in_group(id: str, name: str) -> bool:
    """Whether a row belongs to a group."""
    return id.startswith(f"{name}.")


def keep(out: Path, name: str, rows: Sequence[Row]) -> list[Row]:
    """Replace the rows of a group in a file and leave those of others; all rows."""
    old = read_rows(out) if out.is_file() else []
    merged: list[Row] = [row for row in old if not in_group(row["id"], name)]
    merged += rows
    write_rows(out, merged)
    return merged


def run(names: Sequence[str], effort: Effort, out: Path) -> None:
    """Measure groups one after the other; each is kept as soon as it is finished."""
    screen, progress = Console(), Console(stderr=True)
    cores = os.cpu_count()
    where = f"{platform.machine()}, {cores} cores, Python {platform.python_version()}"
    screen.print(
        f"{where}; load {os.getloadavg()[0]:.1f}. Machines are shared: ratios say more than "
        "speeds, and the range of the runs says how far to trust either."
    )
    stamp = {"date": str(datetime.now(UTC).date())}
    for number, name in enumerate(names, start=1):
        with progress.status(name) as status:

            def say(what: str, name: str = name, number: int = number) -> None:
                status.update(f"{number} of {len(names)}, {name}: {what}")
                if not progress.is_terminal:
                    print(f"{name}: {what}", file=sys.stderr)

            try:
                rows = [{**row, **stamp} for row in GROUPS[name](effort, say)]
            except InputError as fault:
                progress.print(f"{name} is left out: {fault}")
                continue
        print_rows(screen, name, rows)
        merged = keep(out, name, rows)
        draw(merged, out.with_suffix(""))


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad usage."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--quick", action="store_true", help="shorter runs and sweeps")
    parser.add_argument("--only", default="", metavar="PREFIX", help="what ids begin with")
    parser.add_argument("--repeats", type=int, metavar="N", help="runs per figure (5; quick: 3)")
    parser.add_argument("--out", type=Path, default=OUT, help="the file of rows")
    parser.add_argument("--page", action="store_true", help="write the last rows to the docs")
    options = parser.parse_args(arguments)
    try:
        if options.repeats is not None and options.repeats < 1:
            raise InputError(f"--repeats: {options.repeats}, allowed are whole numbers from 1")
        if options.page:
            write_page(options.out)
        else:
            effort = (QUICK if options.quick else Effort()).with_repeats(options.repeats)
            run(chosen(options.only), effort, options.out)
    except InputError as fault:
        print(fault, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
