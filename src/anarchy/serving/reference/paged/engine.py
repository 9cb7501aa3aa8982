"""The engine with paged memory: requests and cached prefixes share a worker's blocks.

It differs from the plain one in the way from prefill to decode. The decode worker is chosen when
the prompt is computed; it reserves room for the prompt between two of its steps, then the KV is
transferred, and the request joins the batch after that. Until then the prompt holds its blocks on
the prefill worker.

So either worker may fail under a request, which then begins anew: its transfer is given up, and
the other worker has its blocks back at once. With a failed worker all its blocks go, those that
were cached included; what a preempted request had made goes with them. Failures and decisions of
a planner come last of all that happens at one instant, so that no action is under way for a
request that they touch.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from anarchy.config.scenario import Scenario
from anarchy.serving.reference.core.block_pool import BlockNames, BlockPool
from anarchy.serving.reference.core.event_queue import EventQueue, Timer
from anarchy.serving.reference.core.request import NOWHERE, PoolName, Request
from anarchy.serving.reference.core.same_instant import SameInstant
from anarchy.serving.reference.kv_cache.prefix_index import PrefixIndex
from anarchy.serving.reference.kv_cache.stale_view import StaleView
from anarchy.serving.reference.paged.decode import PagedDecodeWorker
from anarchy.serving.reference.paged.prefill import PagedPrefillWorker
from anarchy.serving.reference.plain.engine import Engine, Lifecycle
from anarchy.serving.rules.event_order import SETTLE_ARRIVALS, TRANSFER_END, on_grid, step_end
from anarchy.serving.rules.feasibility import blocks_of_memory
from anarchy.serving.service_times.unloaded import handoff_seconds
from anarchy.serving.service_times.worker_speeds import Services
from anarchy.workload.demand import Demand

PREFILL, DECODE = 0, 1
"""The pools, in the order in which their workers begin steps."""


class PagedEngine(Engine):
    """Workers that keep running requests and cached prefixes in blocks of one memory."""

    first_token_times: ClassVar = {
        "prefill": "prefill_end",
        "handoff": "first_token",
        "decode-step": "first_token",
    }
    timer_priority = SETTLE_ARRIVALS + 1

    def __init__(
        self,
        events: EventQueue,
        scenario: Scenario,
        services: Services,
        demand: Demand,
        lifecycle: Lifecycle,
    ) -> None:
        engine, topology = scenario.engine, scenario.topology
        super().__init__(events, scenario, services, engine.cache.block_tokens, lifecycle)
        self._blocks = blocks_of_memory(scenario, demand)
        self._names = BlockNames(demand.block_tokens, self.block_tokens)
        self._same_instant = SameInstant(events)
        self._transfers: dict[Request, Timer] = {}  # KV on its way, and when it arrives
        routed = engine.cache.enabled and scenario.router.policy != "round-robin"
        both = routed and scenario.router.decode_overlap
        self.seen: dict[PoolName, PrefixIndex | StaleView | None] = {
            "prefill": self._index(topology.prefill) if routed else None,
            "decode": self._index(topology.decode) if both else None,
        }
        self.workers = {
            "prefill": [self._worker("prefill", place) for place in range(topology.prefill)],
            "decode": [self._worker("decode", place) for place in range(topology.decode)],
        }
        for workers in self.workers.values():
            self._same_instant.add_pool(workers)

    def _index(self, workers: int) -> PrefixIndex | StaleView:
        """What routers know of a pool's caches."""
        lag = self._scenario.router.tracking.cache_lag
        if not lag:
            return PrefixIndex(workers)
        return StaleView(lambda _: PrefixIndex(workers), self._events, lag)

    def _worker(self, pool: PoolName, place: int) -> Any:
        engine, defer = self._scenario.engine, self._same_instant.defer
        memory, step_ended = _watched(self._blocks, place, self.seen[pool])
        if pool == "prefill":
            return PagedPrefillWorker(
                place,
                self._events,
                engine.prefill,
                engine.memory,
                self._services.prefill[place],
                memory,
                self.block_tokens,
                engine.cache.enabled,
                partial(self._same_instant.ready, PREFILL, place),
                partial(defer, self._prefilled),
                step_ended,
                step_end(PREFILL, place),
            )
        return PagedDecodeWorker(
            self._events,
            engine,
            self._services.decode[place],
            memory,
            self._names,
            self.block_tokens,
            self._lifecycle.done,
            partial(self._same_instant.ready, DECODE, place),
            partial(defer, self._transfer),
            partial(defer, self._release),
            step_ended,
            step_end(DECODE, place),
        )

    def arrive(self, request: Request) -> None:
        self._same_instant.defer(self._name_blocks, request, SETTLE_ARRIVALS)

    def _name_blocks(self, request: Request) -> None:
        if request.restarts:  # further names are of output, which is lost
            request.blocks = request.blocks[: request.input_tokens // self.block_tokens]
        else:
            request.blocks = self._names.names(request.blocks, request.input_tokens)
            request.prompt_blocks = -(-request.input_tokens // self.block_tokens)
        self._lifecycle.route_prefill(request)

    def _prefilled(self, request: Request) -> None:
        self._lifecycle.prefilled(request)
        self._lifecycle.route_decode(request)

    def submit_decode(self, request: Request, worker: int) -> None:
        self.workers["decode"][worker].reserve(request)

    def _transfer(self, request: Request) -> None:
        """Room is reserved: the prompt's KV sets out."""
        delay = handoff_seconds(self._scenario, request.input_tokens)
        if delay > 0:
            end = on_grid(self._events.now + delay)
            action = partial(self._transfer_ended, request)
            self._transfers[request] = Timer(self._events, end, action, TRANSFER_END)
        else:
            self._activate(request)

    def _transfer_ended(self, request: Request) -> None:
        del self._transfers[request]
        self._same_instant.defer(self._activate, request)

    def _activate(self, request: Request) -> None:
        self.workers["decode"][request.decode_worker].activate(request)

    def _release(self, request: Request) -> None:
        """Decode has taken the request over."""
        if self._scenario.engine.first_token == "handoff":
            request.first_token = self._events.now
        self.workers["prefill"][request.prefill_worker].release(request)
        self._lifecycle.left_prefill(request)

    def lose_prefilled(self, place: int, requests: Sequence[Request]) -> None:
        abandoned: dict[int, list[Request]] = defaultdict(list)  # by decode worker
        for request in requests:
            if request.decode_worker == NOWHERE:
                continue
            self._give_up_transfer(request)
            abandoned[request.decode_worker].append(request)
        # All at once, because a worker gives the room of one to the next that waits for it.
        for worker, theirs in abandoned.items():
            self.workers["decode"][worker].abandon(theirs)

    def lose_decoding(self, requests: Sequence[Request]) -> None:
        for request in requests:
            self._give_up_transfer(request)
            if request.source:
                self.workers["prefill"][request.prefill_worker].abandon(request)

    def _give_up_transfer(self, request: Request) -> None:
        arrival = self._transfers.pop(request, None)
        if arrival is not None:
            arrival.cancel()

    def _clear(self, pool: PoolName, place: int) -> None:
        seen = self.seen[pool]
        if seen is not None:
            seen.clear(place)


def _watched(
    blocks: int, worker: int, index: PrefixIndex | StaleView | None
) -> tuple[BlockPool, Callable[[], None]]:
    """A worker's memory and what to call at the end of its steps: then the router is told."""
    if index is None:
        return BlockPool(blocks), _nothing
    changes: list[tuple[Callable[[int, int], None], int]] = []

    def publish() -> None:
        for change, name in changes:
            change(worker, name)
        changes.clear()

    memory = BlockPool(
        blocks,
        lambda name: changes.append((index.store, name)),
        lambda name: changes.append((index.remove, name)),
    )
    return memory, publish


def _nothing() -> None:
    pass
