"""A clairvoyant assignment to prefill workers, which knows the prompts and what is yet to come.

Each request in order of arrival goes where it costs least: what it waits, what it takes less what
the worker has cached, and this once more for everyone who will come to the worker before it is
through. Of those who come to the pool a worker is taken to get its share. What is planned is
replayed by the rules of the engine, so here steps may be added up as if prompts were computed one
by one.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from anarchy.measure.bracket.service_limits import ServiceLimits
from anarchy.serving.log.request_log import Ints, RequestLog
from anarchy.workload.traces import TraceData


class _Worker:
    """What has been planned for a worker: when it is free, and what it has cached."""

    def __init__(self, speed: float, capacity: int) -> None:
        self.speed = speed
        self.free = 0.0
        self._capacity = capacity
        self._blocks: OrderedDict[int, None] = OrderedDict()  # the least recently used first

    def overlap(self, blocks: Sequence[int]) -> int:
        """How many leading blocks it has."""
        cached = self._blocks
        return next((k for k, block in enumerate(blocks) if block not in cached), len(blocks))

    def compute(self, at: float, seconds: float, blocks: Sequence[int]) -> None:
        self.free = max(self.free, at) + seconds
        cached = self._blocks
        for block in reversed(blocks):  # a prefix outlasts what follows it
            cached[block] = None
            cached.move_to_end(block)
        while len(cached) > self._capacity:
            cached.popitem(last=False)


def clairvoyant_workers(limits: ServiceLimits, log: RequestLog, trace: TraceData) -> Ints:
    """The prefill worker of each request; `log` is any run of the rows of `trace`."""
    cache = limits.scenario.engine.cache
    size = trace.block_tokens or cache.block_tokens
    capacity = cache.capacity_tokens // size if cache.enabled else 0
    workers = [_Worker(speed, capacity) for speed in limits.prefill_speeds]
    arrivals, chosen = log.arrival.tolist(), []
    prompts = zip(arrivals, log.input_tokens.tolist(), log.prompt.tolist(), strict=True)
    for number, (at, tokens, row) in enumerate(prompts, start=1):
        costs = []
        for worker in workers:
            cached = min(size * worker.overlap(trace.blocks[row]), tokens - 1)
            own = limits.latency.prefill(tokens - cached, cached=cached) / worker.speed
            through = max(worker.free, at) + own
            later = max(0, bisect_right(arrivals, through) - number)
            costs.append((through - at + own * later / len(workers), own))
        best = min(range(len(workers)), key=costs.__getitem__)
        workers[best].compute(at, costs[best][1], trace.blocks[row])
        chosen.append(best)
    return np.array(chosen)
