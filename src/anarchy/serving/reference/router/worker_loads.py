"""What the replicas of a router know of one pool: what they placed themselves and what they heard.

A request is known to the replica that places it at once. That its prefill or its decode has ended
this replica hears `event_lag` seconds later, and the others hear of both `replica_lag` later
still. Cached blocks have a lag of their own, the same for all replicas. News is put in order of
time and read before each decision, so that no lag costs an event of the clock.

Source: Dynamo's router, which accounts for its own requests from their response streams, tells
other replicas of them, and learns of cached blocks from the workers' events; its accounting of
distinct blocks and of workers that it has no record of.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from anarchy.config.router import Router
from anarchy.serving.reference.core.event_queue import Clock
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.kv_cache.prefix_index import PrefixIndex
from anarchy.serving.reference.kv_cache.tiers import TieredCaches
from anarchy.serving.reference.router.policy import View
from anarchy.serving.service_times.lookup import Latency

Outputs = Callable[[], list[list[tuple[Request, int]]]]
"""The requests of each decode worker, in order of admission, with their output tokens so far."""


class Entry(NamedTuple):
    """What a request adds to a worker's account."""

    worker: int
    tokens: int  # uncached ones that wait for prefill
    footprint: int  # blocks of the prompt
    names: Sequence[int]  # of its leading blocks, if distinct ones are counted


class Ledger:
    """One replica's accounts: plain lists, one entry per worker."""

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
        """Account for a request."""
        worker, tokens, footprint, names = entry
        self.active[worker] += 1
        self.queued_tokens[worker] += tokens
        self.registered.add(worker)
        if self._counts is None:
            self.blocks[worker] += footprint
            return
        counts = self._counts[worker]
        before = len(counts)
        for name in names:
            counts[name] = counts.get(name, 0) + 1
        self.blocks[worker] += footprint - len(names) + len(counts) - before

    def remove(self, entry: Entry) -> None:
        """Undo `add`."""
        worker, tokens, footprint, names = entry
        self.active[worker] -= 1
        self.queued_tokens[worker] -= tokens
        if self._counts is None:
            self.blocks[worker] -= footprint
            return
        counts = self._counts[worker]
        before = len(counts)
        for name in names:
            if counts[name] == 1:
                del counts[name]
            else:
                counts[name] -= 1
        self.blocks[worker] -= footprint - len(names) + before - len(counts)

    def added(self, footprint: int, names: Sequence[int]) -> list[int] | None:
        """Blocks that a prompt would add to each worker; None if all of them everywhere."""
        if self._counts is None:
            return None
        unnamed = footprint - len(names)
        return [unnamed + sum(name not in counts for name in names) for counts in self._counts]


