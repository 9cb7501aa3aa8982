"""Service times: the look-ups of `serving.latency`, step for step the same arithmetic."""

from collections.abc import Sequence

import numpy as np

from anarchy.serving.compiled.core.arena import Arena
from anarchy.serving.compiled.core.compile import compiled, inlined, inner
from anarchy.serving.compiled.core.records import (
    BATCHES,
    BATCHES_SIZE,
    KNOWN_LINES,
    LAST_CONTEXT,
    LINES,
    PARABOLA,
    SECONDS,
    TOKENS,
    TOKENS_SIZE,
    Floats,
    Ints,
)
from anarchy.serving.service_times.table import LatencyTable, parabola, tabulated_line

LINES_SIZE = 1024
"""Batches whose ITL is tabulated whole."""


def lay_tables(arena: Arena, tables: Sequence[LatencyTable]) -> None:
    """Lay out tables of equal axes, for workers of unequal speed; number 0 is the nominal one."""
    prefill, itl = tables[0].prefill, tables[0].itl
    parabolas = [parabola(table.prefill.tokens, table.prefill.seconds) for table in tables]
    arena.ints[TOKENS_SIZE] = len(prefill.tokens)
    arena.ints[BATCHES_SIZE] = len(itl.batch)
    arena.ints[LAST_CONTEXT] = itl.context[-1]
    arena.move(TOKENS, prefill.tokens)
    arena.move(BATCHES, itl.batch)
    arena.move_reals(SECONDS, [table.prefill.seconds for table in tables])
    arena.move_reals(PARABOLA, parabolas)
    columns = range(len(itl.batch))
    lines = [[tabulated_line(table.itl, column) for column in columns] for table in tables]
    arena.move_reals(KNOWN_LINES, lines)
    arena.move_reals(LINES, np.zeros((len(tables), LINES_SIZE, 3)))
    _tabulate(arena.ints, arena.reals, len(tables))


@inlined
def after(ints: Ints, axis: int, size: int, value: int) -> int:
    """The first place of an axis whose entry is above `value`."""
    low, high = 0, size
    while low < high:
        middle = (low + high) >> 1
        if value < ints[axis + middle]:
            high = middle
        else:
            low = middle + 1
    return low


@inner
def prefill_seconds(ints: Ints, reals: Floats, table: int, tokens: int) -> float:
    """Seconds of a prefill step of `tokens` tokens."""
    axis, size = ints[TOKENS], ints[TOKENS_SIZE]
    seconds = ints[SECONDS] + table * size
    if tokens <= ints[axis]:
        return float(reals[seconds])
    last = axis + size - 1
    if tokens >= ints[last]:
        fit = ints[PARABOLA] + 2 * table
        beyond = reals[fit] + reals[fit + 1] * (tokens - ints[last - 1])
        return float(reals[seconds + size - 1] + (tokens - ints[last]) * beyond)
    i = after(ints, axis, size, tokens)
    share = (tokens - ints[axis + i - 1]) / (ints[axis + i] - ints[axis + i - 1])
    before = reals[seconds + i - 1]
    return float(before + (reals[seconds + i] - before) * share)


@inner
def itl_line(ints: Ints, reals: Floats, table: int, batch: int) -> tuple[float, float, float]:
    """(c0, v, s) with ITL = v + s * max(0, context - c0)."""
    if batch >= LINES_SIZE:
        return _interpolated(ints, reals, table, batch)
    line = ints[LINES] + 3 * (table * LINES_SIZE + batch)
    return reals[line], reals[line + 1], reals[line + 2]


@inner
def _interpolated(ints: Ints, reals: Floats, table: int, batch: int) -> tuple[float, float, float]:
    """The line of a batch out of those of the table's own batches."""
    axis, size = ints[BATCHES], ints[BATCHES_SIZE]
    i = min(after(ints, axis, size, batch), size - 1)
    line = ints[KNOWN_LINES] + 3 * (table * size + i)
    if batch <= ints[axis]:
        line = ints[KNOWN_LINES] + 3 * table * size
    elif batch != ints[axis + i]:
        share = (batch - ints[axis + i - 1]) / (ints[axis + i] - ints[axis + i - 1])
        value, slope = reals[line - 2], reals[line - 1]
        return (
            reals[line - 3],
            value + (reals[line + 1] - value) * share,
            slope + (reals[line + 2] - slope) * share,
        )
    return reals[line], reals[line + 1], reals[line + 2]


@compiled
def _tabulate(ints: Ints, reals: Floats, tables: int) -> None:
    """Compute the lines of all batches below LINES_SIZE: most decode steps ask for one of them."""
    for table in range(tables):
        for batch in range(LINES_SIZE):
            line = ints[LINES] + 3 * (table * LINES_SIZE + batch)
            reals[line], reals[line + 1], reals[line + 2] = _interpolated(ints, reals, table, batch)


@inner
def itl(ints: Ints, reals: Floats, table: int, batch: int, context: float) -> float:
    """Seconds of a decode step of `batch` sequences with a mean context of `context` tokens."""
    start, value, slope = itl_line(ints, reals, table, batch)
    return value + slope * max(0.0, context - start)
