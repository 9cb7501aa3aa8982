"""What the requests of a workload ask and when they come, many requests at a time.

The same streams give the same draws in the same order as one request at a time does, so the n-th
request of a workload is the n-th ask here.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, ClassVar

import numpy as np

from anarchy.config.workload import Prompts, Synthetic
from anarchy.serving.compiled.core.records import Ask
from anarchy.serving.compiled.core.tables import Floats, Ints, Table, raw, zeros
from anarchy.workload.demand import lengths_of
from anarchy.workload.random_streams import Generators, split_streams
from anarchy.workload.traces import TraceData


class AskSource(ABC):
    """The asks of one run."""

    blocks: Ints  # the shared blocks of all templates or rows, numbered densely from 0
    names: Ints  # what each of the numbers is called in the workload
    block_tokens: int

    @abstractmethod
    def next(self, count: int) -> Table[Ask]:
        """The next asks; fewer than `count` where a trace ends."""


class _Tenant:
    """The prompts of one tenant."""

    def __init__(
        self, prompts: Prompts, first_block: int, block_tokens: int, generators: Generators
    ) -> None:
        self._first = first_block
        self._tokens = block_tokens
        self._prompts = prompts
        self._whole = prompts.input_tokens // block_tokens
        self.blocks = self._whole * prompts.templates
        self._choices = generators["prompts"]
        self._inputs = lengths_of(prompts.input_lengths, "input")
        self._outputs = lengths_of(prompts.output_lengths, "output")
        self._input_draws = generators["input-lengths"]
        self._output_draws = generators["output-lengths"]

    def next(self, count: int) -> Table[Ask]:
        """The tenant's next asks; `first_own` is left open."""
        prompts, asks = self._prompts, zeros(Ask, count)
        template = self._choices.integers(0, prompts.templates, count)
        tokens: Any = prompts.input_tokens
        if self._inputs is not None:
            tokens = self._inputs.sample(self._input_draws, count)
        asks["output_tokens"] = prompts.output_tokens
        if self._outputs is not None:
            asks["output_tokens"] = self._outputs.sample(self._output_draws, count)
        whole = tokens // self._tokens
        asks["prompt"] = template
        asks["input_tokens"] = tokens
        asks["prompt_blocks"] = -(-tokens // self._tokens)
        asks["first_shared"] = self._first + template * self._whole
        asks["shared_blocks"] = asks["ids"] = np.minimum(whole, self._whole)
        asks["own_blocks"] = np.maximum(0, whole - self._whole)
        return asks


class SyntheticAsks(AskSource):
    """The prompts of all tenants of a synthetic workload."""

    def __init__(self, workload: Synthetic, block_tokens: int, generators: Generators) -> None:
        parts: list[Prompts] = [*workload.tenants] or [workload]
        self.block_tokens = block_tokens
        self._tenants: list[_Tenant] = []
        blocks = 0
        for part, streams in zip(parts, split_streams(generators, len(parts)), strict=True):
            self._tenants.append(_Tenant(part, blocks, block_tokens, streams))
            blocks += self._tenants[-1].blocks
        self._next_own = blocks
        self.blocks = self.names = np.arange(blocks, dtype=np.int64)
        shares = np.array([tenant.share for tenant in workload.tenants] or [1.0])
        self._limits = np.cumsum(shares) / shares.sum()
        self._picks = generators["tenants"]

    def next(self, count: int) -> Table[Ask]:
        if len(self._tenants) == 1:
            asks = self._tenants[0].next(count)
        else:
            picks = self._picks.random(count)
            numbers = np.searchsorted(self._limits, picks, side="right")
            numbers = np.minimum(numbers, len(self._tenants) - 1)
            asks = zeros(Ask, count)
            for number, tenant in enumerate(self._tenants):
                theirs = numbers == number
                raw(asks)[theirs] = raw(tenant.next(int(theirs.sum())))
            asks["tenant"] = numbers
        ends = self._next_own + np.cumsum(asks["own_blocks"])
        asks["first_own"] = ends - asks["own_blocks"]
        self._next_own = int(ends[-1]) if count else self._next_own
        return asks


class _Numbered:
    """The blocks of a trace's first rows, numbered in order of appearance: neighbours of a prompt
    lie side by side. Kept for the next run on the trace: it takes half as long as a run."""

    _latest: ClassVar["_Numbered | None"] = None

    def __init__(self, trace: TraceData, rows: int) -> None:
        self._of = trace.blocks, rows
        ids = trace.blocks[:rows]
        self.counts = np.fromiter(map(len, ids), np.int64, rows)
        flat = np.fromiter(chain.from_iterable(ids), np.int64)
        names, first, places = np.unique(flat, return_index=True, return_inverse=True)
        order = np.argsort(first)
        self.names, self.blocks = names[order], np.argsort(order)[places]

    @staticmethod
    def of(trace: TraceData, rows: int) -> "_Numbered":
        latest = _Numbered._latest
        if latest is None or latest._of[0] is not trace.blocks or latest._of[1] != rows:
            latest = _Numbered._latest = _Numbered(trace, rows)
        return latest


class TraceAsks(AskSource):
    """The rows of a trace."""

    def __init__(
        self, trace: TraceData, rows: int, block_tokens: int, engine_tokens: int | None
    ) -> None:
        """Blocks are those of the trace, `block_tokens` long, the last of a prompt perhaps partial;
        or cut into `engine_tokens`, and then whole ones only."""
        numbered = _Numbered.of(trace, rows)
        self.block_tokens = engine_tokens or block_tokens
        self._parts, self._whole = block_tokens // self.block_tokens, engine_tokens is not None
        self._row = 0
        self._rows = rows
        self._inputs = trace.input_tokens[:rows]
        self._outputs = trace.output_tokens[:rows]
        self._ids, self._ends = numbered.counts, np.cumsum(numbered.counts)
        self.blocks = _cut(numbered.blocks, self._parts)
        self.names = _cut(numbered.names, self._parts)

    def next(self, count: int) -> Table[Ask]:
        rows = slice(self._row, min(self._rows, self._row + count))
        asks = zeros(Ask, rows.stop - rows.start)
        asks["prompt"] = np.arange(rows.start, rows.stop)
        asks["input_tokens"] = self._inputs[rows]
        asks["output_tokens"] = self._outputs[rows]
        asks["prompt_blocks"] = -(-asks["input_tokens"] // self.block_tokens)
        asks["ids"] = ids = self._ids[rows]
        asks["first_shared"] = self._parts * (self._ends[rows] - ids)
        asks["shared_blocks"] = self._parts * ids
        if self._whole:
            whole = asks["input_tokens"] // self.block_tokens
            asks["shared_blocks"] = np.minimum(asks["shared_blocks"], whole)
            asks["own_blocks"] = whole - asks["shared_blocks"]
        self._row = rows.stop
        return asks


def _cut(blocks: Ints, parts: int) -> Ints:
    """Numbers of the parts into which blocks are cut."""
    return blocks if parts == 1 else (parts * blocks[:, None] + np.arange(parts)).ravel()


def take(times: Iterator[float], count: int) -> Floats:
    """The next times of a process; infinite ones where it has ended."""
    found = np.fromiter(islice(times, count), np.float64)
    return np.append(found, np.full(count - len(found), math.inf))