class RouterState:
    """The accounts of all replicas of one leg's router, and the views that they decide on."""

    def __init__(
        self,
        clock: Clock,
        leg: Literal["prefill", "decode"],
        workers: int,
        block_tokens: int,
        router: Router,
        service: Latency,
        slots: int,
        index: PrefixIndex | None,
        outputs: Outputs,
    ) -> None:
        """`service` is for predictions only, so not the one whose look-ups are counted; `index`
        says what workers have cached, None if the leg does not know."""
        tracking = router.tracking
        self._clock = clock
        self.leg = leg
        self._block_tokens = block_tokens
        self._index = index
        self._outputs = outputs
        self._event_lag = tracking.event_lag
        self._replica_lag = tracking.replica_lag
        self._distinct = tracking.active_blocks == "distinct"
        self._generated = tracking.generated_blocks and leg == "decode"
        self._penalty = tracking.unregistered_penalty and leg == "decode"
        self._as_is = not (self._distinct or self._generated or self._penalty)
        self._workers = workers
        self._ledgers = [Ledger(workers, self._distinct) for _ in range(tracking.replicas)]
        # One replica that hears at once keeps the true number of requests anyway, and nothing
        # has to be remembered for later.
        self._simple = tracking.replicas == 1 and not tracking.event_lag and self._as_is
        self._first = self._ledgers[0]
        self.active = self._first.active if self._simple else [0] * workers
        self._prefill = leg == "prefill"
        self._entries: dict[Request, Entry] = {}
        # Due time, the replica that placed the request, the entry; each in order of time.
        self._placed: deque[tuple[float, int, Entry]] = deque()
        self._ended: deque[tuple[float, int, Entry]] = deque()
        self._ended_elsewhere: deque[tuple[float, int, Entry]] = deque()
        self._views = [
            View(
                leg=leg,
                block_tokens=block_tokens,
                footprint=0,
                overlaps=[0] * workers,
                queued_tokens=ledger.queued_tokens,
                active_blocks=ledger.blocks,
                active=ledger.active,
                cache_sizes=index.sizes if index is not None else None,
                added_blocks=None,
                blocks=(),
                input_tokens=0,
                output_tokens=0,
                slots=slots,
                service=service,
                outputs=self._lengths,
                by_tier=index.overlaps_by_tier if isinstance(index, TieredCaches) else None,
            )
            for ledger in self._ledgers
        ]

    def view(self, request: Request) -> View:
        """What the request's replica sees now; valid until the next call for this replica.

        Its lists are the live accounts of the replica: copy what has to last.
        """
        view = self._views[request.replica]
        view.footprint = request.footprint
        view.blocks = request.blocks
        view.input_tokens = request.input_tokens
        view.output_tokens = request.output_tokens
        if self._index is not None:
            view.overlaps = self._index.overlaps(request.blocks)
        if self._simple:
            return view
        self._hear()
        if not self._as_is:
            self._miscount(view, request)
        return view

    def placed(self, request: Request, worker: int) -> None:
        """The request's replica sends it to a worker, on the prefill leg to compute `promised`
        tokens of it."""
        if self._simple:
            first = self._first
            first.active[worker] += 1
            first.blocks[worker] += request.footprint
            if self._prefill:
                first.queued_tokens[worker] += request.promised
            return
        tokens = request.promised if self._prefill else 0
        names = request.blocks if self._distinct else ()
        entry = Entry(worker, tokens, request.footprint, names)
        self._entries[request] = entry
        self._ledgers[request.replica].add(entry)
        self.active[worker] += 1
        if len(self._ledgers) > 1:
            due = self._clock.now + self._replica_lag
            self._placed.append((due, request.replica, entry))

    def ended(self, request: Request, worker: int) -> None:
        """The worker is done with the request."""
        if self._simple:
            first = self._first
            first.active[worker] -= 1
            first.blocks[worker] -= request.footprint
            if self._prefill:
                first.queued_tokens[worker] -= request.promised
            return
        entry = self._entries.pop(request)
        self.active[worker] -= 1
        heard = self._clock.now + self._event_lag
        if len(self._ledgers) > 1:
            self._ended_elsewhere.append((heard + self._replica_lag, request.replica, entry))
        if self._generated and self._event_lag:
            # Its output stays on the account as long as its prompt does.
            grown = self._grown(request, request.output_tokens)
            self._ledgers[request.replica].blocks[worker] += grown
            entry = entry._replace(footprint=entry.footprint + grown)
        self._ended.append((heard, request.replica, entry))

    def _hear(self) -> None:
        """Account for all news that has come in by now."""
        now, ledgers = self._clock.now, self._ledgers
        for replica, entry in _due(self._placed, now):
            for other, ledger in enumerate(ledgers):
                if other != replica:
                    ledger.add(entry)
        for replica, entry in _due(self._ended, now):
            ledgers[replica].remove(entry)
        for replica, entry in _due(self._ended_elsewhere, now):
            for other, ledger in enumerate(ledgers):
                if other != replica:
                    ledger.remove(entry)

    def _miscount(self, view: View, request: Request) -> None:
        """Show active blocks as the router's rules of accounting have them."""
        ledger = self._ledgers[request.replica]
        view.added_blocks = ledger.added(request.footprint, request.blocks)
        if not (self._generated or self._penalty):
            return
        blocks = ledger.blocks.copy()
        if self._generated:
            for worker, requests in enumerate(self._outputs()):
                for other, made in requests:
                    if other.replica == request.replica:
                        blocks[worker] += self._grown(other, made)
        if self._penalty and len(ledger.registered) < self._workers:
            for worker in range(self._workers):
                if worker not in ledger.registered:
                    blocks[worker] += request.footprint
        view.active_blocks = blocks

    def _grown(self, request: Request, made: int) -> int:
        """Blocks that `made` output tokens take beyond those of the prompt."""
        return -(-(request.input_tokens + made) // self._block_tokens) - request.footprint

    def _lengths(self) -> list[list[tuple[int, int]]]:
        return [
            [(r.output_tokens - made, r.input_tokens + made) for r, made in requests]
            for requests in self._outputs()
        ]


def _due(news: deque[tuple[float, int, Entry]], now: float) -> Iterable[tuple[int, Entry]]:
    """Take out what is due, in order."""
    while news and news[0][0] <= now:
        _, replica, entry = news.popleft()
        yield replica, entry
