"""The engine: the workers of both pools, and how a request's KV cache gets from one to the other.

An engine takes requests that arrive, has them computed where the routers say, and reports how they
come along. There are two: this one, whose running requests take no memory, and that of paged
memory.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from anarchy.config.scenario import Scenario
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.request import PoolName, Request
from anarchy.serving.reference.kv_cache.prefix_index import BlockCaches, PrefixCaches
from anarchy.serving.reference.kv_cache.stale_view import CacheView, PoolCaches
from anarchy.serving.reference.kv_cache.tiers import NO_HIT, make_caches
from anarchy.serving.reference.plain.decode import DecodeWorker
from anarchy.serving.reference.plain.kv_transfer import Links
from anarchy.serving.reference.plain.local_prefill import LOCAL, PrefillingDecodeWorker
from anarchy.serving.reference.plain.prefill import PrefillWorker
from anarchy.serving.rules.event_order import NORMAL
from anarchy.serving.service_times.worker_speeds import Services
from anarchy.workload.demand import Demand


class Lifecycle(Protocol):
    """What happens to a request, as its engine reports it."""

    def route_prefill(self, request: Request) -> None:
        """It has arrived and is to be sent to a prefill worker."""

    def skip_prefill(self, request: Request) -> None:
        """It has arrived, and its decode worker will compute the prompt."""

    def prefilled(self, request: Request) -> None:
        """Its prompt is computed."""

    def left_prefill(self, request: Request) -> None:
        """Nothing of it is on its prefill worker any more."""

    def route_decode(self, request: Request) -> None:
        """It is to be sent to a decode worker."""

    def done(self, request: Request) -> None:
        """Its last token is out."""


class Engine(ABC):
    """The workers of one run, by pool and place.

    `block_tokens` are the tokens of a block as routers count them, and `seen` what they see of
    the caches of each pool, None if they see nothing.
    """

    first_token_times: ClassVar[Mapping[str, str]]
    """For each definition of the first token the time of a request that is its."""

    timer_priority: ClassVar[int]
    """Of events that come from outside of the system: failures, decisions of a planner."""

    tiered = False
    """Whether prompts may find their blocks in tiers below HBM."""

    workers: Mapping[PoolName, list[Any]]
    seen: Mapping[PoolName, CacheView | None]

    def __init__(
        self,
        events: EventQueue,
        scenario: Scenario,
        services: Services,
        block_tokens: int,
        lifecycle: Lifecycle,
    ) -> None:
        self._events = events
        self._scenario = scenario
        self._services = services
        self.block_tokens = block_tokens
        self._lifecycle = lifecycle

    @property
    def first_token(self) -> str:
        """The name of the time that is a request's first token; its worker may have set it."""
        return self.first_token_times[self._scenario.engine.first_token]

    @abstractmethod
    def arrive(self, request: Request) -> None:
        """Take a request, which may have been lost before (`restarts`)."""

    def submit_prefill(self, request: Request, worker: int) -> None:
        """The router of the prefill pool has chosen."""
        self.workers["prefill"][worker].submit(request)

    @abstractmethod
    def submit_decode(self, request: Request, worker: int) -> None:
        """The router of the decode pool has chosen."""

    def outputs(self) -> list[list[tuple[Request, int]]]:
        """Each decode worker's requests in order of admission, with their output tokens so far."""
        return [worker.outputs(self._events.now) for worker in self.workers["decode"]]

    # Workers that fail or leave.

    def replace(self, pool: PoolName, place: int) -> None:
        """Halt a worker; the next one at its place has nothing cached and goes on counting."""
        workers, now = self.workers[pool], self._events.now
        old, new = workers[place], self._worker(pool, place)
        new.busy = old.busy_until(now)
        if pool == "prefill":
            new.work = old.work_until(now)
        else:
            new.extrapolated = old.extrapolated
        old.halt()
        workers[place] = new
        self._clear(pool, place)

    @abstractmethod
    def lose_prefilled(self, place: int, requests: Sequence[Request]) -> None:
        """Forget computed prompts, which are lost with their prefill worker."""

    @abstractmethod
    def lose_decoding(self, requests: Sequence[Request]) -> None:
        """Forget requests that are lost with their decode worker, whatever else they hold."""

    @abstractmethod
    def _worker(self, pool: PoolName, place: int) -> Any:
        """A new worker."""

    @abstractmethod
    def _clear(self, pool: PoolName, place: int) -> None:
        """Nothing is cached at a place any more."""


