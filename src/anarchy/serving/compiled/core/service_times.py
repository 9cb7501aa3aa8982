"""Service times: the look-ups of `serving.service_times`, step for step the same arithmetic."""

from collections.abc import Sequence

import numpy as np

from anarchy.serving.compiled.core.compile import compiled, inner
from anarchy.serving.compiled.core.records import Line, ServiceTimes
from anarchy.serving.compiled.core.tables import Floats, Ints, zeros
from anarchy.serving.service_times.table import LatencyTable, parabola, tabulated_line

LINES = 1024
"""Batches whose ITL is tabulated whole."""


def make_service_times(tables: Sequence[LatencyTable]) -> ServiceTimes:
    """Tables of equal axes, for workers of unequal speed; number 0 is the nominal one."""
    prefill, itl = tables[0].prefill, tables[0].itl
    columns = range(len(itl.batch))
    known = zeros(Line, len(tables), len(columns))
    for number, table in enumerate(tables):
        for column in columns:
            known[number, column] = tabulated_line(table.itl, column)
    batched, cached = prefill.batched, prefill.cached
    parabolas = [parabola(table.prefill.tokens, table.prefill.seconds) for table in tables]
    times = ServiceTimes(
        tokens=np.array(prefill.tokens, np.int64),
        seconds=np.array([table.prefill.seconds for table in tables], np.float64),
        parabolas=np.array(parabolas, np.float64),
        batched_tokens=np.array(batched.tokens if batched else [], np.int64),
        batched_seconds=np.array(
            [t.prefill.batched.seconds if t.prefill.batched else [] for t in tables], np.float64
        ),
        cached_tokens=np.array(cached.tokens if cached else [], np.int64),
        cached_seconds=np.array(
            [t.prefill.cached.seconds_per_token if t.prefill.cached else [] for t in tables],
            np.float64,
        ),
        batches=np.array(itl.batch, np.int64),
        known_lines=known,
        lines=zeros(Line, len(tables), LINES),
    )
    tabulate(times)
    return times


@inner
def _after(axis: Ints, value: int) -> int:
    """The first place of an axis whose entry is above `value`."""
    low, high = 0, len(axis)
    while low < high:
        middle = (low + high) >> 1
        if value < axis[middle]:
            high = middle
        else:
            low = middle + 1
    return low


@inner
def _on_lines(axis: Ints, values: Floats, at: int) -> float:
    """Linear between entries, the first below them, the last line above them."""
    if at <= axis[0]:
        return float(values[0])
    i = min(_after(axis, at), len(axis) - 1)
    share = (at - axis[i - 1]) / (axis[i] - axis[i - 1])
    return float(values[i - 1] + (values[i] - values[i - 1]) * share)


@inner
def _alone(times: ServiceTimes, speed: int, tokens: int) -> float:
    """Seconds of a step of one prompt without cached tokens."""
    axis, seconds = times.tokens, times.seconds[speed]
    last = len(axis) - 1
    if tokens < axis[last]:
        return _on_lines(axis, seconds, tokens)
    slope, bend = times.parabolas[speed, 0], times.parabolas[speed, 1]
    beyond = slope + bend * (tokens - axis[last - 1])
    return float(seconds[last] + (tokens - axis[last]) * beyond)


@inner
def prefill_seconds(
    times: ServiceTimes, speed: int, tokens: int, prompts: int, cached: int
) -> float:
    """Seconds of a prefill step of `tokens` tokens of `prompts` prompts, behind cached ones."""
    seconds = _alone(times, speed, tokens)
    axis = times.batched_tokens
    if len(axis) and prompts > 1 and tokens > axis[0]:
        together = _on_lines(axis, times.batched_seconds[speed], tokens)
        longer = max(0.0, tokens / prompts - axis[0])
        seconds = together + (seconds - together) * (longer / (tokens - axis[0]))
    if len(times.cached_tokens):
        slope = _on_lines(times.cached_tokens, times.cached_seconds[speed], tokens)
        seconds += slope * (cached / prompts)
    return seconds


@inner
def itl_line(times: ServiceTimes, speed: int, batch: int) -> tuple[float, float, float]:
    """(c0, v, s) with ITL = v + s * max(0, context - c0)."""
    if batch >= LINES:
        return _interpolated(times, speed, batch)
    line = times.lines[speed, batch]
    return line.start, line.value, line.slope


@inner
def _interpolated(times: ServiceTimes, speed: int, batch: int) -> tuple[float, float, float]:
    """The line of a batch out of those of the table's own batches."""
    axis = times.batches
    i = 0 if batch <= axis[0] else min(_after(axis, batch), len(axis) - 1)
    line = times.known_lines[speed, i]
    if batch <= axis[0] or batch == axis[i]:
        return line.start, line.value, line.slope
    before = times.known_lines[speed, i - 1]
    share = (batch - axis[i - 1]) / (axis[i] - axis[i - 1])
    return (
        before.start,
        before.value + (line.value - before.value) * share,
        before.slope + (line.slope - before.slope) * share,
    )


@compiled
def tabulate(times: ServiceTimes) -> None:
    """Compute the lines of all batches below LINES: most decode steps ask for one of them."""
    for speed in range(len(times.lines)):
        for batch in range(LINES):
            line = times.lines[speed, batch]
            line.start, line.value, line.slope = _interpolated(times, speed, batch)


@inner
def itl(times: ServiceTimes, speed: int, batch: int, context: float) -> float:
    """Seconds of a decode step of `batch` sequences with a mean context of `context` tokens."""
    start, value, slope = itl_line(times, speed, batch)
    return value + slope * max(0.0, context - start)
