"""`anarchy measure`: the index of a log of one's own, by estimators of one's choice."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from anarchy.common.errors import InputError, suggest
from anarchy.common.paths import find_project

EXAMPLES = """\
examples

  anarchy measure log.csv
      by what each worker was seen to take: nothing but the log is needed

  anarchy measure log.parquet --scenario 70b-1p2d
      by the decode latency that the scenario's service times predict

  anarchy measure log.csv --estimator entry=observed-ttft,window=36,matching=rectangular
      by an estimator of your own: key=value, key=value, ...; may be repeated

  anarchy measure log.parquet --scenario 70b-1p2d --bracket
      what the run lost beside it: at least `from`, at most `to` times the best schedule;
      schedules of the same requests are replayed in search of it

Keys are windowing, window, seconds, entry, freezing, numerator, matching and aggregation;
`anarchy list` says what they may be, docs/measuring.md what each computes, and which columns a
log has to have. "random" and "round robin" are what a worker chosen at random, or in turn, costs
on the same matrices: an index near theirs says nothing of the router.
"""

REPLAYS, MOST_REPLAYS = 200, 1_000_000

LABELS = {
    "value": ("PoA-hat", "{:.4f}"),
    "windows": ("windows", "{:,d}"),
    "n": ("n", "{:.1f}"),
    "m": ("m", "{:d}"),
    "per_worker": ("n/m", "{:.2f}"),
    "random": ("random", "{:.4f}"),
    "round_robin": ("round robin", "{:.4f}"),
}


def add_measure(commands: Any) -> None:
    """Add the command to the subparsers of `anarchy`."""
    parser = commands.add_parser(
        "measure",
        help="PoA-hat of a log of your own",
        description="Compute the index of a request log by one estimator or several.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("log", type=Path, metavar="LOG", help="a Parquet or CSV file")
    parser.add_argument(
        "--scenario",
        metavar="FILE",
        help="the deployment whose service times predict latencies: a name of config/scenarios, "
        "or the path of a YAML file",
    )
    parser.add_argument(
        "--estimator",
        action="append",
        default=[],
        metavar="NAME",
        dest="estimators",
        help="balanced, rectangular, or key=value,key=value,...; may be repeated",
    )
    parser.add_argument(
        "--bracket",
        action="store_true",
        help="what the run lost, between proved ends; needs --scenario and the log of a whole run",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="of the simulated run, for --bracket of a closed loop (default 1)",
    )
    parser.add_argument(
        "--replays",
        type=int,
        default=REPLAYS,
        metavar="N",
        help=f"of the local search, for --bracket (default {REPLAYS}; 0: other routers only)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")
    parser.set_defaults(run=_measure)


def _measure(options: argparse.Namespace) -> int:
    project = find_project()
    rows = measure_log(options.log, options.scenario, options.estimators, project)
    losses: list[dict[str, Any]] = []
    if options.bracket:
        losses = bracket_log(options.log, options.scenario, options.seed, options.replays, project)
    if options.json:
        print(json.dumps([*rows, *losses], allow_nan=False))
        return 0
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("estimator", *(label for label, _ in LABELS.values()), box=None)
    for row in rows:
        texts = (
            "none" if row[k] is None else form.format(row[k]) for k, (_, form) in LABELS.items()
        )
        table.add_row(escape(str(row["id"])), *texts)
    Console().print(table)
    if losses:
        Console().print(_losses_table(losses))
    return 0


def _losses_table(losses: list[dict[str, Any]]) -> Any:
    """One row a criterion; of a closed loop with phases, by phase."""
    from rich.markup import escape
    from rich.table import Table

    phased = "phase" in losses[0]
    heads = ["loss of", "run", "best found", "no schedule beats", "from", "to"]
    table = Table(*(["phase"] if phased else []), *heads, box=None)
    for row in losses:
        ends = (row[key] for key in ("value", "found", "bound", "lo", "hi"))
        texts = ["none" if end is None else f"{end:.4g}" for end in ends]
        phase = [escape(row["phase"] or "all")] if phased else []
        table.add_row(*phase, row["id"].partition(":")[2], *texts)
    return table


def measure_log(
    path: Path, scenario: str | None, names: list[str], root: Path
) -> list[dict[str, Any]]:
    """One row an estimator: {id, value, windows, n, m, per_worker, random, round_robin}.

    Without names the estimators are `balanced` and `rectangular`, of an entry that the log alone
    can say if there is no scenario. Raises InputError for whatever cannot be used.
    """
    from anarchy.measure.estimators.empirical_poa import Indices
    from anarchy.measure.estimators.log_file import read_own_log

    own = read_own_log(path)
    itl = None if scenario is None else _deployment(scenario, root)[1].itl
    usual = "decode-latency" if itl else "observed-e2e"
    chosen = {name: _estimator(name, usual) for name in names or ["balanced", "rectangular"]}
    indices = Indices(own.run, itl)
    rows = []
    for name, options in chosen.items():
        own.check(name, options)
        try:
            report = indices.report(options)
        except InputError as fault:
            raise InputError(f"--estimator {name}: {fault}") from None
        row = {"id": name} | {key: getattr(report, key) for key in LABELS}
        rows.append(row)
    return rows


def bracket_log(
    path: Path, scenario: str | None, seed: int, replays: int, root: Path
) -> list[dict[str, Any]]:
    """What the run lost: rows of `brackets` in `measure`, with `loss:` before their id.

    Schedules of the log's requests are replayed; how many, or why none, is said on stderr.
    """
    from anarchy.measure.bracket.phases.by_phase import brackets
    from anarchy.measure.bracket.schedules.log_requests import NothingToSearch, schedules_of
    from anarchy.measure.bracket.service_limits import check_bounded
    from anarchy.serving.log.request_log import read_log

    if scenario is None:
        raise InputError("--bracket: the scenario is wanted; give --scenario")
    if not 0 <= replays <= MOST_REPLAYS:
        raise InputError(f"--replays: {replays}, allowed are whole numbers to {MOST_REPLAYS:,}")
    deployment, latency = _deployment(scenario, root)
    check_bounded(deployment)
    log, trace = read_log(path), _trace(deployment, seed, root)
    found: Iterator[Any] = iter(())
    try:
        found = schedules_of(log, deployment, latency, seed=seed, replays=replays, trace=trace)
    except NothingToSearch as fault:
        print(f"schedules: none searched: {fault}", file=sys.stderr)
    others = _counted(found)
    rows = brackets(log, deployment, latency, seed=seed, schedules=others, trace=trace)
    return [{**row, "id": f"loss:{row['id']}"} for row in rows]


def _trace(scenario: Any, seed: int, root: Path) -> Any:
    """The recorded requests of a scenario; None if it has none, or they are not at hand."""
    from anarchy.cli.simulation import recorded_requests

    try:
        return recorded_requests(scenario, seed, root)
    except InputError as fault:
        print(f"trace: {fault}", file=sys.stderr)
        return None


def _counted(schedules: Iterable[Any]) -> Iterator[Any]:
    """The schedules, while their number goes up on stderr."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    terminal, count = Console(stderr=True), 0
    text = TextColumn("schedules replayed: {task.completed}")
    shown = terminal.is_terminal
    with Progress(text, console=terminal, transient=True, disable=not shown) as bar:
        task = bar.add_task("schedules", total=None)
        for count, schedule in enumerate(schedules, start=1):
            bar.update(task, completed=count)
            yield schedule
    if count:
        print(f"schedules: {count} replayed; the best may be better", file=sys.stderr)


