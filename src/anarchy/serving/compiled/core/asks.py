"""What the requests of a workload ask and when they come, many requests at a time.

The same streams give the same draws in the same order as one request at a time does, so the n-th
request of a workload is the n-th ask here.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import numpy as np

from anarchy.config.workload import Prompts, Synthetic
from anarchy.serving.compiled.core.records import Ask
from anarchy.serving.compiled.core.tables import Floats, Ints, Table, dtype_of, raw
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


def no_asks(count: int) -> Table[Ask]:
    """So many asks of nothing."""
    asks: Table[Ask] = np.zeros(count, dtype_of(Ask)).view(np.recarray)
    return asks


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
        prompts, asks = self._prompts, no_asks(count)
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
        asks["shared_blocks"] = np.minimum(whole, self._whole)
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
            asks = no_asks(count)
            for number, tenant in enumerate(self._tenants):
                theirs = numbers == number
                raw(asks)[theirs] = raw(tenant.next(int(theirs.sum())))
            asks["tenant"] = numbers
        ends = self._next_own + np.cumsum(asks["own_blocks"])
        asks["first_own"] = ends - asks["own_blocks"]
        self._next_own = int(ends[-1]) if count else self._next_own
        return asks


class TraceAsks(AskSource):
    """The rows of a trace."""

    def __init__(self, trace: TraceData, rows: int, block_tokens: int) -> None:
        self.block_tokens = block_tokens
        self._row = 0
        self._rows = rows
        self._inputs = trace.input_tokens[:rows]
        self._outputs = trace.output_tokens[:rows]
        ids = trace.blocks[:rows]
        self._counts = np.fromiter(map(len, ids), np.int64, rows)
        self._starts = np.cumsum(self._counts) - self._counts
        flat = np.fromiter(chain.from_iterable(ids), np.int64)
        names, blocks = np.unique(flat, return_inverse=True)
        self.blocks, self.names = blocks.astype(np.int64), names

    def next(self, count: int) -> Table[Ask]:
        rows = slice(self._row, min(self._rows, self._row + count))
        asks = no_asks(rows.stop - rows.start)
        asks["prompt"] = np.arange(rows.start, rows.stop)
        asks["input_tokens"] = self._inputs[rows]
        asks["output_tokens"] = self._outputs[rows]
        asks["prompt_blocks"] = -(-asks["input_tokens"] // self.block_tokens)
        asks["first_shared"] = self._starts[rows]
        asks["shared_blocks"] = self._counts[rows]
        self._row = rows.stop
        return asks


def take(times: Iterator[float], count: int) -> Floats:
    """The next times of a process; infinite ones where it has ended."""
    found = np.fromiter(islice(times, count), np.float64)
    return np.append(found, np.full(count - len(found), math.inf))
