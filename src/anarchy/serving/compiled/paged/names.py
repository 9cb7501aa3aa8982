"""The names of the prompts' blocks, for all of a trace before it runs: see `BlockNames`.

What a name is called makes no difference to most policies, so here names are numbers that stand
side by side. Those who look at them are told the reference's (VALUE), in order of arrival.
"""

import numpy as np

from anarchy.config.workload import Synthetic
from anarchy.serving.compiled.core.compile import allocating
from anarchy.serving.compiled.core.records import FRESH, FRESH_NAME, INPUT, SHARED, Ints
from anarchy.serving.compiled.core.requests import Generators, SyntheticSupply, TraceSupply
from anarchy.workload.traces import TraceData

UNNUMBERED = -1
"""What the reference calls a name that no prompt has had yet."""


@allocating
def chain_names(ids: Ints, counts: Ints, kinds: int, parts: int) -> tuple[Ints, int]:
    """Names for the blocks of prompts that follow each other in `ids`, and how many there are.

    Each of the `kinds` ids is cut into `parts` blocks; the same ids in the same order are the same
    prefix. Among the prefixes that end with an id, one is known by the prefix before it.
    """
    first = np.full(kinds, -1)
    before, other = np.empty(len(ids), np.int64), np.empty(len(ids), np.int64)
    names = np.empty(len(ids) * parts, np.int64)
    chains, place = 0, 0
    for count in counts:
        chain = -1
        for _ in range(count):
            last = ids[place]
            known = first[last]
            while known >= 0 and before[known] != chain:
                known = other[known]
            if known < 0:
                known = chains
                chains += 1
                before[known], other[known], first[last] = chain, first[last], known
            chain = known
            for part in range(parts):
                names[place * parts + part] = chain * parts + part
            place += 1
    return names, chains * parts


class PagedSyntheticSupply(SyntheticSupply):
    """The prompts of a synthetic workload; FRESH_NAME of a card is how many ids it has."""

    def __init__(self, workload: Synthetic, block_tokens: int, generators: Generators) -> None:
        super().__init__(workload, block_tokens, generators)
        self.value = np.full(len(self.dense), UNNUMBERED)

    def cards(self, count: int) -> Ints:
        cards = super().cards(count)
        cards[:, FRESH_NAME] = cards[:, SHARED]
        return cards


class PagedTraceSupply(TraceSupply):
    """The rows of a trace in engine blocks; FRESH_NAME of a card is how many ids it has."""

    def __init__(self, trace: TraceData, rows: int, source_tokens: int, block_tokens: int) -> None:
        """`block_tokens` must divide the `source_tokens` of the trace's blocks."""
        super().__init__(trace, rows, block_tokens)
        parts = source_tokens // block_tokens
        self.dense, names = chain_names(self.dense, self._counts, len(self.value), parts)
        self.value = np.full(names, UNNUMBERED)
        self._ids = self._counts
        self._starts, self._counts = parts * self._starts, parts * self._counts

    def cards(self, count: int) -> Ints:
        first = self._row
        cards = super().cards(count)
        whole = cards[:, INPUT] // self.block_tokens
        cards[:, SHARED] = np.minimum(cards[:, SHARED], whole)
        cards[:, FRESH] = whole - cards[:, SHARED]
        cards[:, FRESH_NAME] = self._ids[first : self._row]
        return cards
