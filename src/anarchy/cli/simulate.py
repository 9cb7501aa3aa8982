"""`anarchy simulate`: one scenario, one run, a short table or one JSON object."""

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from anarchy.common.errors import InputError
from anarchy.common.paths import find_project

EXAMPLES = """\
examples

  anarchy simulate 70b-1p2d
      4000 measured requests of a scenario of config/scenarios

  anarchy simulate 70b-1p2d --set workload.clients=128 --set router.temperature=0.5 --json
      the same under twice the load, with a softmax router, as one JSON object

  anarchy simulate mooncake-8p8d --trace my-trace.jsonl --rows 1000 --out log.parquet
      the first 1000 rows of a trace of your own, and one row per request in a file

  anarchy simulate azure-code-8p8d --trace <(zcat trace.csv.gz | head -5000)
      a trace that comes through a pipe; a file may as well end in .gz itself

  anarchy simulate 70b-1p2d --rows 10000000 --out log.parquet
      a long run: the compiled simulator takes seconds per million requests and little memory

A trace is JSON lines with timestamp (ms), input_length, output_length (tokens) and hash_ids (one
64-bit number per 512 prompt tokens; blocks are equal if their ids and all before them are), or CSV
with the columns TIMESTAMP, ContextTokens, GeneratedTokens. Rows are sorted by time, and a request
without output tokens counts as one of one token; a line on stderr says so.

The log has the times of every request at every stage, its workers, its tokens and what the router
saw; pandas.read_parquet("log.parquet") reads it. Times are seconds: TTFT is the time to the first
token, ITL the time per output token in decode, E2E the time to the last one; prefix reuse is the
share of prompt tokens that prefill took from its cache. Equal seeds give equal runs.
"""

LABELS = {
    "requests": ("requests measured", "{:,d}"),
    "mean_ttft": ("TTFT, mean (s)", "{:.4f}"),
    "p50_ttft": ("TTFT, median (s)", "{:.4f}"),
    "p99_ttft": ("TTFT, 99th percentile (s)", "{:.4f}"),
    "mean_itl": ("ITL, mean (s)", "{:.5f}"),
    "mean_e2e": ("E2E, mean (s)", "{:.4f}"),
    "throughput": ("requests per simulated second", "{:.2f}"),
    "prefix_reuse": ("prefix reuse", "{:.4f}"),
    "requests_per_wall_second": ("requests simulated per second", "{:,.0f}"),
}


def add_simulate(commands: Any) -> None:
    """Add the command to the subparsers of `anarchy`."""
    parser = commands.add_parser(
        "simulate",
        help="simulate one scenario and summarise it",
        description="Simulate a deployment under load, request by request, and say how fast it "
        "answered.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "scenario",
        metavar="SCENARIO",
        help="a name of config/scenarios (`anarchy list`), or the path of a YAML file",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of all random draws (default 1)"
    )
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="replay this file instead of the workload"
    )
    parser.add_argument(
        "--rows",
        type=int,
        metavar="N",
        help="only the first N rows of a trace, or N measured requests of another workload",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="changes",
        help="set a field of the scenario, as engine.decode.slots=64; may be repeated",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the request log, one row each, as Parquet"
    )
    parser.add_argument(
        "--engine",
        choices=("auto", "compiled", "reference"),
        default="auto",
        help="what simulates: the compiled simulator, the readable reference, or the compiled one "
        "unless the scenario has a mechanism that it lacks (auto, the default); both give the same "
        "log",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.set_defaults(run=_simulate)


def _simulate(options: argparse.Namespace) -> int:
    from rich.console import Console

    from anarchy.cli.simulation import check_writable, parse_change, plan_simulation, run_simulation
    from anarchy.serving.simulate import lacking_mechanism

    if options.out is not None:
        check_writable(options.out)
    project = find_project()
    simulation = plan_simulation(
        options.scenario,
        seed=options.seed,
        trace=options.trace,
        rows=options.rows,
        changes=dict(map(parse_change, options.changes)),
        root=project,
    )
    mechanism = lacking_mechanism(simulation.scenario, simulation.trace)
    if options.engine == "compiled" and mechanism is not None:
        raise InputError(
            f"--engine: the compiled simulator lacks {mechanism}; allowed are auto and reference"
        )
    if options.engine == "auto" and mechanism is not None:
        print(
            f"engine: reference, because the compiled simulator lacks {mechanism}", file=sys.stderr
        )
    terminal = Console(stderr=True)
    simulate = partial(
        run_simulation, simulation, engine=options.engine, out=options.out, root=project
    )
    if terminal.is_terminal:
        from rich.progress import Progress

        with Progress(console=terminal, transient=True) as bar:
            task = bar.add_task("simulating", total=None)
            summary = simulate(
                progress=lambda done, wanted: bar.update(task, completed=done, total=wanted)
            )
    else:
        summary = simulate()
    if options.json:
        print(json.dumps(summary, allow_nan=False))
        return 0
    from rich.markup import escape
    from rich.table import Table

    table = Table(escape(simulation.scenario.description), "", box=None)
    for key, (label, form) in LABELS.items():
        value = summary[key]
        table.add_row(label, "none" if value is None else form.format(value))
    Console().print(table)
    return 0
