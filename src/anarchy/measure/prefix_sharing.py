"""What a trace says of shared prefixes: who shares how much with whom, how long ago.

All statistics take requests in order of arrival, each cached as soon as it has arrived, so they
describe the trace and no system. Prefix information is required.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anarchy.workload.trace_facts import reuse_ceiling
from anarchy.workload.traces import TraceData

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Overlaps:
    """For each of the n requests the earlier one that it shares most with.

    `shared[i]` is the number of leading blocks that some earlier request has too, and `source[i]`
    the latest such request, -1 where nothing is shared.
    """

    shared: Integers
    source: Integers


def best_overlaps(data: TraceData) -> Overlaps:
    """The longest prefix that each request shares with an earlier one, and with which."""
    _blocks_of(data)
    shared, source = [], []
    latest: dict[int, int] = {}
    for index, blocks in enumerate(data.blocks):
        depth = 0
        found = -1
        for block in blocks:
            holder = latest.get(block)
            if holder is None:
                break
            found = holder
            depth += 1
        shared.append(depth)
        source.append(found)
        latest.update(dict.fromkeys(blocks, index))
    return Overlaps(np.array(shared, dtype=np.int64), np.array(source, dtype=np.int64))


def lru_reuse(data: TraceData, capacities: Sequence[int]) -> list[float]:
    """The share of prompt tokens found in one cache, used by all requests, for each of its sizes.

    Sizes are in tokens. A cache holds whole blocks and evicts the least recently used one, tails
    before heads. It thus holds what was used from some moment on, so that one pass serves all sizes
    (Mattson et al., Evaluation techniques for storage hierarchies, 1970).
    """
    tokens = _blocks_of(data)
    begins, held, found = ([0] * len(capacities) for _ in range(3))
    latest: dict[int, int] = {}  # the number of each block's latest use
    lasting = bytearray()  # whether a use is the latest one of its block
    for length, blocks in zip(data.input_tokens.tolist(), data.blocks, strict=True):
        ages = [-latest.get(block, -1) for block in blocks]  # ascending: heads are used after tails
        for age in ages[: bisect_right(ages, 0)]:
            lasting[-age] = False
        latest.update(zip(reversed(blocks), count(len(lasting)), strict=False))
        lasting.extend([True] * len(blocks))
        for k, capacity in enumerate(capacities):
            overlap = bisect_right(ages, -begins[k])
            found[k] += min(length, tokens * overlap)
            held[k] += len(blocks) - overlap
            while held[k] > capacity // tokens:
                begins[k] = lasting.index(True, begins[k]) + 1
                held[k] -= 1
    return [each / int(data.input_tokens.sum()) for each in found]


@dataclass(frozen=True)
class Reuses:
    """One entry for each request that shares more than the blocks common to all.

    How long ago the request was that it shares most with, in requests and in seconds.
    """

    requests: Integers
    seconds: Floats


def reuse_distances(data: TraceData, common_blocks: int) -> Reuses:
    """Distances from each request that shares more than `common_blocks` to its best source."""
    overlaps = best_overlaps(data)
    reusing = np.flatnonzero(overlaps.shared > common_blocks)
    source = overlaps.source[reusing]
    return Reuses(reusing - source, data.arrival[reusing] - data.arrival[source])


@dataclass(frozen=True)
class Conversations:
    """Requests grouped by the first block after those common to all.

    `turn[i]` is request i's position in its conversation, from 0, and `sizes` the number of
    requests of each conversation. `growth` has one entry for each request after the first of its
    conversation: its prompt minus the previous one's, tokens.
    """

    turn: Integers
    sizes: Integers
    growth: Integers


def conversations(data: TraceData, common_blocks: int) -> Conversations:
    """Group requests into conversations; a prompt of common blocks only is one of its own."""
    _blocks_of(data)
    last: dict[int, int] = {}
    turns: list[int] = []
    growth = []
    tokens = data.input_tokens.tolist()
    for index, blocks in enumerate(data.blocks):
        name = blocks[common_blocks] if len(blocks) > common_blocks else -1 - index
        before = last.get(name)
        turns.append(0 if before is None else turns[before] + 1)
        if before is not None:
            growth.append(tokens[index] - tokens[before])
        last[name] = index
    turn = np.array(turns, dtype=np.int64)
    sizes = turn[list(last.values())] + 1
    return Conversations(turn, sizes, np.array(growth, dtype=np.int64))


def dispersion(arrival: Floats, windows: Sequence[float]) -> Floats:
    """The index of dispersion of counts, variance over mean, for windows of so many seconds.

    The last, incomplete window is dropped; a trace shorter than two windows gives NaN.
    """
    result = np.full(len(windows), np.nan)
    for index, window in enumerate(windows):
        whole = int((arrival[-1] + GRAIN) // window)
        if whole >= 2:
            places = ((arrival + GRAIN) // window).astype(np.int64)
            counts = np.bincount(places, minlength=whole)[:whole]
            result[index] = counts.var(ddof=1) / counts.mean()
    return result


GRAIN = 0.1
"""Seconds added before cutting into windows: recorded ticks lie some milliseconds off their grid,
and a grid line must not divide a tick."""


CAPACITIES = (500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000, 16_000_000)
"""Sizes of the shared cache at which a trace's reuse is stated, tokens."""

