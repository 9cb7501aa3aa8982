"""A run of a system with paged memory on the compiled kernel."""

from typing import ClassVar

import numpy as np

from anarchy.config.workload import Synthetic
from anarchy.serving.compiled.core import records
from anarchy.serving.compiled.core.arena import Arena
from anarchy.serving.compiled.core.requests import Supply
from anarchy.serving.compiled.paged.names import PagedSyntheticSupply, PagedTraceSupply
from anarchy.serving.compiled.paged.prefix_index import more_late_changes
from anarchy.serving.compiled.paged.records import LATE_ROOM, LINK, LINKS
from anarchy.serving.compiled.paged.state import lay_paged, lay_ring, more_lists, paged_entries
from anarchy.serving.compiled.paged.system import advance_paged
from anarchy.serving.compiled.plain.run import CompiledSystem, in_ring
from anarchy.serving.log.sinks import Sink
from anarchy.serving.reference.paged.system import blocks_of_memory
from anarchy.serving.reference.plain.system import all_wait
from anarchy.workload.traces import TraceData


class CompiledPagedSystem(CompiledSystem):
    """One run of a scenario with `engine.memory.paged` that the kernel covers."""

    _loop = staticmethod(advance_paged)
    _first_tokens: ClassVar = {
        "prefill": records.PREFILL_END,
        "handoff": records.FIRST_TOKEN,
        "decode-step": records.FIRST_TOKEN,
    }

    def _lay_state(self, more: int = 0) -> Arena:
        supply = self._supply
        more += paged_entries(self._scenario, len(supply.value), self._blocks)
        arena = super()._lay_state(more + len(supply.dense))
        parts = self._workload.block_tokens // supply.block_tokens
        largest = self._workload.largest
        lay_paged(arena, self._scenario, len(supply.value), parts, self._blocks, largest)
        return arena

    def _make_supply(self, trace: TraceData | None) -> Supply:
        self._blocks = blocks_of_memory(self._scenario, self._workload)
        workload, size = self._scenario.workload, self._scenario.engine.cache.block_tokens
        if isinstance(workload, Synthetic):
            return PagedSyntheticSupply(workload, size, self._generators)
        assert trace is not None  # the workload has refused it otherwise
        rows, source = self._workload.extent.measured, self._workload.block_tokens
        return PagedTraceSupply(trace, rows, source, size)

    def _supply_more(self, short: int, sink: Sink) -> None:
        if short == records.MORE_LISTS:
            more_lists(self._arena)
        elif short == records.MORE_CHANGES:
            ints = self._arena.ints
            for leg in (int(ints[records.TO_PREFILL]), int(ints[records.TO_DECODE])):
                index = int(ints[leg + records.SEEN])
                if ints[index + LATE_ROOM]:
                    workers = int(ints[leg + records.WORKERS])
                    more_late_changes(self._arena, index, 6 * workers * self._blocks)
        elif short == records.DRAINED:
            raise all_wait(*self.progress)
        else:
            super()._supply_more(short, sink)

    def _make_room(self, sink: Sink) -> None:
        arena = self._arena
        before = int(arena.ints[records.ROW_MASK]) + 1
        super()._make_room(sink)
        size = int(arena.ints[records.ROW_MASK]) + 1
        if size > before:
            links = arena.view(int(arena.ints[records.PAGED]) + LINKS, before, LINK)
            numbers = np.arange(arena.ints[records.FIRST_ROW], arena.ints[records.ARRIVED])
            lay_ring(arena, in_ring(links, numbers, size))
