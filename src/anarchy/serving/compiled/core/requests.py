"""What the workloads of `serving.workload` ask and when, many requests at a time.

The same streams give the same draws in the same order, so the n-th request that a workload makes
is the n-th card here.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import chain, islice

import numpy as np

from anarchy.config.workload import LengthLaw, Prompts, Synthetic
from anarchy.serving.compiled.core.records import (
    CARD,
    FOOTPRINT,
    FRESH,
    FRESH_NAME,
    INPUT,
    OUTPUT,
    PROMPT,
    SHARED,
    START,
    TENANT,
    Floats,
    Ints,
)
from anarchy.serving.reference.core.prompts import split_streams
from anarchy.workload.lengths import Lengths, make_lengths
from anarchy.workload.traces import TraceData

Generators = dict[str, np.random.Generator]


class Supply(ABC):
    """The requests of one run."""

    dense: Ints  # the shared blocks of all templates or rows, numbered densely from 0
    value: Ints  # what each of the numbers is called in the reference
    block_tokens: int

    @abstractmethod
    def cards(self, count: int) -> Ints:
        """The next requests, `count` at most: n x CARD."""


class _Part:
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
        self._inputs = _law(prompts.input_lengths, "input")
        self._outputs = _law(prompts.output_lengths, "output")
        self._input_draws = generators["input-lengths"]
        self._output_draws = generators["output-lengths"]

    def cards(self, count: int) -> Ints:
        """The tenant's next requests; FRESH_NAME is left open."""
        prompts, cards = self._prompts, np.zeros((count, CARD), np.int64)
        cards[:, PROMPT] = self._choices.integers(0, prompts.templates, count)
        cards[:, INPUT] = prompts.input_tokens
        if self._inputs is not None:
            cards[:, INPUT] = self._inputs.sample(self._input_draws, count)
        cards[:, OUTPUT] = prompts.output_tokens
        if self._outputs is not None:
            cards[:, OUTPUT] = self._outputs.sample(self._output_draws, count)
        whole = cards[:, INPUT] // self._tokens
        cards[:, FOOTPRINT] = -(-cards[:, INPUT] // self._tokens)
        cards[:, START] = self._first + cards[:, PROMPT] * self._whole
        cards[:, SHARED] = np.minimum(whole, self._whole)
        cards[:, FRESH] = np.maximum(0, whole - self._whole)
        return cards


class SyntheticSupply(Supply):
    """The prompts of all tenants of a synthetic workload."""

    def __init__(self, workload: Synthetic, block_tokens: int, generators: Generators) -> None:
        parts: list[Prompts] = [*workload.tenants] or [workload]
        self.block_tokens = block_tokens
        self._parts: list[_Part] = []
        blocks = 0
        for part, streams in zip(parts, split_streams(generators, len(parts)), strict=True):
            self._parts.append(_Part(part, blocks, block_tokens, streams))
            blocks += self._parts[-1].blocks
        self._next_fresh = blocks
        everything = np.arange(blocks, dtype=np.int64)
        self.dense = self.value = everything
        shares = np.array([tenant.share for tenant in workload.tenants] or [1.0])
        self._limits = np.cumsum(shares) / shares.sum()
        self._picks = generators["tenants"]

    def cards(self, count: int) -> Ints:
        if len(self._parts) == 1:
            cards = self._parts[0].cards(count)
        else:
            picks = self._picks.random(count)
            tenants = np.searchsorted(self._limits, picks, side="right")
            tenants = np.minimum(tenants, len(self._parts) - 1)
            cards = np.empty((count, CARD), np.int64)
            for tenant, part in enumerate(self._parts):
                theirs = tenants == tenant
                cards[theirs] = part.cards(int(theirs.sum()))
            cards[:, TENANT] = tenants
        fresh = np.cumsum(cards[:, FRESH])
        cards[:, FRESH_NAME] = self._next_fresh + fresh - cards[:, FRESH]
        self._next_fresh += int(fresh[-1]) if count else 0
        return cards


class TraceSupply(Supply):
    """The rows of a trace."""

    def __init__(self, trace: TraceData, rows: int, block_tokens: int) -> None:
        self.block_tokens = block_tokens
        self._row = 0
        self._rows = rows
        self._inputs = trace.input_tokens[:rows]
        self._outputs = trace.output_tokens[:rows]
        blocks = trace.blocks[:rows]
        self._counts = np.fromiter(map(len, blocks), np.int64, rows)
        self._starts = np.cumsum(self._counts) - self._counts
        flat = np.fromiter(chain.from_iterable(blocks), np.int64)
        value, dense = np.unique(flat, return_inverse=True)
        self.dense, self.value = dense.astype(np.int64), value

    def cards(self, count: int) -> Ints:
        rows = slice(self._row, min(self._rows, self._row + count))
        cards = np.zeros((rows.stop - rows.start, CARD), np.int64)
        cards[:, PROMPT] = np.arange(rows.start, rows.stop)
        cards[:, INPUT] = self._inputs[rows]
        cards[:, OUTPUT] = self._outputs[rows]
        cards[:, FOOTPRINT] = -(-cards[:, INPUT] // self.block_tokens)
        cards[:, START] = self._starts[rows]
        cards[:, SHARED] = self._counts[rows]
        self._row = rows.stop
        return cards


def take(times: Iterator[float], count: int) -> Floats:
    """The next times of a process; infinite ones where it has ended."""
    found = np.fromiter(islice(times, count), np.float64)
    return np.append(found, np.full(count - len(found), math.inf))


def _law(law: LengthLaw | None, source: str) -> Lengths | None:
    if law is None:
        return None
    return make_lengths(law.kind, law.model_dump(exclude={"kind"}), f"workload.{source}_lengths")
