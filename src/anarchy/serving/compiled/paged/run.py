"""A run of a system with paged memory: its asks, its state, and what runs short.

What the name of a block is makes no difference to most policies, so here names are numbers that
stand side by side. Those who look at them are told the reference's, in order of arrival.
"""

from typing import ClassVar

import numpy as np

from anarchy.config.workload import Synthetic
from anarchy.serving.compiled.core.asks import AskSource, SyntheticAsks, TraceAsks
from anarchy.serving.compiled.core.compile import allocating
from anarchy.serving.compiled.core.records import DRAINED, Ask, PrefixCaches, State
from anarchy.serving.compiled.core.tables import Ints, Table
from anarchy.serving.compiled.kv_cache.prefix_cache import make_caches
from anarchy.serving.compiled.paged.records import GROW_CHANGES, GROW_LISTS, THRASHES, UNNUMBERED
from anarchy.serving.compiled.paged.state import (
    make_paged_state,
    with_longer_ring,
    with_more_changes,
    with_more_lists,
)
from anarchy.serving.compiled.paged.system import advance_paged
from anarchy.serving.compiled.plain.run import CompiledSystem
from anarchy.serving.log.sinks import Sink
from anarchy.serving.rules.feasibility import all_wait, blocks_of_memory, thrashing
from anarchy.workload.random_streams import Generators
from anarchy.workload.traces import TraceData


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


class PagedSyntheticAsks(SyntheticAsks):
    """The prompts of a synthetic workload."""

    def __init__(self, workload: Synthetic, block_tokens: int, generators: Generators) -> None:
        super().__init__(workload, block_tokens, generators)
        self.names = np.full(len(self.blocks), UNNUMBERED)

    def next(self, count: int) -> Table[Ask]:
        asks = super().next(count)
        asks["ids"] = asks["shared_blocks"]
        return asks


class PagedTraceAsks(TraceAsks):
    """The rows of a trace, in engine blocks."""

    def __init__(self, trace: TraceData, rows: int, source_tokens: int, block_tokens: int) -> None:
        """`block_tokens` must divide the `source_tokens` of the trace's blocks."""
        super().__init__(trace, rows, block_tokens)
        parts = source_tokens // block_tokens
        self.blocks, names = chain_names(self.blocks, self._counts, len(self.names), parts)
        self.names = np.full(names, UNNUMBERED)
        self._ids = self._counts
        self._starts, self._counts = parts * self._starts, parts * self._counts

    def next(self, count: int) -> Table[Ask]:
        first = self._row
        asks = super().next(count)
        whole = asks["input_tokens"] // self.block_tokens
        asks["shared_blocks"] = np.minimum(asks["shared_blocks"], whole)
        asks["own_blocks"] = whole - asks["shared_blocks"]
        asks["ids"] = self._ids[first : self._row]
        return asks


class CompiledPagedSystem(CompiledSystem):
    """One run of a scenario with `engine.memory.paged` that the kernel covers."""

    _first_tokens: ClassVar = {
        "prefill": "prefill_end",
        "handoff": "first_token",
        "decode-step": "first_token",
    }

    def _make_asks(self, trace: TraceData | None) -> AskSource:
        self._blocks = blocks_of_memory(self._scenario, self._demand)
        workload, size = self._scenario.workload, self._scenario.engine.cache.block_tokens
        if isinstance(workload, Synthetic):
            return PagedSyntheticAsks(workload, size, self._generators)
        assert trace is not None  # the workload has refused it otherwise
        rows, source = self._demand.extent.measured, self._demand.block_tokens
        return PagedTraceAsks(trace, rows, source, size)

    def _make_state(self) -> State:
        state = super()._make_state()
        parts = self._demand.block_tokens // self._asks.block_tokens
        self._paged = make_paged_state(
            self._memory, state, self._scenario, parts, self._blocks, self._demand.largest
        )
        return state

    def _advance(self) -> int:
        self._paged = self._paged._replace(plain=self._state)
        short = advance_paged(self._paged)
        return THRASHES if self._paged.progress.thrashes else short

    def _caches(self, prefill: bool) -> tuple[PrefixCaches, PrefixCaches, bool]:
        """What the router knows of the blocks in a pool, which are the workers' own."""
        scenario = self._scenario
        used = scenario.engine.cache.enabled and scenario.router.policy != "round-robin"
        used = used and (prefill or scenario.router.decode_overlap)
        workers = scenario.topology.prefill if prefill else scenario.topology.decode
        names = len(self._asks.names) if used else 0
        index = make_caches(self._memory, workers, names, 0, 0, runs=0)
        return index, index, used

    def _supply_more(self, short: int, sink: Sink) -> None:
        if short == GROW_LISTS:
            self._paged = with_more_lists(self._paged)
        elif short == GROW_CHANGES:
            self._paged = with_more_changes(self._paged)
        elif short == THRASHES:
            raise thrashing()
        elif short == DRAINED:
            raise all_wait(*self.progress)
        else:
            super()._supply_more(short, sink)

    def _grow_requests(self, sink: Sink) -> None:
        super()._grow_requests(sink)
        state = self._state
        if len(state.requests) > len(self._paged.sequences):
            first, end = int(state.progress.first_request), int(state.progress.arrived)
            self._paged = with_longer_ring(self._paged, first, end, len(state.requests))
