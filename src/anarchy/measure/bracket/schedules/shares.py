"""The shares of decode workers by which a closed loop is best served in the long run.

So many requests decode at once. Of all ways to divide them among the workers one makes most tokens
a second, which need not be the even one: a table of service times may be uneven in the batch, and
workers may differ in speed. Requests are then sent in turn, to each worker in proportion to what it
makes. It knows how many will be in decode, so it is no router.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from anarchy.measure.bracket.service_limits import ServiceLimits
from anarchy.serving.log.request_log import Floats, Ints, RequestLog

TOTALS = (0.97, 1.0)
"""How many may be in decode at once, over how many there were in another run on average."""


def shared_out(limits: ServiceLimits, log: RequestLog, requests: int) -> Iterator[Ints]:
    """Decode workers of so many requests, for each way to share them out; `log` is another run."""
    steps = limits.decode_steps(int((log.input_tokens + log.output_tokens / 2).mean()))
    speeds = np.array(limits.decode_speeds)
    there = float((log.done - log.routed).sum() / log.done.max())
    totals = [max(1, round(part * there)) for part in TOTALS]
    for batches in sorted({best_batches(total, steps, speeds.tolist()) for total in totals}):
        sizes = np.array(batches)
        rates = np.where(sizes, sizes * speeds / steps[sizes - 1], 0.0)
        yield in_turn(rates / rates.sum(), requests)


def best_batches(total: int, steps: Floats, speeds: Sequence[float]) -> tuple[int, ...]:
    """Batches of the workers that are `total` together and make most tokens a second.

    `steps` has the seconds of a step of 1, 2, ... sequences at speed 1; more than these a worker
    cannot run, so that `total` is cut to what all of them can. By dynamic programming, worker after
    worker.
    """
    total = min(total, len(steps) * len(speeds))
    batches = np.arange(1, len(steps) + 1)
    best, taken = np.full(total + 1, -np.inf), []
    best[0] = 0.0
    for speed in speeds:
        rates = np.concatenate([[0.0], speed * batches / steps])[: total + 1]
        sums = np.full((len(rates), total + 1), -np.inf)
        for batch, rate in enumerate(rates):
            sums[batch, batch:] = best[: total + 1 - batch] + rate
        taken.append(sums.argmax(axis=0))
        best = sums.max(axis=0)
    result = []
    for choice in reversed(taken):
        result.append(int(choice[total]))
        total -= result[-1]
    return tuple(result[::-1])


def in_turn(shares: Floats, count: int) -> Ints:
    """Workers of `count` requests, each as evenly spread over them as its share of 1 allows."""
    numbers = [np.arange(round(share * count) + 1) for share in shares]
    due = [(own + 0.5) / share for own, share in zip(numbers, shares, strict=True) if share]
    workers = np.repeat(np.flatnonzero(shares), [len(own) for own in due])
    order: Ints = workers[np.argsort(np.concatenate(due), kind="stable")][:count]
    return order
