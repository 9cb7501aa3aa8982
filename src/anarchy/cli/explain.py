"""`anarchy explain`: where a number, figure, table or claim comes from."""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anarchy.common.paths import CONFIG, find_project

EXAMPLES = r"""
examples

  anarchy explain KneeSmallTwoLo
      a number of the paper's text: value, row of results, rule, function, inputs, command

  anarchy explain concurrency
      an experiment; fig:concurrency is its figure, tab:knees:concurrency one of its tables

  anarchy explain "Figure 3"
      what the PDF calls so; Table 3 and Theorem 3 go as well

  anarchy explain C07
      a published claim: its verdict, its tests, and the results that they rest on

  anarchy explain experiments/concurrency.knees.json:knee-lo
      a row of results; the id alone finds every file that has it

  anarchy explain
      what there is to explain

Names are those of the paper's source: macros (with or without the backslash), labels, files.
Seconds are the processor time of the jobs in the last whole build. "changed since" marks an input
that is no longer what the build was made of.

Exit code 0, or 2 with one line if there is no such name.
"""

LONGEST = 12
"""Characters of the longest name of a line."""


def add_explain(commands: Any) -> None:
    """Add the command to the subparsers of `anarchy`."""
    parser = commands.add_parser(
        "explain",
        help="where a number, figure, table or claim comes from",
        description="Print the way of a number from the paper back to configuration and inputs.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="what to explain; without it, what there is"
    )
    build = parser.add_mutually_exclusive_group()
    build.add_argument(
        "--overlay",
        type=Path,
        metavar="FILE",
        help="settings laid over config.yaml, as of the build to look at",
    )
    build.add_argument(
        "--quick",
        action="store_true",
        help="the build of ./reproduce quick: --overlay config/quick.yaml",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--page", action="store_true", help="write docs/artefacts.md anew")
    parser.set_defaults(run=_explain)


def _explain(options: argparse.Namespace) -> int:
    from anarchy.artefact.explanation.build import QUICK, Build
    from anarchy.artefact.explanation.explain import explain
    from anarchy.artefact.explanation.names import catalogue, find_name
    from anarchy.artefact.explanation.page import PAGE, page
    from anarchy.common.files import write_text
    from anarchy.common.text_files import read_text

    root = find_project()
    build = Build(root, root / CONFIG / QUICK if options.quick else options.overlay)
    if options.page:
        path = build.root / PAGE
        write_text(path, page(build, read_text(path) if path.is_file() else ""))
        return 0
    if options.name is None:
        names = catalogue(build)
        _print_json(names) if options.json else _print_catalogue(names)
        return 0
    facts = explain(build, find_name(build, options.name))
    _print_json(facts) if options.json else _print_facts(facts)
    return 0


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _print_catalogue(names: Mapping[str, list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("what", "how many", "such as", box=None)
    for kind, known in names.items():
        table.add_row(*map(Text, [kind, str(len(known)), ", ".join(known[:: len(known) // 3 + 1])]))
    console = Console()
    console.print(table)
    console.print("The id of any row of results can be explained too.")


def _print_facts(facts: Mapping[str, Any]) -> None:
    """The facts one a line, then the tree of files, then how to build it and what is amiss."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text
    from rich.tree import Tree

    console = Console(highlight=False)
    console.print(Text(f"{facts['name']}  ({facts['kind']})", style="bold"))
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=LONGEST, no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, text in _lines(facts):
        grid.add_row(name, Text(text))
    if facts.get("tree"):
        tree = Tree("", hide_root=True, guide_style="dim")
        for part in facts["tree"]:
            _grow(tree, part)
        grid.add_row("made of", tree)
    grid.add_row("rebuild", Text(facts["rebuild"], style="bold"))
    for note in facts["notes"]:
        grid.add_row("note", Text(note))
    console.print(Padding(grid, (0, 0, 0, 2)))


def _grow(tree: Any, part: Mapping[str, Any]) -> None:
    """Add a file, or some, with what they are made of."""
    from rich.text import Text

    branch = tree.add(Text(part["says"], overflow="fold"))
    for inner in part["parts"]:
        _grow(branch, inner)


def _lines(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is said on each line, and under which name."""
    if "printed" in facts:
        yield "prints", facts["printed"]
    if "value" in facts:
        yield "value", _value(facts)
    for name in ("number", "without", "says", "question", "published", "verdict", "why"):
        if facts.get(name):
            yield name.replace("without", "but"), facts[name]
    for name in ("file", "declared"):
        if facts.get(name):
            yield name, facts[name]
    if facts.get("paper"):
        yield "in the paper", ", ".join(facts["paper"])
    if "row" in facts:
        shown = facts["row"] if facts["kind"] != "claim" else {**facts["row"], "columns": {}}
        yield "row", _row(shown)
    yield from _counted(facts)
    yield from _ways(facts)
    for label in facts.get("labels", ()):
        formula = f": {label['formula']}" if label["formula"] else ""
        yield "stated", f"{label['label']} in {label['place']}{formula}"
    yield from _seconds(facts.get("seconds"))


def _value(facts: Mapping[str, Any]) -> str:
    row = facts.get("row", {}).get("columns", {})
    text = "-" if facts["value"] is None else str(facts["value"])
    if row.get("unit") not in (None, "1"):
        text += f" {row['unit']}"
    if row.get("value") == facts["value"] and row.get("lo") not in (None, row.get("hi")):
        text += f", interval [{row['lo']}, {row['hi']}]"
    return text + (f", n = {row['n']}" if row.get("n") is not None else "")


def _row(row: Mapping[str, Any]) -> str:
    columns = ", ".join(f"{key} = {value}" for key, value in row["columns"].items())
    return f"{row['place']}: {columns}" if columns else row["place"]


def _counted(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Lists of other things, and numbers of them."""
    if "checks" in facts:
        yield "checks", f"{facts['checks']}, of which {facts['hold']} hold"
    if facts.get("rows") is not None:
        yield "rows", str(facts["rows"])
    for found in facts.get("files", ())[1:]:
        yield "also in", f"{found['file']}, rows: {found['rows']}"
    for test in facts.get("tests", ()):
        holds = {True: "holds", False: "fails", None: "open"}[test["holds"]]
        yield "test", f"{holds}: {test['text']}: {test['rule']} of {test['rows']}"
    for name in ("outputs", "macros"):
        if facts.get(name):
            yield name, ", ".join(facts[name])


def _ways(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The code: the rule with its script, what writes the row, and the functions of the script."""
    for rule in facts.get("rules", ()):
        script = f", {rule['script']}" if rule["script"] else ""
        yield "rule", f"{rule['rule']} in {rule['place']}{script}"
    origin = facts.get("origin")
    if origin:
        yield "id written", f"{origin['place']}: {origin['text']}"
        if origin["given"]:
            yield "", f"{origin['given']['place']}: {origin['given']['text']}"
    within = origin["functions"] if origin else []
    others = [f for f in facts.get("functions", ()) if f["name"] not in {w["name"] for w in within}]
    for function in within or others:
        yield "function", f"{function['name']} in {function['place']}"
        if function["says"]:
            yield "", function["says"].partition("\n\n")[0].replace("\n", " ")
    if within and others:
        yield "by way of", ", ".join(function["name"] for function in others)


def _seconds(seconds: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if seconds and seconds["all"] is not None:
        own = f"{seconds['own']} s, " if seconds["own"] is not None else ""
        jobs = f"{seconds['jobs']} job{'s' if seconds['jobs'] != 1 else ''}"
        untimed = seconds["jobs"] - seconds["timed"]
        rest = f", {untimed} of them not timed" if untimed else ""
        yield "CPU time", f"{own}with all before it {seconds['all']} s ({jobs}{rest})"
