"""The serving system with paged memory: requests and cached prefixes share a worker's blocks.

It differs from the plain one in the way from prefill to decode. The decode worker is chosen when
the prompt is computed; it reserves room for the prompt between two of its steps, then the KV is
transferred, and the request joins the batch after that. Until then the prompt holds its blocks on
the prefill worker.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from anarchy.serving import feasibility
from anarchy.serving.event_order import SETTLE_ARRIVALS, TRANSFER_END, on_grid, step_end
from anarchy.serving.reference.core.block_pool import BlockNames, BlockPool
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.core.same_instant import (
    Instant,
)
from anarchy.serving.reference.kv_cache.prefix_index import PrefixIndex
from anarchy.serving.reference.kv_cache.stale_view import LaggedIndex
from anarchy.serving.reference.paged.decode import PagedDecodeWorker
from anarchy.serving.reference.paged.prefill import PagedPrefillWorker
from anarchy.serving.reference.plain.system import System

# Imported from here by the compiled simulator until it takes it from `feasibility`.
blocks_of_memory = feasibility.blocks_of_memory

PREFILL, DECODE = 0, 1
"""The pools, in the order in which their workers begin steps."""


class PagedSystem(System):
    """One run of a scenario with `engine.memory.paged`."""

    _first_tokens: ClassVar = System._first_tokens | {"handoff": "first_token"}

    def _make_workers(self) -> None:
        scenario = self._scenario
        engine, topology = scenario.engine, scenario.topology
        self._blocks = blocks_of_memory(scenario, self._workload.demand)
        self._block_tokens = engine.cache.block_tokens
        self._names = BlockNames(self._workload.demand.block_tokens, self._block_tokens)
        self._instant = Instant(self.clock)
        self._transferred = (self._transfer_ended,)
        routed = engine.cache.enabled and scenario.router.policy != "round-robin"
        seen_by_decode = routed and scenario.router.decode_overlap
        self._prefill_index = self._index(topology.prefill) if routed else None
        self._decode_index = self._index(topology.decode) if seen_by_decode else None
        self._prefill = [self._prefill_worker(i) for i in range(topology.prefill)]
        self._decode = [self._decode_worker(i) for i in range(topology.decode)]
        self._instant.add_pool(self._prefill)
        self._instant.add_pool(self._decode)

    def _prefill_worker(self, index: int) -> Any:
        engine = self._scenario.engine
        pool, step_ended = _watched(self._blocks, index, self._prefill_index)
        return PagedPrefillWorker(
            index,
            self.clock,
            engine.prefill,
            engine.memory,
            self._services.prefill[index],
            pool,
            self._block_tokens,
            engine.cache.enabled,
            partial(self._instant.ready, PREFILL, index),
            partial(self._instant.later, self._prefilled),
            step_ended,
            step_end(PREFILL, index),
        )

    def _decode_worker(self, index: int) -> PagedDecodeWorker:
        pool, step_ended = _watched(self._blocks, index, self._decode_index)
        return PagedDecodeWorker(
            self.clock,
            self._scenario.engine,
            self._services.decode[index],
            pool,
            self._names,
            self._block_tokens,
            self._done,
            partial(self._instant.ready, DECODE, index),
            partial(self._instant.later, self._transfer),
            partial(self._instant.later, self._release),
            step_ended,
            step_end(DECODE, index),
        )

    def _index(self, workers: int) -> PrefixIndex:
        """What routers know of a pool's caches."""
        lag = self._scenario.router.tracking.cache_lag
        return LaggedIndex(workers, self.clock, lag) if lag else PrefixIndex(workers)

    def _arrive(self, request: Request) -> None:
        self._instant.later(self._place, request, SETTLE_ARRIVALS)

    def _place(self, request: Request) -> None:
        request.blocks = self._names.names(request.blocks, request.input_tokens)
        request.footprint = -(-request.input_tokens // self._block_tokens)
        self._route_prefill(request)

    def _prefilled(self, request: Request) -> None:
        if not self._one_prefill:
            self._prefill_state.ended(request, request.prefill_worker)
        self._route_decode(request)

    def _send_to_decode(self, request: Request, worker: int) -> None:
        self._decode[worker].reserve(request)

    def _transfer(self, request: Request) -> None:
        delay = self._handoff_time(request.input_tokens)
        if delay > 0:
            self._travel(request, on_grid(self.clock.now + delay))
        else:
            self._activate(request)

    def _travel(self, request: Request, end: float) -> None:
        request.callbacks = self._transferred
        self.clock.at(end, request, TRANSFER_END)

    def _transfer_ended(self, request: Request) -> None:
        self._instant.later(self._activate, request)

    def _activate(self, request: Request) -> None:
        self._decode[request.decode_worker].activate(request)

    def _release(self, request: Request) -> None:
        if self._scenario.engine.first_token == "handoff":
            request.first_token = self.clock.now
        self._prefill[request.prefill_worker].release(request)


def _watched(
    blocks: int, worker: int, index: PrefixIndex | None
) -> tuple[BlockPool, Callable[[], None]]:
    """A worker's pool and what to call at the end of its steps: then the router hears of it."""
    if index is None:
        return BlockPool(blocks), _nothing
    news: list[tuple[Callable[[int, int], None], int]] = []

    def tell() -> None:
        for change, name in news:
            change(worker, name)
        news.clear()

    pool = BlockPool(
        blocks,
        lambda name: news.append((index.store, name)),
        lambda name: news.append((index.remove, name)),
    )
    return pool, tell


def _nothing() -> None:
    pass
