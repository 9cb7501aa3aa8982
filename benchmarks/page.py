"""What was measured last, as the one table of docs/performance.md."""

from pathlib import Path

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.common.files import read_rows, write_text
from benchmarks.tables import readable

PAGE = paths.ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

SHOWN = (
    "mooncake.",
    "closed_loop.requests_per_second",
    "closed_loop.simpy_requests_per_second",
    "closed_loop.ratio_to_simpy",
    "events.",
    "scaling.",
    "memory.",
    "profile.",
    "compile.",
)
"""What the ids of the rows shown begin with."""

SWEEP_STEPS = (".1.", ".2.", ".16.", ".64.", ".256.", ".1000.", ".4096.", ".100000.", ".10000000.")
"""Of a sweep, these sizes."""


def write_page(rows: Path) -> None:
    """Put the table between the page's two marks."""
    if not rows.is_file():
        raise InputError(f"{rows}: nothing was measured yet")
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    write_text(PAGE, f"{head}{BEGIN}\n{table(rows)}\n{END}{tail}")


def table(rows: Path) -> str:
    """The table in Markdown; each row with its id, so that it can be found again."""
    lines = [
        "| Id | What | Median | Range | Runs | Measured |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in read_rows(rows):
        id, unit = row["id"], row["unit"]
        if not id.startswith(SHOWN):
            continue
        if id.startswith("scaling.") and not any(step in id for step in SWEEP_STEPS):
            continue
        spread = (
            f"{readable(row['lo'], unit)} – {readable(row['hi'], unit)}" if row["n"] > 1 else ""
        )
        what = row["what"] + (", to the first" if id.endswith(".relative") else "")
        cells = [f"`{id}`", what, readable(row["value"], unit), spread, str(row["n"]), row["date"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
