"""What a closed loop rules out, and what gives the published changes instead."""

from collections.abc import Sequence

from anarchy.artefact.display import MISSING, number
from anarchy.artefact.labels import value_text
from anarchy.artefact.tables.booktabs import Column, latex_table
from anarchy.common.files import Row

PAIR_CAPTION = (
    "Published changes of throughput and of TTFT at one number C of clients, put together: how "
    "much longer decode must then take, the most that any routing makes of it, the mean TTFT that "
    "is left and one without waiting. Both can be routing effects only where the first is at most "
    "the second and the third at least the fourth"
)

MECHANISM_CAPTION = (
    "What becomes of the published changes, as ratios of after to before, under mechanisms that "
    "act one by one; ★ marks what lies within a factor of 1.5 of the published ratio with its "
    "whole interval. First what temperature 0.7 repairs of faults of the router’s knowledge, then "
    "what other causes change themselves, and last how large a mechanism must be"
)

KINDS = ("switch", "cause", "size")
"""Kinds of mechanisms, in the order of the table."""

NAMES = {
    "published": "none: the published router",
    "per-request": "blocks counted for each request",
    "unregistered": "unknown workers scored as full",
    "late-1s": "events a second late",
    "replicas-4": "four router replicas",
    "blind": "router blind to load",
    "slow-decode": "decode 29 % slower",
    "drift": "all service 29 % slower",
    "fewer-clients": "clients left",
    "slower-decode": "decode time, times",
    "first-cycle": "first cycle, at clients",
}
"""Mechanisms in words."""


def pairs_table(rows: Sequence[Row]) -> str:
    """One line for each pair of changes of throughput and TTFT, and load."""
    heads = ("pair", "deployment", "C", "decode needed", "most", "TTFT (ms)", "least (ms)")
    columns = [Column(head, "l" if place < 2 else "r") for place, head in enumerate(heads)]
    body: list[list[str]] = []
    above = None
    for row in rows:
        if row["possible"] is None:
            continue
        if above not in (None, row["id"]):
            body.append([])
        above = row["id"]
        cells = [row["id"].replace("+", " + "), value_text("scenario", row["scenario"])]
        cells += [number(row["clients"]), number(row["value"], 3), number(row["most"], 3)]
        cells += [number(1000 * row[name], 3) for name in ("first_token", "unloaded")]
        body.append([*cells, "yes" if row["possible"] else "no"])
    columns.append(Column("possible"))
    return latex_table(columns, body, PAIR_CAPTION, "rule-outs")


def mechanisms_table(rows: Sequence[Row]) -> str:
    """One line for each mechanism, one column for each claim."""
    claims = sorted({row["claim"] for row in rows})
    cells = {(row["id"], row["claim"]): _cell(row) for row in rows}
    published = {row["claim"]: number(row["published"], 3) for row in rows}
    body = [["as published", *(published[claim] for claim in claims)]]
    for kind in KINDS:
        body.append([])
        names = dict.fromkeys(row["id"] for row in rows if row["kind"] == kind)
        for name in names:
            found = [cells.get((name, claim), MISSING) for claim in claims]
            body.append([NAMES.get(name, name), *found])
    columns = [Column("mechanism"), *(Column(claim, "r") for claim in claims)]
    return latex_table(columns, body, MECHANISM_CAPTION, "mechanisms")


def _cell(row: Row) -> str:
    if row["value"] is None:
        return MISSING
    digits = 3 if row["unit"] == "1" else max(2, len(str(round(row["value"]))))
    return number(row["value"], digits) + (" ★" if row["met"] else "")
