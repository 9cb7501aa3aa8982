"""The `anarchy` command. Bad input is one line on stderr and exit code 2."""

import argparse
import errno
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from anarchy.cli.archive import add_archive
from anarchy.cli.claims import add_claims
from anarchy.cli.control import add_control
from anarchy.cli.explain import add_explain
from anarchy.cli.measure import add_measure
from anarchy.cli.simulate import add_simulate
from anarchy.cli.verify import add_verify
from anarchy.common.errors import InputError
from anarchy.common.files import refuse_inputs
from anarchy.common.paths import find_project

MAX_ROWS = 20
"""Most entries of a list of profiles or splits that a table shows; JSON has them all."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

SOLVE_EXAMPLE = """\
example: two M/M/1 servers of 4 and 1 requests per second share 5/2 of them

  kind: parallel-queues
  service_rates: [4, 1]
  demand: "5/2"

Saved as game.yaml, `anarchy solve game.yaml` answers

  {"equilibrium_flow": ["5/2", "0"], "optimum_flow": ["7/3", "1/6"],
   "equilibrium_cost": "5/3", "optimum_cost": "8/5", "price_of_anarchy": "25/24"}

Selfish requests all take the fast server and wait 25/24 of what they could.

example: 200 requests choose one of two workers, whose cost per request grows with load; the
second must prefill the prompt again, which costs each request 10 more

  kind: congestion
  latency:
    cached: {polynomial: [0, 1]}        # c0 + c1 x + ... at load x; or {mm1: 4}, {table: [1, 3]}
    cold: {polynomial: [0, "1/2"]}
  players:
    - count: 200                        # as many players with the same strategies; default 1
      strategies:
        - {resources: [cached]}
        - {resources: [cold], offset: 10}

Its "price_of_anarchy" is "29327/29300". Small games are enumerated. Larger ones are solved as
exactly if all players are alike and use one worker each, as here; if each has offsets of its
own, the optimum is exact and the rest are bounds: "exact" is then false, and "bounds" says on
which side each number lies.

Numbers are exact: write 2, 0.1 (one tenth) or "5/2"; rational results come back as such
strings, irrational ones as floats, infinity as "inf". A ratio that would mean nothing is null,
and "reason" says why.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code, which is 2 for bad input and 130 for Ctrl-C."""
    try:
        options = _parser().parse_args(arguments)
        with _writable_output(), _readable_files():
            code: int = options.run(options)
        return code
    except InputError as error:
        print(f"anarchy: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("anarchy: interrupted", file=sys.stderr)
        return INTERRUPTED


@contextmanager
def _readable_files() -> Iterator[None]:
    """Whatever the system refuses to do with a file that has a name is one line."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise InputError(f"{os.fsdecode(error.filename)}: {error.strerror}") from None


