"""The accounts of a running system whose workers come and go, looked at while it runs.

At any moment every request that has arrived and is not done is in one place, the routers count what
the workers have, and the blocks that a pool holds are those of its requests.
"""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from anarchy.config.scenario import Scenario
from anarchy.serving.log.request_log import Run
from anarchy.serving.reference.core.request import PoolName, Request
from anarchy.serving.reference.elastic.failures import Failures
from anarchy.serving.reference.elastic.worker_pool import Pool, Status
from anarchy.serving.reference.kv_cache.prefix_index import PrefixIndex
from anarchy.serving.reference.paged.engine import PagedEngine
from anarchy.serving.reference.plain.engine import Engine, PlainEngine
from anarchy.serving.reference.plain.kv_transfer import Links
from anarchy.serving.reference.system import System
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import prepare


def audited(
    scenario: Scenario, latency: Latency, times: Iterable[float], **options: Any
) -> tuple[Run, list[int]]:
    """The run of a trace, and how many requests were in the system at these times."""
    system = prepare(scenario, latency, **options)
    assert isinstance(system, System)
    capacity = system.capacity
    assert isinstance(capacity, Failures)
    for dispatcher in system.dispatchers.values():
        watch_choices(dispatcher)
    seen: list[tuple[float, int]] = []
    for time in times:
        capacity.at(time, lambda: seen.append((system.events.now, look(system))))
    found = system.run()
    assert look(system) == 0
    if isinstance(system.engine, PagedEngine):
        check_index(system.engine)
    log = found.log
    for time, count in seen:  # at an event's own time it may come before or after the look
        least = ((log.arrival < time) & (log.done > time)).sum()
        most = ((log.arrival <= time) & (log.done >= time)).sum()
        assert least <= count <= most, f"{count} requests at {time}, {least} to {most} in the log"
    return found, [count for _, count in seen]


def watch_choices(dispatcher: Any) -> None:
    """A router prices the workers in service, no others, and takes one of them."""
    send, members = dispatcher._send, dispatcher._members

    def checked(request: Request, place: int, overlap: int, costs: list[float]) -> None:
        assert members.status[place] is Status.SERVING
        assert [i for i, cost in enumerate(costs) if isfinite(cost)] == members.serving
        send(request, place, overlap, costs)

    dispatcher._send = checked


def look(system: System) -> int:
    """Compare the accounts; the number of requests in the system."""
    capacity, engine, dispatchers = system.capacity, system.engine, system.dispatchers
    assert isinstance(capacity, Failures)
    pools = capacity.pools
    for pool in pools.values():
        for status, requests in zip(pool.status, pool.requests, strict=True):
            assert status in (Status.SERVING, Status.DRAINING) or not requests
    held = [r for dispatcher in dispatchers.values() for r in waiting_in(dispatcher)]
    prefill = [r for requests in pools["prefill"].requests for r in requests]
    decode = [r for requests in pools["decode"].requests for r in requests]
    everyone = [*held, *prefill, *decode]
    if isinstance(
        engine, PagedEngine
    ):  # a prompt on its way is both on its prefill and on its decode worker
        now = system.events.now
        assert all(r.prefill_end <= now for r in {*prefill} & {*decode, *held})
        check_blocks(engine, pools)
        computing = [[r for r in rs if r.prefill_end > now] for rs in pools["prefill"].requests]
    else:
        assert len(set(everyone)) == len(everyone)
        assert isinstance(engine, PlainEngine)
        travelling = in_transfer(engine.links)
        computing = [[r for r in rs if r not in travelling] for rs in pools["prefill"].requests]
    assert list(dispatchers["prefill"].loads.active) == list(map(len, computing))
    assert list(dispatchers["decode"].loads.active) == list(map(len, pools["decode"].requests))
    check_caches(engine, pools)
    return len(set(everyone))


def waiting_in(dispatcher: Any) -> list[Request]:
    return [*dispatcher.held, *(r for window in dispatcher._windows for r in window._held)]


def in_transfer(links: Links) -> set[Request]:
    return {transfer.request for link in links._links for transfer in link._in_flight}


def check_blocks(engine: PagedEngine, pools: Mapping[PoolName, Pool]) -> None:
    """The blocks in use are those of the requests, each counted once however many share it."""
    for worker, requests in zip(engine.workers["prefill"], pools["prefill"].requests, strict=True):
        holders = {*requests, *worker._releases}
        blocks = {block for request in holders for block in request.source}
        assert worker.pool.held == len(blocks)
        assert 0 <= worker.pool.free <= worker.pool.capacity
    for worker, requests in zip(engine.workers["decode"], pools["decode"].requests, strict=True):
        without = {*worker._reservations.pending}
        blocks = {b for r in requests if r not in without for b in r.held}
        grown = worker.pool.held - len(blocks)
        assert grown >= 0
        if not worker._running:
            assert grown == 0, "only output of running requests grows"
        assert 0 <= worker.pool.free <= worker.pool.capacity
        assert worker._reservations.promised == sum(
            worker._reservations.whole(r) for r in requests if r not in without
        )


def check_caches(engine: Engine, pools: Mapping[PoolName, Pool]) -> None:
    """Workers that are not there have nothing cached."""
    if not isinstance(engine, PlainEngine):
        return
    for name, caches in engine.caches.items():
        if caches is not None:
            sizes = caches.held.sizes()
            for place, status in enumerate(pools[name].status):
                assert status in (Status.SERVING, Status.DRAINING) or not sizes[place]


def check_index(engine: PagedEngine) -> None:
    """After the last step routers know just what prefill workers have cached."""
    index = engine.seen["prefill"]
    if not isinstance(index, PrefixIndex):
        return
    for place, worker in enumerate(engine.workers["prefill"]):
        known = {name for name, holders in index._holders.items() if holders >> place & 1}
        assert known == set(worker.pool._found)
