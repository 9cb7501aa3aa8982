"""What the replicas of a router know of one pool: what they placed themselves and what they were
told.

A request is known to the replica that places it at once. That its prefill or its decode has ended
this replica is told `event_lag` seconds later, and the others are told of both `replica_lag` later
still. Cached blocks have a lag of their own, the same for all replicas. Updates are kept in order
of time and applied before each decision, so that no lag costs an event.

Source: Dynamo's router, which counts its own requests from their response streams, tells
other replicas of them, and learns of cached blocks from the workers' events; its counting of
distinct blocks and of workers that it has no record of.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from anarchy.config.router import Router
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.request import PoolName, Request
from anarchy.serving.reference.kv_cache.stale_view import CacheView
from anarchy.serving.reference.router.policy import View
from anarchy.serving.service_times.lookup import Latency

Outputs = Callable[[], list[list[tuple[Request, int]]]]
"""The requests of each decode worker, in order of admission, with their output tokens so far."""


class Entry(NamedTuple):
    """What a request adds to the load of a worker."""

    worker: int
    tokens: int  # uncached ones that wait for prefill
    prompt_blocks: int  # blocks of the prompt
    names: Sequence[int]  # of its leading blocks, if distinct ones are counted


class ReplicaLoads:
    """The loads as one replica counts them: plain lists, one entry per worker."""

    __slots__ = ("_counts", "active", "blocks", "queued_tokens", "registered")

    def __init__(self, workers: int, distinct: bool) -> None:
        self.active = [0] * workers
        self.blocks = [0] * workers
        self.queued_tokens = [0] * workers
        self.registered: set[int] = set()  # workers that some known request was placed on
        # How many requests hold a name; only of use where shared blocks count once.
        self._counts: list[dict[int, int]] | None = (
            [{} for _ in range(workers)] if distinct else None
        )

    def add(self, entry: Entry) -> None:
        """Count a request."""
        worker, tokens, prompt_blocks, names = entry
        self.active[worker] += 1
        self.queued_tokens[worker] += tokens
        self.registered.add(worker)
        if self._counts is None:
            self.blocks[worker] += prompt_blocks
            return
        counts = self._counts[worker]
        before = len(counts)
        for name in names:
            counts[name] = counts.get(name, 0) + 1
        self.blocks[worker] += prompt_blocks - len(names) + len(counts) - before

    def remove(self, entry: Entry) -> None:
        """Undo `add`."""
        worker, tokens, prompt_blocks, names = entry
        self.active[worker] -= 1
        self.queued_tokens[worker] -= tokens
        if self._counts is None:
            self.blocks[worker] -= prompt_blocks
            return
        counts = self._counts[worker]
        before = len(counts)
        for name in names:
            if counts[name] == 1:
                del counts[name]
            else:
                counts[name] -= 1
        self.blocks[worker] -= prompt_blocks - len(names) + before - len(counts)

    def added(self, prompt_blocks: int, names: Sequence[int]) -> list[int] | None:
        """Blocks that a prompt would add to each worker; None if all of them everywhere."""
        if self._counts is None:
            return None
        unnamed = prompt_blocks - len(names)
        return [unnamed + sum(name not in counts for name in names) for counts in self._counts]


class WorkerLoads:
    """The loads of a pool as all replicas of its router count them, and the views to decide on."""

    def __init__(
        self,
        events: EventQueue,
        pool: PoolName,
        workers: int,
        block_tokens: int,
        router: Router,
        service: Latency,
        slots: int,
        index: CacheView | None,
        outputs: Outputs,
        speeds: Sequence[float] | None = None,
    ) -> None:
        """`service` is for predictions only, so not the one whose look-ups are counted; `index`
        says what workers have cached and `speeds` how fast they are, None if the routers do not
        know."""
        tracking = router.tracking
        self._events = events
        self.pool = pool
        self._block_tokens = block_tokens
        self._index = index
        self._outputs = outputs
        self._event_lag = tracking.event_lag
        self._replica_lag = tracking.replica_lag
        self._distinct = tracking.active_blocks == "distinct"
        self._generated = tracking.generated_blocks and pool == "decode"
        self._penalty = tracking.unregistered_penalty and pool == "decode"
        self._overlooked = tracking.overlooked if pool == "decode" else 0
        self._as_is = not (self._distinct or self._generated or self._penalty or self._overlooked)
        self._workers = workers
        self._replicas = [ReplicaLoads(workers, self._distinct) for _ in range(tracking.replicas)]
        # One replica that is told at once keeps the true number of requests anyway, and nothing
        # has to be remembered for later.
        self._simple = tracking.replicas == 1 and not tracking.event_lag and self._as_is
        self._first = self._replicas[0]
        self.active = self._first.active if self._simple else [0] * workers
        self._prefill = pool == "prefill"
        self._entries: dict[Request, Entry] = {}
        # Due time, the replica that placed the request, the entry; each in order of time.
        self._placed: deque[tuple[float, int, Entry]] = deque()
        self._ended: deque[tuple[float, int, Entry]] = deque()
        self._ended_elsewhere: deque[tuple[float, int, Entry]] = deque()
        self._views = [
            View(
                pool=pool,
                block_tokens=block_tokens,
                prompt_blocks=0,
                overlaps=[0] * workers,
                queued_tokens=loads.queued_tokens,
                active_blocks=loads.blocks,
                active=loads.active,
                cache_sizes=index.sizes if index is not None else None,
                added_blocks=None,
                blocks=(),
                input_tokens=0,
                output_tokens=0,
                slots=slots,
                service=service,
                outputs=self._lengths,
                by_tier=index.overlaps_by_tier if index is not None and index.tiered else None,
                speeds=speeds,
            )
            for loads in self._replicas
        ]

    def view(self, request: Request) -> View:
        """What the request's replica sees now; valid until the next call for this replica.

        Its lists are the live counts of the replica: copy what has to last.
        """
        view = self._views[request.replica]
        view.prompt_blocks = request.prompt_blocks
        view.blocks = request.blocks
        view.input_tokens = request.input_tokens
        view.output_tokens = request.output_tokens
        if self._index is not None:
            view.overlaps = self._index.overlaps(request.blocks)
        if self._simple:
            return view
        self._apply_due()
        if not self._as_is:
            self._miscount(view, request)
        return view

    def placed(self, request: Request, worker: int) -> None:
        """The request's replica sends it to a worker, in the prefill pool to compute `promised`
        tokens of it."""
        if self._simple:
            first = self._first
            first.active[worker] += 1
            first.blocks[worker] += request.prompt_blocks
            if self._prefill:
                first.queued_tokens[worker] += request.promised
            return
        self.active[worker] += 1
        if worker < self._overlooked:
            return
        tokens = request.promised if self._prefill else 0
        names = request.blocks if self._distinct else ()
        entry = Entry(worker, tokens, request.prompt_blocks, names)
        self._entries[request] = entry
        self._replicas[request.replica].add(entry)
        if len(self._replicas) > 1:
            due = self._events.now + self._replica_lag
            self._placed.append((due, request.replica, entry))

    def ended(self, request: Request, worker: int) -> None:
        """The worker is done with the request."""
        if self._simple:
            first = self._first
            first.active[worker] -= 1
            first.blocks[worker] -= request.prompt_blocks
            if self._prefill:
                first.queued_tokens[worker] -= request.promised
            return
        self.active[worker] -= 1
        if worker < self._overlooked:
            return
        entry = self._entries.pop(request)
        told = self._events.now + self._event_lag
        if len(self._replicas) > 1:
            self._ended_elsewhere.append((told + self._replica_lag, request.replica, entry))
        if self._generated and self._event_lag:
            # Its output stays counted as long as its prompt does.
            grown = self._grown(request, request.output_tokens)
            self._replicas[request.replica].blocks[worker] += grown
            entry = entry._replace(prompt_blocks=entry.prompt_blocks + grown)
        self._ended.append((told, request.replica, entry))

    def _apply_due(self) -> None:
        """Apply all updates that are due by now."""
        now, replicas = self._events.now, self._replicas
        for replica, entry in _due(self._placed, now):
            for other, loads in enumerate(replicas):
                if other != replica:
                    loads.add(entry)
        for replica, entry in _due(self._ended, now):
            replicas[replica].remove(entry)
        for replica, entry in _due(self._ended_elsewhere, now):
            for other, loads in enumerate(replicas):
                if other != replica:
                    loads.remove(entry)

    def _miscount(self, view: View, request: Request) -> None:
        """Show active blocks as the router's rules of counting have them."""
        loads = self._replicas[request.replica]
        view.added_blocks = loads.added(request.prompt_blocks, request.blocks)
        if not (self._generated or self._penalty):
            return
        blocks = loads.blocks.copy()
        if self._generated:
            for worker, requests in enumerate(self._outputs()):
                for other, made in requests:
                    if other.replica == request.replica and worker >= self._overlooked:
                        blocks[worker] += self._grown(other, made)
        if self._penalty and len(loads.registered) < self._workers:
            for worker in range(self._workers):
                if worker not in loads.registered:
                    blocks[worker] += request.prompt_blocks
        view.active_blocks = blocks

    def _grown(self, request: Request, made: int) -> int:
        """Blocks that `made` output tokens take beyond those of the prompt."""
        return -(-(request.input_tokens + made) // self._block_tokens) - request.prompt_blocks

    def _lengths(self) -> list[list[tuple[int, int]]]:
        return [
            [(r.output_tokens - made, r.input_tokens + made) for r, made in requests]
            for requests in self._outputs()
        ]


def _due(updates: deque[tuple[float, int, Entry]], now: float) -> Iterable[tuple[int, Entry]]:
    """Take out what is due, in order."""
    while updates and updates[0][0] <= now:
        _, replica, entry = updates.popleft()
        yield replica, entry
