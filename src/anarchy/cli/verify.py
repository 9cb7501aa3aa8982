"""`anarchy verify`: a build held against the committed golden values, claims and locks."""

import argparse
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anarchy.common.errors import InputError
from anarchy.common.paths import find_project

if TYPE_CHECKING:
    from rich.console import Console

    from anarchy.artefact.verification.checks import Check
    from anarchy.artefact.verification.steps import Build

GOLDEN = Path("tests") / "golden"

MOST_SHOWN = 8
"""Faults of a group, and things that moved of a kind, that the terminal names; the page has all."""

FAILED = 1

EXAMPLES = """\
examples

  ./reproduce verify
      build everything anew at quick precision in build/verify, then check that; --full: at full
      precision, in build/verify-full

  anarchy verify
      check the finished build of ./reproduce

  anarchy verify --overlay config/quick.yaml
      check that of ./reproduce quick, against tests/golden/quick.json

  anarchy verify --write-golden
      write tests/golden/full.json from the finished build, to be looked at and committed

docs/verification.md says what each line means. Exit code 0 if everything that could be checked
holds, 1 if something does not, 2 with one line for bad input.
"""


def add_verify(commands: Any) -> None:
    """Add the command to the subparsers of `anarchy`."""
    parser = commands.add_parser(
        "verify",
        help="whether a build is what was committed: golden values, claims, PDF, provenance",
        description="Check a finished build: the environment, every file, every golden value and "
        "verdict, the numbers in the PDF's text, and the record of the build.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--overlay",
        type=Path,
        metavar="FILE",
        help="settings laid over config.yaml, as of the build to check: config/quick.yaml",
    )
    parser.add_argument(
        "--output", metavar="FOLDER", help="where the build is, if not where its settings say"
    )
    parser.add_argument(
        "--golden",
        type=Path,
        metavar="FILE",
        help="golden values (default: tests/golden/full.json, or one called like the overlay)",
    )
    parser.add_argument(
        "--since", type=Path, metavar="FILE", help="nothing may be older than this file"
    )
    parser.add_argument("--no-pdf", action="store_true", help="there is no LaTeX, and so no PDF")
    parser.add_argument(
        "--write-golden", action="store_true", help="write the golden values instead of checking"
    )
    parser.set_defaults(run=_verify)


def _verify(options: argparse.Namespace) -> int:
    root = find_project()
    build = _load(options, root)
    if options.write_golden:
        return _write_golden(build)
    checks = _run(build)
    from anarchy.artefact.verification.page import write_report

    moved = build.moved
    base = build.outputs.base.as_posix()
    of = "the build" if base == "." else base
    title = f"Verification of {of} against {build.golden.as_posix()}"
    page = write_report(root / build.outputs.machine, title, checks, moved)
    return _print_report(checks, moved, page)


def _load(options: argparse.Namespace, root: Path) -> "Build":
    """The build to check, with all that its plan says of it."""
    from anarchy.artefact.verification.products import list_products
    from anarchy.artefact.verification.steps import Build
    from anarchy.build_plan import load_plan

    plan = load_plan(options.overlay, root, options.output)
    settings = [] if options.output is None else [f"output={options.output}"]
    if options.overlay is not None:
        settings.append(f"overlay={os.path.relpath(options.overlay, root)}")
    if not (root / plan.outputs.results).is_dir():
        raise InputError(f"{root / plan.outputs.results}: there is no build; ./reproduce makes it")
    name = options.overlay.stem if options.overlay else "full"
    claims = plan.claims.claims if plan.claims else []
    return Build(
        root=root,
        outputs=plan.outputs,
        products=list_products(settings, "no_pdf" if options.no_pdf else "all", root),
        golden=options.golden or GOLDEN / f"{name}.json",
        missing=plan.missing,
        left_out=frozenset(plan.left_out),
        claimed={c.id: frozenset(selection.file for selection in c.selections) for c in claims},
        coarse=options.overlay is not None,
        pdf=not options.no_pdf,
        since=options.since.stat().st_mtime if options.since else 0.0,
    )


def _run(build: "Build") -> "list[Check]":
    """All checks, with a bar on the terminal that says which are at work."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from anarchy.artefact.verification.steps import steps

    checks = []
    columns = BarColumn(), TextColumn("checking {task.description}")
    todo = list(steps(build))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(todo))
        for name, work in todo:
            progress.update(task, description=name)
            checks += work()
            progress.advance(task)
    return checks


def _write_golden(build: "Build") -> int:
    """Write the golden values, of a whole and finished build alone."""
    from anarchy.common.files import write_rows

    if build.missing:
        traces = ", ".join(sorted(set(build.missing.values())))
        raise InputError(f"{build.golden}: not written: traces are not at hand: {traces}")
    machine = f"{build.outputs.machine.as_posix()}/"  # a new commit makes the record old
    late = [p.path for p in build.products if not (p.current or p.path.startswith(machine))]
    if late:
        raise InputError(f"{build.golden}: not written: {late[0]} is not up to date; ./reproduce")
    rows = build.collect()
    write_rows(build.root / build.golden, rows)
    print(f"{build.golden}: {len(rows)} rows from {build.outputs.results}; look at the difference")
    return 0


def _print_report(checks: "Sequence[Check]", moved: Mapping[str, Sequence[str]], page: Path) -> int:
    """Failures first, then what moved, the sums, and one line at the end."""
    from rich.console import Console

    from anarchy.artefact.verification.checks import failures

    console = Console(highlight=False, soft_wrap=True)
    failed = failures(checks)
    _print_failures(console, failed)
    if moved:
        console.print("what moved, and what that feeds", style="bold", markup=False)
        for kind, names in moved.items():
            console.print(f"  {kind}: {_some(names)}", markup=False)
        console.print()
    _print_sums(console, checks)
    if failed:
        console.print(f"{len(failed)} of {len(checks)} checks fail; all: {page}", style="bold red")
        return FAILED
    console.print(f"everything that was checked holds; all: {page}", style="bold green")
    return 0


def _print_failures(console: "Console", failed: "Sequence[Check]") -> None:
    for group, count in Counter(each.group for each in failed).items():
        inside = [each for each in failed if each.group == group]
        for each in inside[:MOST_SHOWN]:
            console.print(f"fails  {group}: {each.name}: {each.why}", style="red", markup=False)
        if count > MOST_SHOWN:
            console.print(f"fails  {group}: and {count - MOST_SHOWN} more", style="red")
    if failed:
        console.print()


def _print_sums(console: "Console", checks: "Sequence[Check]") -> None:
    """How many checks of each group hold, fail or were not made, and why those were not."""
    from rich.table import Table

    from anarchy.artefact.verification.checks import tally

    table = Table("", "holds", "fails", "not checked", box=None)
    for group, counts in tally(checks).items():
        numbers = [str(counts[verdict]) for verdict in ("holds", "fails", "not checked")]
        table.add_row(group, *numbers, style="red" if counts["fails"] else "")
    console.print(table)
    console.print()
    reasons = Counter((c.group, c.why) for c in checks if c.verdict == "not checked")
    for (group, why), count in sorted(reasons.items()):
        console.print(f"not checked  {group}: {count}: {why}", markup=False)


def _some(names: Iterable[str]) -> str:
    """The first few names, and the number of the rest."""
    listed = [*names]
    rest = len(listed) - MOST_SHOWN
    return "; ".join(listed[:MOST_SHOWN]) + (f"; and {rest} more" if rest > 0 else "")
