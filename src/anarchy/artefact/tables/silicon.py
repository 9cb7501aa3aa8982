"""The table of the models on measured hardware."""

from collections.abc import Sequence
from typing import Any

from anarchy.artefact.display import MISSING, number
from anarchy.artefact.labels import scenario_name
from anarchy.artefact.tables.booktabs import Column, latex_table
from anarchy.common.files import Row
from anarchy.config.silicon import Silicon


def silicon_table(silicon: Silicon, rows: Sequence[Row]) -> str:
    """One line a table of service times, below its model: its steps, N* by prefill, the knee."""
    columns = [
        Column("times"),
        Column("µs", "r"),
        Column("prefill", "r"),
        Column("cached", "r"),
        Column("decode", "r"),
        Column("ratio", "r"),
        *(
            Column(f"N*, {batch} {'cached' if caching else 'anew'}", "r")
            for batch in silicon.batch_requests
            for caching in silicon.caching
        ),
        Column("knee", "r"),
        Column("output tokens", "r"),
    ]
    body: list[list[str]] = []
    for scenario in silicon.scenarios:
        if body:
            body.append([])
        body.append([scenario_name(scenario).split()[0], *[""] * (len(columns) - 1)])
        for table in silicon.tables:
            for all_reduce in table.all_reduce:
                chosen = [
                    row
                    for row in rows
                    if (row["scenario"], row["gpu"], row["times"], row["all_reduce"])
                    == (scenario, table.gpu, table.times, all_reduce)
                ]
                body.append(_line(silicon, chosen))
    below, upto = silicon.grid[-2:]
    caption = (
        "Both models with each table of service times: µs of an all-reduce; ms of a prefill of one "
        "prompt, computed anew and behind its cached blocks, and of a decode step under the last "
        "published load; prefill computed anew over decode. N* by prompts of a prefill step, with "
        "and without caching. Knee: simulated, one prompt and caching. Output tokens: those for "
        f"which N* of one prompt and caching lies in ({below}, {upto}]"
    )
    return latex_table(columns, body, caption, "silicon")


def _line(silicon: Silicon, rows: Sequence[Row]) -> list[str]:
    """`rows` are those of one table and one model."""
    by_prefill: dict[tuple[int, bool], dict[str, Row]] = {}
    for row in rows:
        by_prefill.setdefault((row["batch"], row["caching"]), {})[row["id"]] = row
    ways = [(batch, caching) for batch in silicon.batch_requests for caching in silicon.caching]
    first = by_prefill[ways[0]]
    steps = [_ms(first[name]["value"]) for name in ("prefill", "prefill-used", "itl")]
    bounds = [_clients(by_prefill[way]["operational-bound"]["value"]) for way in ways]
    return [
        f"{first['ratio']['gpu']} {first['ratio']['provenance']}",
        number(1e6 * first["ratio"]["all_reduce"], 3),
        *steps,
        f"{first['ratio']['value']:.3f}",
        *bounds,
        _ends(first["knee"]["lo"], first["knee"]["hi"]),
        _ends(first["output-least"]["value"], first["output-most"]["value"]),
    ]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f}"


def _clients(bound: float) -> str:
    return f"{bound:.1f}" if bound < 1000 else number(bound, 3)


def _ends(lo: Any, hi: Any) -> str:
    """A range of whole numbers."""
    if lo is None:
        return MISSING
    return number(lo) if lo == hi else f"{number(lo)}–{number(hi)}"