@contextmanager
def _writable_output() -> Iterator[None]:
    """Leaves quietly when the reader of the results has gone, and says so when the disk is full.

    A character that the terminal cannot show, or that is none, is shown by its number.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        # What is left in the buffer would fail again when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.ENOSPC:
            raise InputError(f"output: cannot be written: {error.strerror}") from None
        raise SystemExit(0) from None


class _Parser(argparse.ArgumentParser):
    """A parser, and parsers of commands, for which bad usage is bad input like any other."""

    def error(self, message: str) -> NoReturn:
        """One line instead of the usage and a line."""
        raise InputError(f"{message}; `{self.prog} --help` says what is allowed")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="anarchy",
        description="What selfishness costs in disaggregated LLM inference, and the paper on it.",
        epilog="./reproduce builds everything; these commands look at or check single parts.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    check = commands.add_parser(
        "check",
        help="validate all configuration and inputs",
        description="Read every scenario, experiment, study, latency table and trace that a build "
        "would use, and say what is wrong with the first faulty one (exit code 2).",
    )
    check.add_argument(
        "--overlay", type=Path, metavar="FILE", help="settings laid over config.yaml"
    )
    check.set_defaults(run=_check)

    listing = commands.add_parser(
        "list",
        help="what there is: scenarios, experiments, policies, workloads, measures",
        description="List the names that configuration files can use.",
    )
    listing.set_defaults(run=_list)

    solve = commands.add_parser(
        "solve",
        help="solve one game: equilibria, optimum, price of anarchy",
        description="Solve the game in a YAML, JSON or .nfg (Gambit) file, print one JSON object.\n"
        "Kinds: congestion, caching, parallel-queues, dispatchers, allocation, bound,\n"
        "closed-network.",
        epilog=SOLVE_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    solve.add_argument("file", metavar="FILE", help='the game; "-" reads standard input')
    solve.add_argument(
        "--format",
        choices=("json", "table"),
        default="json",
        help="one JSON object (default), or a table to read",
    )
    solve.add_argument(
        "--method",
        choices=("auto", "enumeration", "bounds"),
        default="auto",
        help="for congestion, two-stage and caching: whatever suits the size (default), all "
        "profiles one by one, or bounds",
    )
    solve.add_argument(
        "--nfg",
        metavar="OUT",
        help="also write the game as a table of payoffs that Gambit reads; for small games of the "
        "kinds congestion, two-stage and caching",
    )
    solve.set_defaults(run=_solve)

    add_simulate(commands)
    add_measure(commands)
    add_control(commands)
    add_claims(commands)
    add_explain(commands)
    add_archive(commands)
    add_verify(commands)

    schema = commands.add_parser(
        "schema",
        help="regenerate workflow/schemas from the configuration models",
        description="Write the JSON schema of every configuration file; editors use them to "
        "complete and check YAML.",
    )
    schema.set_defaults(run=_schema)
    return parser


def _check(options: argparse.Namespace) -> int:
    from anarchy.build_plan import load_plan

    plan = load_plan(options.overlay, find_project())
    for name, trace in plan.missing.items():
        instead = (
            "is not run, its committed reference values stand in"
            if name in plan.experiments
            else "is left out"
        )
        print(
            f"anarchy: trace '{trace}' is not at hand and cannot be downloaded: experiment "
            f"'{name}' {instead}",
            file=sys.stderr,
        )
    points = sum(len(points) for name, points in plan.points.items() if name not in plan.missing)
    print(
        f"configuration is valid: {len(plan.scenarios)} scenarios, {len(plan.experiments)} "
        f"experiments ({points} points), {len(plan.studies)} studies",
        file=sys.stderr,
    )
    return 0


def _list(_: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from anarchy.build_plan import load_plan
    from anarchy.measure.bracket.criteria import LOSSES
    from anarchy.measure.estimators.aggregations import AGGREGATIONS
    from anarchy.measure.estimators.entries import ENTRIES
    from anarchy.measure.estimators.matchings import MATCHINGS
    from anarchy.measure.estimators.numerators import NUMERATORS
    from anarchy.measure.estimators.windows import WINDOWS
    from anarchy.measure.measures import MEASURES, get_measure
    from anarchy.serving.reference.core.clients import WORKLOADS
    from anarchy.serving.reference.router.policy import POLICIES
    from anarchy.workload.lengths import LAWS

    plan = load_plan(root=find_project())
    rows = [("scenario", name, s.description) for name, s in plan.scenarios.items()]
    rows += [("experiment", name, e.title) for name, e in plan.experiments.items()]
    rows += [("study", name, s.title) for name, s in plan.studies.items()]
    for registry in (POLICIES, WORKLOADS, LAWS, WINDOWS, NUMERATORS, MATCHINGS, AGGREGATIONS):
        rows += [(registry.kind, name, _summary(registry[name])) for name in sorted(registry)]
    rows += [(ENTRIES.kind, name, _summary(ENTRIES[name].compute)) for name in sorted(ENTRIES)]
    rows += [("measure", m.name, f"{m.label} [{m.unit}]") for m in MEASURES.values()]
    rows.append(("measure", "poa-hat:<estimator>", "PoA-hat by an estimator of the experiment [1]"))
    rows += [("measure", name, f"{get_measure(name, {}).label} [1]") for name in LOSSES]
    asked = ", ".join(m.name for m in MEASURES.values() if m.of_requests)
    rows.append(
        ("measure", "<measure>:<tenant>", f"the same of one tenant's requests, for {asked}")
    )
    table = Table("kind", "name", "what it is", box=None)
    for row in rows:
        table.add_row(*map(Text, row))  # not markup: [s] is a unit
    Console().print(table)
    return 0


def _summary(thing: Any) -> str:
    """The first line of the documentation of a class or a function."""
    return (thing.__doc__ or "").partition("\n")[0]


def _solve(options: argparse.Namespace) -> int:
    from anarchy.games.solve import solve_file

    if options.nfg is not None:
        refuse_inputs(Path(options.nfg), [Path(options.file)], "--nfg")
    result = solve_file(options.file, options.method, options.nfg)
    if options.format == "json":
        print(json.dumps(result, ensure_ascii=False, allow_nan=False))
        return 0
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("result", "value", box=None)
    for name, value in result.items():
        for row, text in enumerate(_lines(value)):
            table.add_row("" if row else name, Text(text, overflow="fold"))
    Console().print(table)
    return 0


def _lines(value: Any) -> list[str]:
    """The lines that show a result in a table: long lists of lists are cut."""
    if isinstance(value, list) and value and isinstance(value[0], list | dict):
        rows = [json.dumps(entry) for entry in value[:MAX_ROWS]]
        left = len(value) - len(rows)
        return [*rows, f"... and {left} more"] if left else rows
    return [value if isinstance(value, str) else json.dumps(value)]


def _schema(options: argparse.Namespace) -> int:
    from anarchy.cli.schema import write_schemas

    return write_schemas(options)
