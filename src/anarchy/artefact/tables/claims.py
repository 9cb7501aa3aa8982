"""The ledger of all published claims: one line a claim, with its verdict."""

import re
from collections.abc import Sequence

from anarchy.artefact.display import MISSING, with_interval, with_unit
from anarchy.artefact.tables.booktabs import Column, latex_table
from anarchy.common.files import Row

PLACES = {
    "sec": "Sec.",
    "fig": "Fig.",
    "tab": "Table",
    "thm": "Thm.",
    "prop": "Prop.",
    "cor": "Cor.",
    "lem": "Lem.",
}
"""What the first part of a label says of its kind."""

SHORT = {"reproduced-with-mechanism": "with mechanism"}
"""Verdicts that are too long for their column."""

COLUMNS = (
    Column("claim"),
    Column("content", "p", 0.37),
    Column("published", "p", 0.14),
    Column("found", "p", 0.165),
    Column("verdict"),
    Column("where"),
)

CAPTION = (
    "Every claim of the source, as it published it and as this build found it, in the quantity "
    "that the rule of the claim compares; “with mechanism” is reproduced under a mechanism that "
    "the source does not name. Intervals hold together for all claims with 95 % (Bonferroni)"
)

_REFERENCE = re.compile(r"\\&ref ([a-z0-9:-]+)")


def claims_table(rows: Sequence[Row]) -> str:
    """One line for each claim, in the order of the rows."""
    body = [
        [
            row["id"],
            row["text"],
            row["published"],
            found(row),
            SHORT.get(row["verdict"], row["verdict"]),
            f"{place(row['where'])} &ref {row['where']}",
        ]
        for row in rows
    ]
    return _REFERENCE.sub(r"\\ref{\1}", latex_table(COLUMNS, body, CAPTION, "claims"))


def found(row: Row) -> str:
    """The value of a claim with its interval and unit."""
    text = with_interval(row["value"], row["lo"], row["hi"])
    if row["lo"] == row["hi"]:
        text = with_interval(row["value"], None, None)
    return with_unit(text, row["unit"]) if row["unit"] != "1" or text == MISSING else text


def place(label: str) -> str:
    """What kind of thing a label names."""
    return PLACES[label.partition(":")[0]]
