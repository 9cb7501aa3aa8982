"""The tables of the comparison with Dynamo: requests, runs, and choices of the router.

All show a committed reference; their captions say when and with what it was measured.
"""

from collections.abc import Sequence

from anarchy.artefact.display import MISSING, number, with_interval
from anarchy.artefact.tables.booktabs import Column, latex_table
from anarchy.common.files import Row
from anarchy.measure.validation.dynamo.names import CLASSES, DYNAMO, OURS

RUNS = {"units": "", "windows": "short: ", "trend": "whole: "}
"""Groups of the table of runs, and how their lines begin."""

UNITS = {"s": " (ms)", "share": " (%)"}
SCALES = {"s": 1000.0, "share": 100.0, "1": 1.0}
"""How values of a unit are printed: times in ms, shares of tokens in per cent, counts as such."""


def dynamo_tables(rows: Sequence[Row]) -> str:
    """All tables, one after the other."""
    return "\n".join([requests_table(rows), runs_table(rows), choices_table(rows)])


def requests_table(rows: Sequence[Row]) -> str:
    """One line a case: mean TTFT of both sides and the requests in each class of differences."""
    columns = [
        Column("round robin, 3P/5D"),
        Column("TTFT (ms) Dynamo", "r"),
        Column("TTFT (ms) ours", "r"),
        Column("requests", "r"),
        *(Column(name, "r") for name in CLASSES),
        Column("holds", "r"),
    ]
    body = [
        [
            str(row["system"]),
            *(number(1000 * row[side], 5) for side in ("expected", "value")),
            *(number(row[name]) for name in ("n", *CLASSES)),
            _verdict(row),
        ]
        for row in rows
        if row.get("group") == "requests"
    ]
    caption = (
        f"Request by request beside Dynamo’s trace replay, {_made_with(rows)}: requests with the "
        "same workers, cached tokens and times; those that differ by rounding of times; by one "
        "decode step; otherwise. Steps take 100 ms and 8 ms unless a line says otherwise; the last "
        "case is a known difference and not judged"
    )
    return latex_table(columns, body, caption, "dynamo")


def runs_table(rows: Sequence[Row]) -> str:
    """Parts of the router, and means over runs with it."""
    columns = [
        Column("compared"),
        Column("quantity"),
        Column("Dynamo", "r"),
        Column("ours", "r"),
        Column("n", "r"),
        Column("z", "r"),
        Column("detectable %", "r"),
        Column("Dynamo, own times", "r"),
        Column("holds", "r"),
    ]
    body: list[list[str]] = []
    above: str | None = None
    for row in rows:
        group = str(row.get("group"))
        if group not in RUNS:
            continue
        if above not in (None, group):
            body.append([])
        above = group
        body.append(
            [
                RUNS[group] + str(row["system"]),
                str(row["quantity"]) + UNITS.get(str(row["unit"]), ""),
                _mean(row, "expected", "expected_lo", "expected_hi"),
                _mean(row, "value", "lo", "hi"),
                number(row["n"]),
                _z(row["z"]),
                _share(row.get("detectable"), row["expected"]),
                _mean(row, "default"),
                _verdict(row),
            ]
        )
    caption = (
        f"The router beside Dynamo’s, {_made_with(rows)}: its parts over n states, and means over "
        "n runs a side of short traces (3P/5D) and of the whole conversation trace (8P/8D, ± the "
        "95 % interval; τ is that of the KV router). Steps take 100 ms and 8 ms on both sides; "
        "beside, the replay with its own default times. z is the difference over its standard "
        "deviation when labels are permuted; detectable is what the test finds with probability 0.9"
    )
    return latex_table(columns, body, caption, "dynamo-runs")


def choices_table(rows: Sequence[Row]) -> str:
    """Three lines a state and cost: its probability and each side's frequency, by temperature."""
    found = [row for row in rows if row.get("group") == "choices"]
    temperatures = sorted({row["temperature"] for row in found})
    columns = [
        Column("workers", "r"),
        Column("state, costs, cost taken"),
        Column(""),
        *(Column(f"τ = {temperature:g}", "r") for temperature in temperatures),
    ]
    cells: dict[tuple[str, ...], dict[tuple[str, float], Row]] = {}
    for row in found:
        cell = tuple(str(row[field]) for field in ("workers", "system", "costs", "cost"))
        cells.setdefault(cell, {})[row["side"], row["temperature"]] = row
    body: list[list[str]] = []
    for (workers, state, costs, cost), of_side in cells.items():
        if body:
            body.append([])
        theirs, mine = (
            [of_side.get((side, temperature)) for temperature in temperatures]
            for side in (DYNAMO, OURS)
        )
        taken = f"cost {cost}" if "1" in costs else "the first worker"
        body += [
            [workers, state, "probability", *(_probability(row) for row in theirs)],
            ["", f"costs {costs}", "Dynamo", *map(_frequency, theirs)],
            ["", taken, "ours", *map(_frequency, mine)],
        ]
    caption = (
        f"How often the KV router takes a worker, {_made_with(rows)}: costs over their range, the "
        "cost of the workers counted, their probability by the softmax, and the frequencies of "
        "both sides with their distance from it in standard errors"
    )
    return latex_table(columns, body, caption, "dynamo-choices")


def _made_with(rows: Sequence[Row]) -> str:
    made = {row["id"]: row for row in rows if row.get("group") == "made-with"}
    wheel, date = made["made-with-wheel"], made["made-with-date"]
    return (
        f"a committed reference measured on {date['value']} with {wheel['name']} {wheel['value']}"
    )


def _verdict(row: Row) -> str:
    return MISSING if row["holds"] is None else "yes" if row["holds"] else "no"


def _mean(row: Row, value: str, lo: str = "", hi: str = "") -> str:
    factor = SCALES[str(row["unit"])]
    return with_interval(row.get(value), row.get(lo), row.get(hi), factor)


def _z(z: float | None) -> str:
    return MISSING if z is None else f"{z:+.1f}".replace("-", "−")


def _share(part: float | None, whole: float) -> str:
    return MISSING if part is None else number(100 * part / whole, 2)


def _probability(row: Row | None) -> str:
    return MISSING if row is None else f"{row['expected']:.3f}"


def _frequency(row: Row | None) -> str:
    if row is None:
        return MISSING
    frequency = f"{row['value']:.3f}"
    return frequency if row["z"] is None else f"{frequency} ({_z(row['z'])})"
