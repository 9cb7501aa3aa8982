"""What a trace is, in numbers: its length, its requests, and how much of it a cache could hold."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from anarchy.workload.traces import TraceData


def describe_trace(data: TraceData) -> list[dict[str, Any]]:
    """Result rows that say what a trace is: {id, value, unit}.

    The rate is that of the arrivals after the first one; percentiles interpolate linearly. A
    trace with prefix information also gets its distinct blocks and its prefix-reuse ceiling.
    """
    duration = float(data.arrival[-1])
    rows: list[dict[str, Any]] = [
        {"id": "requests", "value": len(data), "unit": "1"},
        {"id": "duration", "value": duration, "unit": "s"},
        {
            "id": "rate",
            "value": (len(data) - 1) / duration if duration > 0 else None,
            "unit": "1/s",
        },
    ]
    for name, tokens in (("input", data.input_tokens), ("output", data.output_tokens)):
        p50, p99 = np.percentile(tokens, [50, 99])
        for statistic, value in (("mean", tokens.mean()), ("p50", p50), ("p99", p99)):
            rows.append({"id": f"{name}-tokens-{statistic}", "value": value, "unit": "tokens"})
    if data.block_tokens is not None:
        unique = len({block for blocks in data.blocks for block in blocks})
        rows.append({"id": "unique-blocks", "value": unique, "unit": "1"})
        rows.append({"id": "reuse-ceiling", "value": reuse_ceiling(data), "unit": "1"})
    return rows


def reuse_ceiling(data: TraceData) -> float:
    """The share of all prompt tokens that one infinite cache, shared by all, would have held.

    A prompt reuses its longest prefix of blocks seen before; its partial last block counts with
    the tokens that it has. Prompts arrive one after the other, each cached at once.
    """
    if data.block_tokens is None:
        raise ValueError("the trace says nothing about prefixes")
    reused = sum(_reused(data))
    return reused / int(data.input_tokens.sum())


def _reused(data: TraceData) -> Iterator[int]:
    assert data.block_tokens is not None
    seen: set[int] = set()
    for tokens, blocks in zip(data.input_tokens.tolist(), data.blocks, strict=True):
        overlap = next((k for k, block in enumerate(blocks) if block not in seen), len(blocks))
        seen.update(blocks)
        yield min(tokens, overlap * data.block_tokens)
