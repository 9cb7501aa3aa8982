"""A run of a system with paged memory: its asks, its state, and what runs short.

What the name of a block is makes no difference to most policies, so here names are numbers that
stand side by side. Those who look at them are told the reference's, in order of arrival.
"""

from typing import ClassVar

import numpy as np

from anarchy.serving.compiled.core.asks import AskSource
from anarchy.serving.compiled.core.records import DRAINED, PrefixCaches, State
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
from anarchy.workload.traces import TraceData


class CompiledPagedSystem(CompiledSystem):
    """One run of a scenario with `engine.memory.paged` that the kernel covers."""

    _first_tokens: ClassVar = {
        "prefill": "prefill_end",
        "handoff": "first_token",
        "decode-step": "first_token",
    }

    def _make_asks(self, trace: TraceData | None, engine_tokens: int | None = None) -> AskSource:
        self._blocks = blocks_of_memory(self._scenario, self._demand)
        asks = super()._make_asks(trace, self._scenario.engine.cache.block_tokens)
        asks.names = np.full(len(asks.names), UNNUMBERED)
        return asks

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
