"""A verification as one page of HTML that needs nothing else, and as rows."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from anarchy.artefact.verification.checks import Check, check_rows, failures, tally
from anarchy.artefact.verification.comparison import shown
from anarchy.common.files import write_rows, write_text

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto;
  padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { text-align: left; padding: .15rem .8rem .15rem 0; vertical-align: top; }
td { border-top: 1px solid #ddd; overflow-wrap: anywhere; }
summary { cursor: pointer; padding: .2rem 0; }
.counts th + th, .counts td + td { text-align: right; }
.fails { color: #a40000; font-weight: bold; }
.holds { color: #106010; }
"""


def write_report(
    folder: Path, title: str, checks: Sequence[Check], moved: Mapping[str, Sequence[str]]
) -> Path:
    """Write verify.json and verify.html into a folder; returns the page.

    The rows are one a check, and after them one for each thing that moved.
    """
    rows = check_rows(checks)
    for kind, names in moved.items():
        rows += [{"id": f"moved: {kind}", "group": "moved", "name": name} for name in names]
    write_rows(folder / "verify.json", rows)
    page = folder / "verify.html"
    write_text(page, _page(title, checks, moved))
    return page


def _page(title: str, checks: Sequence[Check], moved: Mapping[str, Sequence[str]]) -> str:
    failed = failures(checks)
    parts = [f"<h1>{escape(title)}</h1>", _verdict(failed), _summary(checks)]
    if failed:
        parts += ["<h2>What does not hold</h2>", _table(failed)]
    if moved:
        parts += ["<h2>What moved, and what that feeds</h2>", _movements(moved)]
    parts.append("<h2>Every check</h2>")
    for group in tally(checks):
        inside = [each for each in checks if each.group == group]
        head = f"{escape(group)} ({len(inside)})"
        parts.append(f"<details><summary>{head}</summary>{_table(inside)}</details>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _verdict(failed: Sequence[Check]) -> str:
    if failed:
        said = "1 check fails" if len(failed) == 1 else f"{len(failed)} checks fail"
        return f'<p class="fails">{said}.</p>'
    return '<p class="holds">Everything that was checked holds.</p>'


def _summary(checks: Sequence[Check]) -> str:
    rows = [
        [group, *(str(counts[verdict]) for verdict in ("holds", "fails", "not checked"))]
        for group, counts in tally(checks).items()
    ]
    return _html_table(["", "holds", "fails", "not checked"], rows, "counts")


def _table(checks: Sequence[Check]) -> str:
    rows = [
        [each.verdict, each.name, shown(each.found), shown(each.wanted), each.why]
        for each in checks
    ]
    return _html_table(["verdict", "check", "found", "wanted", "why"], rows)


def _movements(moved: Mapping[str, Sequence[str]]) -> str:
    return _html_table(["", ""], [[kind, "; ".join(names)] for kind, names in moved.items()])


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "checks") -> str:
    """A table whose cells are text; a verdict in the first one has its colour."""
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    for row in rows:
        known = f' class="{row[0]}"' if row[0] in {"fails", "holds"} else ""
        cells = [f"<td{known}>{escape(row[0])}</td>", *(f"<td>{escape(c)}</td>" for c in row[1:])]
        lines.append("".join(cells))
    table = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table class="{kind}">{table}</table>'
