"""Rows as a table that people read."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from anarchy.common.files import Row

SCALES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def readable(value: float, unit: str) -> str:
    """A value with its unit, three or four digits of it."""
    if unit == "s":
        scale, name = next((pair for pair in SCALES if abs(value) >= pair[0]), SCALES[-1])
        return f"{value / scale:.3g} {name}"
    if unit == "bytes":
        return f"{value / 2**20:,.0f} MiB"
    if unit == "1/s":
        return f"{value:,.0f}/s"
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return text if unit == "1" else f"{text} {unit}"


def print_rows(screen: Console, title: str, rows: Sequence[Row]) -> None:
    """One line a row; a cost relative to the first size stands beside the cost."""
    relative = {
        row["id"].removesuffix(".relative"): row["value"]
        for row in rows
        if row["id"].endswith(".relative")
    }
    columns = ["what", "median", "range", "clock", "runs", *(["to the first"] if relative else [])]
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        id, unit = row["id"], row["unit"]
        if id.endswith(".relative"):
            continue
        line = [row["what"], readable(row["value"], unit)]
        spread = f"{readable(row['lo'], unit)} – {readable(row['hi'], unit)}"
        line += [spread if row["n"] > 1 else "", row["clock"].replace("none", ""), str(row["n"])]
        factor = relative.get(id.removesuffix(".seconds_per_request"))
        table.add_row(*line, *([] if factor is None else [f"{factor:.2f}"]))
    screen.print(table)
