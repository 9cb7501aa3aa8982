"""The link that carries KV caches from prefill to decode, alone, in turn or shared.

A transfer is first set up, for `overhead` seconds that overlap with anything, and then occupies
the link for bytes / bandwidth seconds of it. A link works whenever it has something to carry, so
all disciplines end a busy period at the same time; they differ in who waits.

Source of the shared link: egalitarian processor sharing (Kleinrock, Queueing Systems II, 1976),
simulated in virtual time: as its clock runs at the rate that each transfer is served with, a
transfer's end in virtual time is known when it begins, and a heap of them gives the next one.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf

from anarchy.config.engine import Handoff
from anarchy.serving.reference.core.event_queue import Event, EventQueue
from anarchy.serving.reference.core.request import Request


class Transfer(Event):
    """A request's KV cache on its way; the event of its set-up and of its end."""

    __slots__ = ("request", "seconds")

    def __init__(self, request: Request, seconds: float) -> None:
        """`seconds` is what the transfer takes if it has the link to itself."""
        self.request = request
        self.seconds = seconds


class Link(ABC):
    """A link that may carry any number of transfers."""

    def __init__(
        self,
        events: EventQueue,
        handoff: Handoff,
        bytes_per_token: int,
        deliver: Callable[[Request], None],
    ) -> None:
        """`deliver` receives each request when its KV has arrived."""
        self._events = events
        self._overhead = handoff.overhead
        self._bandwidth = inf if handoff.bandwidth is None else handoff.bandwidth
        self._bytes_per_token = bytes_per_token
        self._deliver = deliver
        self._in_flight: dict[Transfer, None] = {}
        self._set_up = (self._enter,)

    def send(self, request: Request) -> None:
        """Begin the transfer of a prompt's KV."""
        size = request.input_tokens * self._bytes_per_token
        transfer = Transfer(request, size / self._bandwidth)
        self._in_flight[transfer] = None
        if self._overhead:
            transfer.callbacks = self._set_up
            self._events.at(self._events.now + self._overhead, transfer)
        else:
            self._enter(transfer)

    def abort(self, worker: int) -> list[Request]:
        """Give up all transfers from one prefill worker, and return their requests."""
        lost = [t for t in self._in_flight if t.request.prefill_worker == worker]
        for transfer in lost:
            del self._in_flight[transfer]
            transfer.callbacks = ()
        if lost:
            self._drop(set(lost))
        return [transfer.request for transfer in lost]

    def _arrived(self, transfer: Transfer) -> None:
        del self._in_flight[transfer]
        self._deliver(transfer.request)

    @abstractmethod
    def _enter(self, transfer: Transfer) -> None:
        """A transfer is set up and asks for the link."""

    @abstractmethod
    def _drop(self, lost: set[Transfer]) -> None:
        """Transfers, some of them not set up, will not ask or need the link no longer."""


class UnsharedLink(Link):
    """Every transfer has the whole bandwidth, however many there are."""

    def send(self, request: Request) -> None:
        """Begin the transfer of a prompt's KV: one event, or none if it takes no time."""
        size = request.input_tokens * self._bytes_per_token
        delay = self._overhead + size / self._bandwidth
        if not delay:
            self._deliver(request)
            return
        transfer = Transfer(request, delay)
        self._in_flight[transfer] = None
        self._enter(transfer)

    def _enter(self, transfer: Transfer) -> None:
        transfer.callbacks = (self._arrived,)
        self._events.at(self._events.now + transfer.seconds, transfer)

    def _drop(self, lost: set[Transfer]) -> None:
        pass


