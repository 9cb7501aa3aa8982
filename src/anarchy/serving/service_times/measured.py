"""Latency tables out of what was measured on a GPU (scripts/measure_latency.py, config/reference).

Every entry of a table is a median, except where cells are many and a table wants a line: the ITL of
a batch, and prefill behind cached tokens. These lines have the least squares of relative errors
over the measured cells, and the table's provenance says how far off the farthest of them is.
"""

from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from anarchy.common.errors import InputError, faults_in
from anarchy.config.base import Count, Model, Title, Whole
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml
from anarchy.serving.service_times.table import LatencyTable

Milliseconds = Annotated[float, Field(gt=0, le=1e9)]

Points = list[tuple[int, float]]


class Cell(Model):
    """Milliseconds of one step over `n` replays: the median, some quantiles and the ends."""

    ms: Milliseconds
    p05: Milliseconds
    p95: Milliseconds
    p99: Milliseconds
    min: Milliseconds
    max: Milliseconds
    n: Count


class DecodeCell(Cell):
    """One decode step of `batch` sequences of `context` tokens each."""

    batch: Count
    context: Count


class PrefillCell(Cell):
    """One prefill step of `prompts` times `tokens` new tokens behind `cached` ones each."""

    prompts: Count
    tokens: Count
    cached: Annotated[Whole, Field(ge=0)]


class JitterCell(Cell):
    """A cell that was replayed more often: a decode step of one token each, or a prefill step."""

    batch: Count
    tokens: Count


class ShardShape(Model):
    """What one GPU of a tensor-parallel worker holds."""

    layers: Count
    d: Count
    q: Count
    kv: Count
    hd: Count
    ffn: Count
    gated: bool
    vocab: Count
    tp: Count


class Shard(Model):
    """All that was measured of one shard on one GPU."""

    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    model: Title
    gpu: Title
    torch: Title
    cuda: Title
    driver: Title | None = None
    weights_gb: float
    kv_bytes_per_token: Count
    shape: ShardShape
    decode: list[DecodeCell] = Field(min_length=4)
    prefill: list[PrefillCell] = Field(min_length=3)
    jitter: list[JitterCell]
    copy_tb_s: float
    seconds: float


def read_shard(path: Path) -> Shard:
    """The measured cells of a file; raises InputError naming the file and the key."""
    return validate(Shard, read_yaml(path), str(path))  # YAML includes JSON


def tabulate(path: Path, root: Path) -> LatencyTable:
    """The table of the measured cells in a file below `root`; raises InputError as `read_shard`."""
    shard = read_shard(path)
    with faults_in(str(path)):
        itl, off_line = _itl(shard)
        prefill, off_cached = _prefill(shard)
    replays = sorted({cell.n for cell in (*shard.decode, *shard.prefill)})
    data = {
        "model": shard.model,
        "system": shard.gpu.removeprefix("NVIDIA ").split()[0].lower(),
        "backend": "pytorch",
        "backend_version": shard.torch,
        "tensor_parallel": shard.shape.tp,
        "provenance": {
            "kind": "measured",
            "source": path.relative_to(root).as_posix(),
            "date": shard.date,
            "gpu": shard.gpu,
            "software": f"PyTorch {shard.torch}, CUDA {shard.cuda}",
            "licence": "Apache-2.0",
            "statistic": "median",
            "replays": [replays[0], replays[-1]],
            "cells": len(shard.decode) + len(shard.prefill),
            "residual_itl": round(off_line, 4),
            "residual_cached": round(off_cached, 4),
            "lacks": "all-reduce between the shards, the engine's scheduler and its host, "
            "sampling beyond the largest logit, the transfer of the KV cache",
        },
        "all_reduces": 2 * shard.shape.layers if shard.shape.tp > 1 else 0,
        "prefill": prefill,
        "itl": itl,
    }
    return validate(LatencyTable, data, str(path))


def _itl(shard: Shard) -> tuple[dict[str, Any], float]:
    """A line in the context for every batch, and the largest relative residual.

    The contexts are the shortest and the longest that were measured with every batch: larger
    batches of longer contexts do not fit one GPU.
    """
    by_batch: dict[int, Points] = defaultdict(list)
    for cell in shard.decode:
        by_batch[cell.batch].append((cell.context, cell.ms))
    common = set.intersection(*({c for c, _ in cells} for cells in by_batch.values()))
    if len(common) < 2:
        raise InputError("decode: fewer than two contexts are measured with every batch")
    contexts = [min(common), max(common)]
    lines = {batch: _line(by_batch[batch]) for batch in sorted(by_batch)}
    residuals = [
        abs((start + slope * context) / ms - 1)
        for batch, (start, slope) in lines.items()
        for context, ms in by_batch[batch]
    ]
    seconds = [
        [_seconds(start + slope * context) for start, slope in lines.values()]
        for context in contexts
    ]
    return {"batch": list(lines), "context": contexts, "seconds": seconds}, max(residuals)


def _prefill(shard: Shard) -> tuple[dict[str, Any], float]:
    """One prompt, several prompts, and cached tokens; and the largest residual of the last."""
    alone = {c.tokens: c.ms for c in shard.prefill if c.prompts == 1 and not c.cached}
    data: dict[str, Any] = {
        "tokens": sorted(alone),
        "seconds": [_seconds(alone[tokens]) for tokens in sorted(alone)],
    }
    together = {(c.tokens, c.prompts): c.ms for c in shard.prefill if c.prompts > 1}
    if together:
        short = min(tokens for tokens, _ in together)
        steps = {short: alone[short]} | {
            tokens * prompts: ms for (tokens, prompts), ms in together.items() if tokens == short
        }
        data["batched"] = {
            "prompt_tokens": short,
            "tokens": sorted(steps),
            "seconds": [_seconds(steps[tokens]) for tokens in sorted(steps)],
        }
    behind: dict[int, Points] = defaultdict(list)
    for cell in shard.prefill:
        if cell.cached and cell.prompts == 1:
            behind[cell.tokens].append((cell.cached, cell.ms))
    if not behind:
        return data, 0.0
    slopes = {tokens: _slope(alone[tokens], behind[tokens]) for tokens in sorted(behind)}
    data["cached"] = {
        "tokens": list(slopes),
        "seconds_per_token": [round(slope / 1000, 10) for slope in slopes.values()],
    }
    return data, max(
        abs((alone[tokens] + slope * cached) / ms - 1)
        for tokens, slope in slopes.items()
        for cached, ms in behind[tokens]
    )


def _line(points: Points) -> tuple[float, float]:
    """Value at 0 and slope of the line of least squares of relative errors."""
    at, values = np.array(points, float).T
    slope, start = np.polyfit(at, values, 1, w=1 / values)
    return float(start), float(slope)


def _slope(start: float, points: Points) -> float:
    """The same through a known start; what is cached saves no time, so noise below 0 is cut."""
    at, values = np.array(points, float).T
    share = at / values
    return max(0.0, float(share @ (1 - start / values) / (share @ share)))


def _seconds(ms: float) -> float:
    return round(ms / 1000, 6)
