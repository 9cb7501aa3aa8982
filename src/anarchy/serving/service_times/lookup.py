"""Service times of one worker: prefill by prompt tokens, decode steps by batch and context.

The times are those of a table of config/latency (see `latency_table`). Between its entries both
are interpolated linearly. Outside of them:

* below the first entry of an axis the first entry holds (a prefill step of 0 tokens costs what
  the shortest one costs: launch and weight reads remain);
* above the last one prefill follows the parabola through the last three entries, because
  attention is quadratic in the prompt, and the inter-token latency (ITL) follows the line through
  the last two entries of either axis. Such look-ups are counted.
"""

import math
from bisect import bisect_right
from pathlib import Path

from anarchy.serving.service_times.table import (
    LatencyTable,
    Line,
    latency_sources,
    load_table,
    parabola,
    tabulated_line,
)

__all__ = ["Latency", "LatencyTable", "Line", "latency_sources", "load_latency"]


class Latency:
    """Look-up of one table; `extrapolated` counts the look-ups beyond it, so take one per run."""

    def __init__(self, table: LatencyTable) -> None:
        self.table = table
        self.extrapolated = 0
        self._tokens = table.prefill.tokens
        self._seconds = table.prefill.seconds
        self._last_tokens = table.prefill.tokens[-1]
        self._last_batch = table.itl.batch[-1]
        self._last_context = table.itl.context[-1]
        self._by_tokens: dict[int, float] = {}
        self._known = [tabulated_line(table.itl, j) for j in range(len(table.itl.batch))]
        self._lines: list[Line] = []

    def prefill(self, tokens: int) -> float:
        """Seconds of a prefill step that computes `tokens` >= 0 tokens."""
        if tokens > self._last_tokens:
            self.extrapolated += 1
        seconds = self._by_tokens.get(tokens)
        if seconds is None:
            seconds = self._by_tokens[tokens] = self._prefill(tokens)
        return seconds

    def itl(self, batch: int, context: float) -> float:
        """Seconds of a decode step of `batch` sequences with a mean context of `context` tokens."""
        if self.beyond(batch, context):
            self.extrapolated += 1
        start, value, slope = self.itl_line(batch)
        return value + slope * max(0.0, context - start)

    def itl_line(self, batch: int) -> Line:
        """(c0, v, s) with ITL = v + s * max(0, context - c0) for `batch` >= 0 sequences.

        v in seconds, s in seconds per token; not counted in `extrapolated`.
        """
        lines = self._lines
        while batch >= len(lines):
            lines.append(self._line(len(lines)))
        return lines[batch]

    def beyond(self, batch: int, context: float) -> bool:
        """Whether a decode step lies above the table's last batch or context."""
        return batch > self._last_batch or context > self._last_context

    def steps_beyond(self, batch: int, context: float, steps: int) -> int:
        """How many of the next `steps` decode steps lie above the table.

        The first has a mean context of `context` tokens and each adds one.
        """
        if batch > self._last_batch:
            return steps
        within = math.floor(self._last_context - context) + 1
        return steps - min(steps, max(0, within))

    def _prefill(self, tokens: int) -> float:
        axis, seconds = self._tokens, self._seconds
        if tokens <= axis[0]:
            return seconds[0]
        if tokens >= axis[-1]:
            slope, curvature = parabola(axis, seconds)
            return seconds[-1] + (tokens - axis[-1]) * (slope + curvature * (tokens - axis[-2]))
        i = bisect_right(axis, tokens)
        share = (tokens - axis[i - 1]) / (axis[i] - axis[i - 1])
        return seconds[i - 1] + (seconds[i] - seconds[i - 1]) * share

    def _line(self, batch: int) -> Line:
        axis, known = self.table.itl.batch, self._known
        if batch <= axis[0]:
            return known[0]
        i = min(bisect_right(axis, batch), len(axis) - 1)
        if batch == axis[i]:  # the last entry, exactly
            return known[i]
        (start, value, slope), (_, next_value, next_slope) = known[i - 1], known[i]
        share = (batch - axis[i - 1]) / (axis[i] - axis[i - 1])
        return start, value + (next_value - value) * share, slope + (next_slope - slope) * share


def load_latency(folder: Path, name: str) -> Latency:
    """The look-up of `<folder>/<name>.json`; raises InputError as `load_table` does."""
    return Latency(load_table(folder, name))