class FifoLink(Link):
    """One transfer at a time, in the order in which they were set up."""

    def __init__(
        self,
        events: EventQueue,
        handoff: Handoff,
        bytes_per_token: int,
        deliver: Callable[[Request], None],
    ) -> None:
        super().__init__(events, handoff, bytes_per_token, deliver)
        self._queue: deque[Transfer] = deque()  # the first one is being carried
        self._ended = (self._end,)

    def _enter(self, transfer: Transfer) -> None:
        self._queue.append(transfer)
        if len(self._queue) == 1:
            self._carry()

    def _carry(self) -> None:
        transfer = self._queue[0]
        transfer.callbacks = self._ended
        self._events.at(self._events.now + transfer.seconds, transfer)

    def _end(self, transfer: Transfer) -> None:
        self._queue.popleft()
        if self._queue:
            self._carry()
        self._arrived(transfer)

    def _drop(self, lost: set[Transfer]) -> None:
        carried = self._queue[0] if self._queue else None
        self._queue = deque(transfer for transfer in self._queue if transfer not in lost)
        if carried in lost and self._queue:
            self._carry()


class FairLink(Link, Event):
    """All transfers at once, each with an equal share; the link is the event of the next end.

    An event that something newer has superseded is recognised by its time. Virtual time is in
    seconds of a transfer that has the link to itself, and starts anew whenever the link is idle,
    so that rounding errors do not grow over a run.
    """

    def __init__(
        self,
        events: EventQueue,
        handoff: Handoff,
        bytes_per_token: int,
        deliver: Callable[[Request], None],
    ) -> None:
        super().__init__(events, handoff, bytes_per_token, deliver)
        self._ends: list[tuple[float, int, Transfer]] = []  # heap of (virtual end, order, transfer)
        self._order = 0
        self._virtual = 0.0
        self._read = 0.0  # the time of `_virtual`
        self._due = inf
        self._handlers = (self._next_end,)

    def _enter(self, transfer: Transfer) -> None:
        self._advance()
        self._order += 1
        heappush(self._ends, (self._virtual + transfer.seconds, self._order, transfer))
        self._schedule()

    def _advance(self) -> None:
        """Bring virtual time up to now."""
        now = self._events.now
        if self._ends:
            self._virtual += (now - self._read) / len(self._ends)
        else:
            self._virtual = 0.0
        self._read = now

    def _schedule(self) -> None:
        if not self._ends:
            self._due = inf
            return
        left = max(0.0, self._ends[0][0] - self._virtual)
        self._due = self._events.now + left * len(self._ends)
        self.callbacks = self._handlers
        self._events.at(self._due, self)

    def _next_end(self, _: Event) -> None:
        self.callbacks = self._handlers  # SimPy took them; an older event may still come
        if self._events.now != self._due:
            return
        ends = self._ends
        end = ends[0][0]
        self._virtual, self._read = end, self._events.now  # exactly, whatever sums would give
        finished = []
        while ends and ends[0][0] == end:
            finished.append(heappop(ends)[2])
        self._schedule()
        for transfer in finished:
            self._arrived(transfer)

    def _drop(self, lost: set[Transfer]) -> None:
        self._advance()
        self._ends = [entry for entry in self._ends if entry[2] not in lost]
        heapify(self._ends)
        self._schedule()


LINKS: dict[str, type[Link]] = {"none": UnsharedLink, "fifo": FifoLink, "fair": FairLink}
"""The disciplines by the name of `engine.handoff.link`."""


class Links:
    """The links of a cluster: one for each prefill worker, or one for all of them."""

    def __init__(
        self,
        workers: int,
        events: EventQueue,
        handoff: Handoff,
        bytes_per_token: int,
        deliver: Callable[[Request], None],
    ) -> None:
        link = LINKS[handoff.link]
        if handoff.scope == "cluster":
            self._links = [link(events, handoff, bytes_per_token, deliver)] * workers
        else:
            self._links = [link(events, handoff, bytes_per_token, deliver) for _ in range(workers)]

    def send(self, request: Request) -> None:
        """Begin the transfer of a prompt's KV from its prefill worker."""
        self._links[request.prefill_worker].send(request)

    def abort(self, worker: int) -> list[Request]:
        """Give up all transfers from one prefill worker, and return their requests."""
        return self._links[worker].abort(worker)