WINDOWS = (3.0, 30.0, 60.0, 300.0)
"""Windows at which a trace's index of dispersion is stated, seconds."""


def sharing_facts(data: TraceData, common_blocks: int) -> dict[str, float]:
    """Statistics of a trace that matter to routing, by name.

    Lengths are in tokens or blocks, times in seconds, distances in requests; shares are of
    prompt tokens (reuse), of requests or of conversations. Raises ValueError unless some request
    shares more than the common blocks and another arrives later than the first.
    """
    overlaps = best_overlaps(data)
    reuses = reuse_distances(data, common_blocks)
    talks = conversations(data, common_blocks)
    reusing = overlaps.shared > common_blocks
    if not reusing.any() or not len(talks.growth) or data.arrival[-1] == 0:
        raise ValueError("the trace has no conversation of two requests, or no duration")
    third = len(data) // 3
    facts = {
        "rate": (len(data) - 1) / float(data.arrival[-1]),
        "blocks-per-request": len({b for blocks in data.blocks for b in blocks}) / len(data),
        "reuse-unlimited": reuse_ceiling(data),
        "requests-reusing": reusing.mean(),
        "requests-reusing-first-third": reusing[:third].mean(),
        "requests-reusing-last-third": reusing[-third:].mean(),
        "conversation-turns-mean": talks.sizes.mean(),
        "conversations-of-one": (talks.sizes == 1).mean(),
        "conversations-of-five-or-more": (talks.sizes >= 5).mean(),
    }
    for window, value in zip(WINDOWS, dispersion(data.arrival, WINDOWS), strict=True):
        facts[f"dispersion-{window:g}s"] = value
    for capacity, reuse in zip(CAPACITIES, lru_reuse(data, CAPACITIES), strict=True):
        facts[f"reuse-lru-{capacity // 1000}k"] = reuse
    columns: dict[str, tuple[Any, tuple[int, ...]]] = {
        "input": (data.input_tokens, (10, 50, 90, 99)),
        "first-input": (data.input_tokens[talks.turn == 0], (10, 50, 90, 99)),
        "output": (data.output_tokens, (10, 50, 90, 99)),
        "overlap-blocks": (overlaps.shared[reusing], (10, 50, 90, 99)),
        "reuse-after-requests": (reuses.requests, (10, 50, 90)),
        "reuse-after-seconds": (reuses.seconds, (10, 50, 90)),
        "growth": (talks.growth, (10, 25, 50, 75, 90)),
    }
    for name, (values, percentiles) in columns.items():
        facts[f"{name}-mean"] = values.mean()
        for percentile in percentiles:
            facts[f"{name}-p{percentile}"] = np.percentile(values, percentile)
    return {name: float(f"{value:.6g}") for name, value in facts.items()}


def _blocks_of(data: TraceData) -> int:
    if data.block_tokens is None:
        raise ValueError("the trace says nothing about prefixes")
    return data.block_tokens
