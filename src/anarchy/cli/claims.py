"""`anarchy claims`: the verdict on every published claim, and why."""

import argparse
import json
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from anarchy.common.errors import InputError, suggest
from anarchy.common.paths import SETTINGS, find_project

EXAMPLES = """\
examples

  anarchy claims
      one line a claim: what was published, what this build found, the verdict

  anarchy claims --why C15
      the tests of one claim: question, rule, rows of results, interval, wanted ends, outcome

  anarchy claims --json | jq '.[] | select(.verdict == "contradicted") | .id'
      the rows of results/claims.json; with --why one object with its "tests"

Verdicts: reproduced (all tests hold with their whole intervals), reproduced-with-mechanism (only
under a mechanism that the source does not name), contradicted (an interval lies wholly outside),
undecidable. Intervals hold together for all claims with 95 % (Bonferroni). Rules stand in
config/claims.yaml; change one, or the data, and run ./reproduce: the verdict follows.

Exit code 0, or 2 with one line if there are no results yet or no such claim.
"""

HOLDS = {True: "holds", False: "fails", None: "open"}


def add_claims(commands: Any) -> None:
    """Add the command to the subparsers of `anarchy`."""
    parser = commands.add_parser(
        "claims",
        help="the verdict on every published claim, and why",
        description="Print the ledger of all published claims as the last build judged them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--why", metavar="ID", help="the tests behind the verdict on one claim")
    parser.add_argument(
        "--overlay",
        type=Path,
        metavar="FILE",
        help="settings laid over config.yaml, as of the build to look at: config/quick.yaml",
    )
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.set_defaults(run=_claims)


def _claims(options: argparse.Namespace) -> int:
    rows = _results("claims.json", options.overlay)
    if options.why is None:
        _print_json(rows) if options.json else _print_ledger(rows)
        return 0
    found = [row for row in rows if row["id"] == options.why]
    if not found:
        known = suggest(options.why, [row["id"] for row in rows])
        raise InputError(f"--why: there is no claim '{options.why}'; {known}")
    evidence = _results("claims.evidence.json", options.overlay)
    tests = [row for row in evidence if row["id"] == options.why]
    if options.json:
        shown = [{key: value for key, value in row.items() if key != "id"} for row in tests]
        _print_json(found[0] | {"tests": shown})
    else:
        _print_claim(found[0], tests)
    return 0


def _results(name: str, overlay: Path | None) -> list[dict[str, Any]]:
    """The rows of a results file of the build."""
    from anarchy.common.files import read_rows
    from anarchy.common.paths import Outputs
    from anarchy.config.settings import load_settings
    from anarchy.measure.claims.rows import checked

    root = find_project()
    settings = load_settings(root / SETTINGS, overlay)
    path = root / Outputs(Path(settings.output)).results / name
    if not path.is_file():
        raise InputError(f"{path}: there are no verdicts yet; ./reproduce makes them")
    try:
        return checked(name, read_rows(path))
    except (ValueError, AttributeError, RecursionError):
        raise InputError(f"{path}: no rows of results; delete it and run ./reproduce") from None


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False))


def _print_ledger(rows: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("claim", "what it says", "published", "found", "verdict", "why", box=None)
    for row in rows:
        texts = [row["id"], row["text"], row["published"], _found(row), row["verdict"]]
        table.add_row(*map(Text, [*texts, row["mechanism"] or ""]))
    Console().print(table)


def _print_claim(row: dict[str, Any], tests: Sequence[dict[str, Any]]) -> None:
    """The claim, then its tests one by one, each with what was found in its groups of rows."""
    from anarchy.measure.claims.rules import RULES

    print(f"{row['id']}  {row['text']}")
    facts = {"published": f"{row['published']} [{row['mark']}]", "found": _found(row)}
    facts |= {"verdict": row["verdict"], "why": row["mechanism"] or "its tests hold"}
    facts |= {"in the paper": row["where"]}
    for name, text in facts.items():
        print(f"  {name:13s} {text}")
    for (part, question), group in groupby(tests, itemgetter("part", "text")):
        found = list(group)
        rule = found[0]["rule"]
        print(f"\n{part}: {question}")
        print(f"  rule          {rule}: {RULES[rule].summary}")
        print(f"  rows          {found[0]['rows']}")
        print(f"  wanted        {_wanted(found[0])}")
        for test in found:
            name = f"{test['group']}: " if test["group"] else ""
            print(f"  {HOLDS[test['holds']]:13s} {name}{_found(test)}, n = {test['n']}")


def _found(row: dict[str, Any]) -> str:
    """The value, with its ends where they differ, and its unit."""
    if row["value"] is None:
        return "-"
    text = _number(row["value"])
    if row["lo"] != row["hi"]:
        text += f" [{_number(row['lo'])}, {_number(row['hi'])}]"
    return text if row["unit"] == "1" else f"{text} {row['unit']}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.4g}"


def _wanted(test: dict[str, Any]) -> str:
    """The ends between which a value has to lie."""
    ends = [("at least", test["at_least"]), ("at most", test["at_most"])]
    texts = [f"{name} {_number(end)}" for name, end in ends if end is not None]
    return ", ".join(texts) or "all checks"
