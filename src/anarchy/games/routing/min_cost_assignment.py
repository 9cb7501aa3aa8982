"""Requests on parallel workers at least total cost, exactly, with prices that prove it.

Request i on worker j costs its own offset b_ij (the prompt blocks that j would have to prefill
again), and the x-th request on a worker adds the marginal cost c_j(x). When no worker's marginal
costs ever fall, requests are placed one by one along cheapest paths of reassignments: the
successive shortest path method for minimum-cost flows (Busacker and Gowen 1960; with prices that
keep all path costs non-negative, Edmonds and Karp 1972). A path visits each worker at most once,
so finding it takes O(m^2) for m workers, plus updates of the heaps that hold, for each pair of
workers, the request whose move is cheapest.

With the marginals x l(x) - (x-1) l(x-1) the total is the social cost of a congestion game whose
players use one worker each; with the marginals l(x) and the offsets as players see them it is
Rosenthal's potential, and its minimiser is a pure equilibrium.

*Proof of the optimum.* For any prices p, and any numbers of requests x_j,

    sum_i b_i,j(i) + sum_j C_j(x_j)
        = sum_i (b_i,j(i) + p_j(i)) + sum_j (C_j(x_j) - p_j x_j)
        >= sum_i min_j (b_ij + p_j) + sum_j min_x (C_j(x) - p_j x),

where C_j(x) = c_j(1) + ... + c_j(x). The search ends with prices for which this is an equality;
`Assignment.check` evaluates both sides and nothing else.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from anarchy.common.errors import InputError
from anarchy.games.common.enumeration import Scale
from anarchy.games.common.rational import Extended

MAX_PAIRS = 2**18
"""Most requests times workers; 2,000 requests on 8 workers are a sixteenth of it."""

Marginals = Sequence[Sequence[Extended]]
Offsets = Sequence[Sequence[Fraction | None]]


@dataclass(frozen=True)
class Assignment:
    """Requests on workers at least total cost, with the prices that prove it.

    marginals  c_j(1), c_j(2), ... of each worker, shape (workers, <= requests); `math.inf` from
               the first load that overloads it
    offsets    b_ij, shape (requests, workers); None where a request may not go
    workers    the worker of each request
    cost       the total, `math.inf` if some worker is overloaded in every assignment
    prices     one per worker, the dual solution
    penalty    the number that stands for infinity in the prices: larger than twice any finite total
    """

    marginals: Marginals
    offsets: Offsets
    workers: tuple[int, ...]
    cost: Extended
    prices: tuple[Fraction, ...]
    penalty: Fraction

    def check(self) -> bool:
        """Whether the prices prove that no assignment costs less; no solver is used.

        With the penalty in place of infinity a finite total stays below half of the penalty and an
        infinite one above it, so an infinite optimum is proven as well.
        """
        pairs = list(zip(self.offsets, self.workers, strict=True))
        if any(row[worker] is None for row, worker in pairs):
            return False
        loads = [self.workers.count(worker) for worker in range(len(self.marginals))]
        costs = [
            [self.penalty if c == math.inf else Fraction(c) for c in r] for r in self.marginals
        ]
        terms = (abs(Fraction(c)) for row in self.marginals for c in row if c != math.inf)
        finite = sum(terms, Fraction(0))
        finite += sum(max(abs(b) for b in row if b is not None) for row in self.offsets)
        overloaded = any(
            math.inf in row[:load] for row, load in zip(self.marginals, loads, strict=True)
        )
        total = sum((row[worker] or Fraction(0) for row, worker in pairs), Fraction(0))
        bound = sum(
            (
                min(b + p for b, p in zip(row, self.prices, strict=True) if b is not None)
                for row in self.offsets
            ),
            Fraction(0),
        )
        for row, load, price in zip(costs, loads, self.prices, strict=True):
            total += sum(row[:load], Fraction(0))
            best = slack = Fraction(0)
            for marginal in row:
                slack += marginal - price
                best = min(best, slack)
            bound += best
        stated = math.inf if overloaded else total
        return total == bound and self.penalty > 2 * finite and self.cost == stated


def social_marginals(latency: Sequence[Extended], worker: str) -> list[Extended]:
    """What the x-th request adds to x l(x), for a latency by load 1, 2, ...

    Raises `InputError` where a request adds less than the one before it: then a greedy step may
    have to be undone for several requests at once, and no prices exist in general. Latencies that
    pass never fall, because l(x) is the mean of the first x marginals.
    """
    totals: list[Extended] = [Fraction(0)]
    totals += [math.inf if v == math.inf else load * v for load, v in enumerate(latency, start=1)]
    marginals = [math.inf if high == math.inf else high - low for low, high in pairwise(totals)]
    for load, (before, here) in enumerate(pairwise(marginals), start=2):
        if here < before:
            raise InputError(
                f"latency.{worker}: load times latency must be convex for an assignment, but at "
                f"load {load} it rises by {_shown(here)} after {_shown(before)}"
            )
    return marginals


def minimise(marginals: Marginals, offsets: Offsets) -> Assignment:
    """The assignment of least total cost; shapes as in `Assignment`.

    Every worker's marginals must not fall, and reach as far as the requests that may use it. Raises
    `InputError` for more than `MAX_PAIRS` pairs of a request and a worker.
    """
    check_size(len(offsets), len(marginals))
    finite = [Fraction(c) for row in marginals for c in row if c != math.inf]
    allowed = [b for row in offsets for b in row if b is not None]
    scale = Scale.of([*finite, *allowed], players=2)
    search = _Search(
        [[scale.integer(c) for c in row] for row in marginals],
        [[None if b is None else scale.integer(b) for b in row] for row in offsets],
    )
    for request in range(len(offsets)):
        search.place(request)
    overloaded = any(
        math.inf in row[:load] for row, load in zip(marginals, search.loads, strict=True)
    )
    return Assignment(
        marginals,
        offsets,
        tuple(search.workers),
        math.inf if overloaded else Fraction(search.total(), scale.denominator),
        tuple(Fraction(price, scale.denominator) for price in search.prices),
        Fraction(scale.infinite, scale.denominator),
    )


def check_size(players: int, workers: int) -> None:
    """Refuse more than `MAX_PAIRS` pairs of a request and a worker with an `InputError`."""
    if players * workers > MAX_PAIRS:
        raise InputError(
            f"players: {players} players on {workers} workers are too many to assign; "
            f"allowed: {MAX_PAIRS} pairs"
        )


class _Search:
    """Successive shortest paths in integers.

    Invariants, with p the prices: a request on j minimises b_ij + p_j over its workers, and
    c_j(x_j) <= p_j <= c_j(x_j + 1). They are what makes the bound of the module an equality.
    """

    def __init__(
        self, marginals: Sequence[Sequence[int]], offsets: Sequence[Sequence[int | None]]
    ) -> None:
        count = len(marginals)
        self.marginals, self.offsets = marginals, offsets
        self.loads = [0] * count
        self.workers: list[int] = []
        self.prices = [row[0] if row else 0 for row in marginals]
        # moves[j][k]: (extra offset, request) for requests on j that may go to k; an entry is
        # void once its request has left j.
        self.moves: list[list[list[tuple[int, int]]]] = [
            [[] for _ in range(count)] for _ in range(count)
        ]

    def total(self) -> int:
        """Cost of the assignment so far."""
        placed = sum(
            row[worker] or 0 for row, worker in zip(self.offsets, self.workers, strict=False)
        )
        return placed + sum(
            sum(row[:load]) for row, load in zip(self.marginals, self.loads, strict=True)
        )

    def place(self, request: int) -> None:
        """Add one request, along the cheapest path of moves from worker to worker."""
        start = {
            worker: offset + self.prices[worker]
            for worker, offset in enumerate(self.offsets[request])
            if offset is not None
        }
        least = min(start.values())
        distance = {worker: cost - least for worker, cost in start.items()}
        parent: dict[int, tuple[int, int]] = {}
        settled: set[int] = set()
        reached, last = None, -1
        while open_ := distance.keys() - settled:
            here = min(open_, key=lambda worker: (distance[worker], worker))
            if reached is not None and distance[here] >= reached:
                break
            settled.add(here)
            if self.loads[here] < len(self.marginals[here]):
                slack = self.marginals[here][self.loads[here]] - self.prices[here]
                if reached is None or distance[here] + slack < reached:
                    reached, last = distance[here] + slack, here
            self._extend(here, distance, parent, settled)
        assert reached is not None
        for worker, length in distance.items():
            self.prices[worker] += max(0, reached - length)
        self._move(request, last, parent)

    def _extend(
        self,
        here: int,
        distance: dict[int, int],
        parent: dict[int, tuple[int, int]],
        settled: set[int],
    ) -> None:
        """Shorten the paths that lead on from a settled worker."""
        for there, heap in enumerate(self.moves[here]):
            while heap and self.workers[heap[0][1]] != here:
                heapq.heappop(heap)
            if heap and there not in settled:
                extra, request = heap[0]
                length = distance[here] + extra + self.prices[there] - self.prices[here]
                if there not in distance or length < distance[there]:
                    distance[there] = length
                    parent[there] = (here, request)

    def _move(self, request: int, last: int, parent: dict[int, tuple[int, int]]) -> None:
        """Carry out a path that ends with one more request on worker `last`."""
        self.workers.append(-1)
        self.loads[last] += 1
        while last in parent:
            before, moved = parent[last]
            self._settle(moved, last)
            last = before
        self._settle(request, last)

    def _settle(self, request: int, worker: int) -> None:
        self.workers[request] = worker
        row = self.offsets[request]
        own = row[worker]
        assert own is not None
        for there, offset in enumerate(row):
            if offset is not None and there != worker:
                heapq.heappush(self.moves[worker][there], (offset - own, request))


def _shown(value: Extended) -> str:
    """A number in a message, rounded when its exact form is long."""
    text = str(value)
    return text if len(text) <= 20 else f"{float(value):.6g}"
