"""The table of controlled runs: one line a phase, the real Dynamo beside the simulator."""

from collections.abc import Sequence

from anarchy.artefact.display import number
from anarchy.artefact.tables.booktabs import Column, latex_table
from anarchy.common.files import Row

SHOWN = {
    "throughput": ("X (1/s)", 1.0),
    "ttft": ("TTFT (ms)", 1000.0),
    "ttft-p99": ("P99 (ms)", 1000.0),
    "tied": ("ties (%)", 100.0),
}
"""Quantities of a phase: head, and factor of the values."""


def controlled_table(rows: Sequence[Row]) -> str:
    """One line for each run and phase, in the order of the rows."""
    columns = [Column("scenario"), Column("arm"), Column("phase")]
    for head, _ in SHOWN.values():
        columns += [Column(f"live {head}", "r"), Column("sim.", "r")]
    columns += [Column("switches (live, sim.)", "r"), Column("holds", "r")]
    phases: dict[tuple[str, str, str], dict[str, Row]] = {}
    switches: dict[tuple[str, str], Row] = {}
    for row in rows:
        if row.get("phase") is not None and "arm" in row:
            place = (row["scenario"], row["arm"], row["phase"])
            phases.setdefault(place, {})[row["group"]] = row
        elif row["group"] == "switches":
            switches[row["scenario"], row["arm"]] = row
    body: list[list[str]] = []
    above: tuple[str, str] | None = None
    for (scenario, arm, phase), found in phases.items():
        first = above != (scenario, arm)
        if above is not None and above[0] != scenario:
            body.append([])
        names = [scenario if first and arm == "static" else "", arm if first else "", phase]
        body.append([*names, *_cells(found), *_end(switches[scenario, arm], found, first)])
        above = (scenario, arm)
    caption = (
        "The controller on Dynamo 0.9.0 itself, live with engines that keep time, and in the "
        "simulator: throughput X, mean and P99 of TTFT as the clients saw it, share of decisions "
        "with several cheapest workers, in the settled part of each phase; how often the "
        "controller switched, applied (adaptive) or not (static)"
    )
    return latex_table(columns, body, caption, "live-control")


def _cells(found: dict[str, Row]) -> list[str]:
    return [
        number(factor * found[name][side], 4)
        for name, (_, factor) in SHOWN.items()
        for side in ("value", "expected")
    ]


def _end(switches: Row, found: dict[str, Row], first: bool) -> list[str]:
    """How often the run switched, once a run, and which quantity of the phase fails."""
    failed = [row["group"] for row in found.values() if row["holds"] is False]
    counts = f"{number(switches['value'])}, {number(switches['expected'], 3)}" if first else ""
    return [counts, ", ".join(failed) or "yes"]
