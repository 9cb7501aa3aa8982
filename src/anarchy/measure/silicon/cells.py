"""What was measured itself, for the tables of a comparison that are measurements."""

from collections.abc import Iterable
from pathlib import Path

from anarchy.common.files import Row
from anarchy.config.silicon import Deployment
from anarchy.serving.service_times.measured import Cell, read_shard
from anarchy.serving.service_times.provenance import Measurement
from anarchy.serving.service_times.table_files import load_table


def cell_rows(deployed: Iterable[Deployment], folder: Path, root: Path) -> list[Row]:
    """One row a measured prefill step, and how much repeated steps vary.

    Rows {scenario, gpu, id: prefill, prompts, tokens, cached, value, lo, hi, n, unit} with the
    median and the 5th and 95th percentile of seconds; {scenario, gpu, id: tail, phase, value,
    n, unit} with the 99th percentile over the median; and of all together `cells`, how many there
    are, and `residual-itl` and `residual-cached`, the largest of what the tables say of
    themselves. `folder` has the latency tables, and the files that they were made of are below
    `root`.
    """
    tables = {(d.keys["scenario"], d.keys["gpu"], d.scenario.model.latency): None for d in deployed}
    rows: list[Row] = []
    measured: list[Measurement] = []
    for scenario, gpu, name in tables:
        provenance = load_table(folder, name).provenance
        if not isinstance(provenance, Measurement):
            continue
        measured.append(provenance)
        shard = read_shard(root / provenance.source)
        head = {"scenario": scenario, "gpu": gpu}
        rows += [
            {
                **head,
                "id": "prefill",
                "prompts": cell.prompts,
                "tokens": cell.tokens,
                "cached": cell.cached,
                **_seconds(cell),
            }
            for cell in shard.prefill
        ]
        for cell in shard.jitter:
            phase = "decode" if cell.tokens == 1 else "prefill"
            tail = {"value": cell.p99 / cell.ms, "n": cell.n, "unit": "1"}
            rows.append({**head, "id": "tail", "phase": phase, **tail})
    itl = [provenance.residual_itl for provenance in measured]
    cached = [provenance.residual_cached for provenance in measured]
    return [
        *rows,
        {"id": "cells", "value": sum(m.cells for m in measured), "unit": "1"},
        {"id": "residual-itl", "value": max(itl, default=None), "unit": "1"},
        {"id": "residual-cached", "value": max(cached, default=None), "unit": "1"},
    ]


def _seconds(cell: Cell) -> Row:
    median, lo, hi = (ms / 1000 for ms in (cell.ms, cell.p05, cell.p95))
    return {"value": median, "lo": lo, "hi": hi, "n": cell.n, "unit": "s"}