def _deployment(name: str, root: Path) -> tuple[Any, Any]:
    """A scenario and its service times."""
    from anarchy.cli.simulation import read_scenario
    from anarchy.common import paths
    from anarchy.serving.service_times.lookup import load_service_times

    _, scenario = read_scenario(name, root)
    return scenario, load_service_times(root / paths.LATENCY, scenario.model)


def _estimator(text: str, entry: str) -> Any:
    """An estimator by its name, or by what differs from the usual one."""
    from anarchy.common.errors import faults_in
    from anarchy.config.estimator import Estimator
    from anarchy.config.validation import validate
    from anarchy.config.yaml_files import parse_yaml
    from anarchy.measure.estimators.empirical_poa import check_estimator

    named = {"balanced": "matching=balanced", "rectangular": "matching=rectangular"}
    if "=" not in text and text not in named:
        raise InputError(f"--estimator: unknown estimator '{text}'; {suggest(text, named)}")
    data: dict[str, Any] = {"entry": entry}
    for part in named.get(text, text).split(","):
        key, equals, value = part.partition("=")
        if not equals:
            raise InputError(f"--estimator {text}: '{part}' is not key=value, as in window=36")
        data[key.strip()] = parse_yaml(value, f"--estimator {key}")
    with faults_in(f"--estimator {text}"):
        estimator = validate(Estimator, data, "options")
        check_estimator(estimator)
    return estimator