class PlainEngine(Engine):
    """Workers whose running requests take no memory, beside caches of prefixes.

    A computed prompt is transferred first; then its decode worker is chosen.
    """

    first_token_times: ClassVar = {
        "prefill": "prefill_end",
        "handoff": "routed",
        "decode-step": "first_token",
    }
    timer_priority = NORMAL

    def __init__(
        self,
        events: EventQueue,
        scenario: Scenario,
        services: Services,
        demand: Demand,
        lifecycle: Lifecycle,
    ) -> None:
        super().__init__(events, scenario, services, demand.block_tokens, lifecycle)
        engine, topology = scenario.engine, scenario.topology
        self._local_below = engine.local_prefill_below
        both = engine.cache.enabled and scenario.router.decode_overlap
        self.caches: dict[PoolName, PoolCaches | None] = {
            "prefill": self._caches(topology.prefill, False) if engine.cache.enabled else None,
            "decode": self._caches(topology.decode, True) if both else None,
        }
        prefill = self.caches["prefill"]
        self.tiered = prefill is not None and prefill.held.tiered
        self.seen = {
            pool: None if caches is None else caches.seen for pool, caches in self.caches.items()
        }
        self.links = Links(
            topology.prefill,
            events,
            engine.handoff,
            scenario.model.kv_bytes_per_token,
            self._delivered,
        )
        self.workers = {
            "prefill": [self._worker("prefill", place) for place in range(topology.prefill)],
            "decode": [self._worker("decode", place) for place in range(topology.decode)],
        }

    def _caches(self, workers: int, device_only: bool) -> PoolCaches:
        cache, tokens = self._scenario.engine.cache, self.block_tokens
        size = tokens * self._scenario.model.kv_bytes_per_token
        own = self._scenario.topology.decode_cache if device_only else []
        blocks = [capacity // tokens for capacity in own]

        def make(now: Callable[[], float]) -> BlockCaches:
            if blocks:
                return PrefixCaches(workers, blocks)
            return make_caches(workers, cache, tokens, size, device_only, now)

        return PoolCaches(make, self._events, self._scenario.router.tracking.cache_lag)

    def _worker(self, pool: PoolName, place: int) -> Any:
        engine = self._scenario.engine
        if pool == "prefill":
            return PrefillWorker(
                place,
                self._events,
                engine.prefill,
                self._services.prefill[place],
                self.caches["prefill"],
                self.block_tokens,
                self._most_taken,
                self._prefilled,
            )
        decode_worker = PrefillingDecodeWorker if self._local_below else DecodeWorker
        return decode_worker(
            self._events,
            engine.decode.slots,
            self._services.decode[place],
            self._lifecycle.done,
            engine.first_token == "decode-step",
        )

    def _most_taken(self, prompt: int) -> int:
        return self._scenario.engine.cache.most_taken(prompt, self.block_tokens)

    def arrive(self, request: Request) -> None:
        if self._local_below and self._is_local(request):
            request.prefill_worker = LOCAL
            request.cached_by_tier = NO_HIT.by_tier
            self._lifecycle.skip_prefill(request)
        else:
            self._lifecycle.route_prefill(request)

    def _is_local(self, request: Request) -> bool:
        """Whether so little is to compute that a decode worker does it."""
        seen = self.seen["decode"]
        overlap = 0 if seen is None else max(seen.overlaps(request.blocks))
        return request.input_tokens - overlap * self.block_tokens < self._local_below

    def _prefilled(self, request: Request) -> None:
        self._lifecycle.prefilled(request)
        self.links.send(request)

    def _delivered(self, request: Request) -> None:
        """A link has carried the prompt's KV."""
        self._lifecycle.left_prefill(request)
        self._lifecycle.route_decode(request)

    def submit_decode(self, request: Request, worker: int) -> None:
        caches = self.caches["decode"]
        if caches is not None:
            if self._local_below and request.prefill_worker == LOCAL:
                cached = caches.held.overlap(worker, request.blocks) * self.block_tokens
                request.cached_tokens = min(cached, self._most_taken(request.input_tokens))
                request.cached_by_tier = (request.cached_tokens, *NO_HIT.by_tier[1:])
            caches.insert(worker, request.blocks)
        self.workers["decode"][worker].submit(request)

    def lose_prefilled(self, place: int, requests: Sequence[Request]) -> None:
        self.links.abort(place)

    def lose_decoding(self, requests: Sequence[Request]) -> None:
        pass  # the worker that is halted has all of them

    def _clear(self, pool: PoolName, place: int) -> None:
        caches = self.caches[pool]
        if caches is not None:
            caches.clear(place)
