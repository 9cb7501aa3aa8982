"""Service times of one worker: prefill by what a step computes, decode by batch and context.

The times are those of a table of config/latency (see `table`). Between its entries they are
interpolated linearly. Outside of them:

* below the first entry of an axis the first entry holds (a prefill step of 0 tokens costs what
  the shortest one costs: launch and weight reads remain);
* above the last one prefill follows the parabola through the last three entries, because
  attention is quadratic in the prompt, and the inter-token latency (ITL) follows the line through
  the last two entries of either axis. Such look-ups are counted.

A table may know what prefill costs by prompts, too. Matrix products depend on the tokens N of a
step alone, attention on N times the tokens that each of them attends to. So between one prompt of N
tokens and prompts as short as those measured together the step is linear in the mean length of its
prompts, and for cached tokens, which are attended to but not computed, it takes longer by a time
that is linear in their mean over the prompts. Either follows the line through its last two entries
above them. Shorter prompts than those measured together cost as much: attention among so few tokens
is nothing beside the products.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from anarchy.config.scenario import ServedModel
from anarchy.serving.service_times.table import (
    LatencyTable,
    Line,
    parabola,
    tabulated_line,
    with_all_reduce,
)
from anarchy.serving.service_times.table_files import load_table

__all__ = ["Latency", "LatencyTable", "Line", "load_latency", "load_service_times"]


class Latency:
    """Look-up of one table; `extrapolated` counts the look-ups beyond it, so take one per run."""

    def __init__(self, table: LatencyTable) -> None:
        self.table = table
        self.extrapolated = 0
        self._batched = table.prefill.batched
        self._cached = table.prefill.cached
        self._last_tokens = table.prefill.tokens[-1]
        self._last_batch = table.itl.batch[-1]
        self._last_context = table.itl.context[-1]
        self._steps: dict[tuple[int, int], float] = {}
        self._known = [tabulated_line(table.itl, j) for j in range(len(table.itl.batch))]
        self._lines: dict[int, Line] = {}

    def prefill(self, tokens: int, prompts: int = 1, cached: int = 0) -> float:
        """Seconds of a prefill step that computes `tokens` >= 0 tokens of `prompts` >= 1 prompts.

        `cached` tokens of these prompts are attended to and not computed.
        """
        if tokens > self._last_tokens:
            self.extrapolated += 1
        seconds = self._steps.get((tokens, prompts))
        if seconds is None:
            seconds = self._steps[tokens, prompts] = self._step(tokens, prompts)
        if self._cached is None:
            return seconds
        slope = _on_lines(self._cached.tokens, self._cached.seconds_per_token, tokens)
        return seconds + slope * (cached / prompts)

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
        line = self._lines.get(batch)
        if line is None:
            line = self._lines[batch] = self._line(batch)
        return line

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

    def _step(self, tokens: int, prompts: int) -> float:
        """Seconds of a step without cached tokens."""
        alone, batched = self._alone(tokens), self._batched
        if batched is None or prompts == 1 or tokens <= batched.prompt_tokens:
            return alone
        short = batched.prompt_tokens
        together = _on_lines(batched.tokens, batched.seconds, tokens)
        longer = max(0.0, tokens / prompts - short)
        return together + (alone - together) * (longer / (tokens - short))

    def _alone(self, tokens: int) -> float:
        """Seconds of a step of one prompt."""
        axis, seconds = self.table.prefill.tokens, self.table.prefill.seconds
        if tokens < axis[-1]:
            return _on_lines(axis, seconds, tokens)
        slope, curvature = parabola(axis, seconds)
        return seconds[-1] + (tokens - axis[-1]) * (slope + curvature * (tokens - axis[-2]))

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


def _on_lines(axis: Sequence[int], values: Sequence[float], at: int) -> float:
    """Linear between entries, the first below them, the last line above them."""
    if at <= axis[0]:
        return values[0]
    i = min(bisect_right(axis, at), len(axis) - 1)
    share = (at - axis[i - 1]) / (axis[i] - axis[i - 1])
    return values[i - 1] + (values[i] - values[i - 1]) * share


def load_latency(folder: Path, name: str) -> Latency:
    """The look-up of `<folder>/<name>.json`; raises InputError as `load_table` does."""
    return Latency(load_table(folder, name))


def load_service_times(folder: Path, model: ServedModel) -> Latency:
    """The look-up of a model's table, with its all-reduces; raises InputError as both do."""
    return Latency(with_all_reduce(load_table(folder, model.latency), model.all_reduce))
