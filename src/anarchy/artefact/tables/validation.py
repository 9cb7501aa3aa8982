"""The table of the validation suite."""

from collections.abc import Sequence

from anarchy.artefact.display import MISSING, number
from anarchy.artefact.tables.booktabs import Column, latex_table
from anarchy.common.files import Row


def validation_table(rows: Sequence[Row]) -> str:
    """One line a simulated quantity, one a group of tests or counts, gaps between groups."""
    columns = [
        Column("system"),
        Column("quantity"),
        Column("ρ", "r"),
        Column("expected", "r"),
        Column("simulated", "r"),
        Column("± %", "r"),
        Column("plain", "r"),
        Column("covers", "r"),
        Column("holds", "r"),
    ]
    body: list[list[str]] = []
    above: str | None = None
    for row in rows:
        if row["half_width"] is None:
            continue
        if above not in (None, row["group"]):
            body.append([])
        above = row["group"]
        body.append(
            [
                str(row["system"]),
                str(row["quantity"]),
                number(row["load"]),
                number(row["expected"], 5),
                number(row["value"], 5),
                _percent(row["half_width"]),
                _percent(row.get("plain")),
                _verdict(row["covers"]),
                _verdict(row["holds"]),
            ]
        )
    body.append([])
    for quantity, found in _counted(rows).items():
        systems = list(dict.fromkeys(str(row["system"]).split(", ")[0] for row in found))
        system = systems[0] if len(systems) == 1 else f"{len(systems)} systems"
        verdict = f"{sum(row['holds'] for row in found)} of {len(found)}"
        body.append([system, quantity, *[MISSING] * 6, verdict])
    caption = (
        "The simulator beside what is known exactly. Times are in mean services; ± is half the "
        "95 % interval over the expected value, beside it without control variates; a row covers "
        "if its own interval holds the expected value, and holds unless Holm’s procedure over all "
        "tests of the suite rejects it"
    )
    return latex_table(columns, body, caption, "validation")


def _counted(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Judged rows without an interval, by what they are about."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row["half_width"] is None and row["holds"] is not None:
            groups.setdefault(str(row["quantity"]), []).append(row)
    return groups


def _percent(share: float | None) -> str:
    return MISSING if share is None else number(100 * share, 2)


def _verdict(value: bool | None) -> str:
    return MISSING if value is None else "yes" if value else "no"
