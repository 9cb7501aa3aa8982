"""The table of the live comparison: one line a point, the real Dynamo beside the simulator."""

from collections.abc import Sequence

from anarchy.artefact.display import MISSING, number
from anarchy.artefact.tables.booktabs import Column, latex_table
from anarchy.common.files import Row

MEANS = {
    "throughput": ("X (1/s)", 1.0, "Δ %", "difference", 100.0),
    "e2e": ("E2E (s)", 1.0, "Δ %", "difference", 100.0),
    "ttft": ("TTFT (ms)", 1000.0, "Δ (ms)", "seconds", 1000.0),
}
"""Means: head and factor of the live value, then head, field and factor of its distance."""

ERRORS = {"cost-distance": "costs", "tied": "ties", "busiest": "busiest", "choices": "choices"}
"""Quantities of which the distance is shown, in standard errors."""


def live_table(rows: Sequence[Row]) -> str:
    """One line for each point, in the order of the rows."""
    columns = [
        Column("series"),
        Column("C", "r"),
        *(
            column
            for head, _, apart, *_ in MEANS.values()
            for column in (Column(head, "r"), Column(apart, "r"))
        ),
        *(Column(head, "r") for head in ERRORS.values()),
        Column("holds", "r"),
    ]
    points: dict[tuple[str, int], dict[str, Row]] = {}
    for row in rows:
        if "series" in row:
            points.setdefault((row["series"], row["clients"]), {})[row["group"]] = row
    body: list[list[str]] = []
    above = None
    for (series, clients), found in points.items():
        if above not in (None, series):
            body.append([])
        body.append(["" if above == series else series, number(clients), *_cells(found)])
        above = series
    date = next(row["value"] for row in rows if row["id"] == "made-with-date")
    caption = (
        f"Dynamo 0.9.0 itself on {date}, live with engines that keep time: throughput X and means "
        "over C clients, each with its distance Δ from the simulated one, of TTFT by the wall "
        "clock; then, in standard errors of the simulator’s own runs of that length, the "
        "costs that the router saw, the share of ties and the share of the busiest worker; and its "
        "choices, given the costs. Prompts are unique in series of that name, and the router’s "
        "temperature is 0.7 in warm ones, 0 elsewhere"
    )
    return latex_table(columns, body, caption, "live")


def _cells(found: dict[str, Row]) -> list[str]:
    cells = []
    for name, (_, factor, _, apart, scale) in MEANS.items():
        row = found[name]
        cells += [number(factor * row["value"], 4), _signed(scale * row[apart], 1)]
    cells += [_signed(found[name]["z"], 1) for name in ERRORS]
    verdicts = [row["holds"] for row in found.values() if row["holds"] is not None]
    failed = [row["group"] for row in found.values() if row["holds"] is False]
    return [*cells, "yes" if all(verdicts) else ", ".join(failed)]


def _signed(value: float | None, decimals: int) -> str:
    return MISSING if value is None else f"{value:+.{decimals}f}".replace("-", "−")
