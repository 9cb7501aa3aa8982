"""The accounts of a running system whose workers come and go, looked at while it runs.

At any moment every request that has arrived and is not done is in one place, the routers count what
the workers have, and the blocks that a pool holds are those of its requests.
"""

from collections.abc import Iterable
from math import isfinite
from typing import Any

from anarchy.config.scenario import Scenario
from anarchy.serving.log.request_log import Run
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.elastic.failures import POOLS, ElasticSystem
from anarchy.serving.reference.elastic.paged_elastic import PagedElasticSystem
from anarchy.serving.reference.elastic.worker_pool import Status
from anarchy.serving.reference.kv_cache.stale_view import LaggedIndex
from anarchy.serving.reference.plain.kv_transfer import Links
from anarchy.serving.reference.plain.system import System
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import prepare


def audited(
    scenario: Scenario, latency: Latency, times: Iterable[float], **options: Any
) -> tuple[Run, list[int]]:
    """The run of a trace, and how many requests were in the system at these times."""
    system = prepare(scenario, latency, **options)
    assert isinstance(system, ElasticSystem)
    for leg in (system._prefill_leg, system._decode_leg):
        watch_choices(leg)
    seen: list[tuple[float, int]] = []
    for time in times:
        system._alarm(time, lambda: seen.append((system.clock.now, look(system))))
    found = system.run()
    assert look(system) == 0
    if isinstance(system, PagedElasticSystem):
        check_index(system)
    log = found.log
    for time, count in seen:  # at an event's own time it may come before or after the look
        least = ((log.arrival < time) & (log.done > time)).sum()
        most = ((log.arrival <= time) & (log.done >= time)).sum()
        assert least <= count <= most, f"{count} requests at {time}, {least} to {most} in the log"
    return found, [count for _, count in seen]


def watch_choices(leg: Any) -> None:
    """A router prices the workers in service, no others, and takes one of them."""
    send = leg._send

    def checked(request: Request, place: int, overlap: int, costs: list[float]) -> None:
        assert leg.pool.status[place] is Status.SERVING
        assert [i for i, cost in enumerate(costs) if isfinite(cost)] == leg.pool.serving
        send(request, place, overlap, costs)

    leg._send = checked


def look(system: System) -> int:
    """Compare the accounts; the number of requests in the system."""
    assert isinstance(system, ElasticSystem)
    paged = isinstance(system, PagedElasticSystem)
    pools = {name: system._pools[name] for name in POOLS}
    for pool in pools.values():
        for status, requests in zip(pool.status, pool.requests, strict=True):
            assert status in (Status.SERVING, Status.DRAINING) or not requests
    held = [r for leg in (system._prefill_leg, system._decode_leg) for r in waiting_in(leg)]
    prefill = [r for requests in pools["prefill"].requests for r in requests]
    decode = [r for requests in pools["decode"].requests for r in requests]
    everyone = [*held, *prefill, *decode]
    if paged:  # a prompt on its way is both on its prefill and on its decode worker
        now = system.clock.now
        assert all(r.prefill_end <= now for r in {*prefill} & {*decode, *held})
        check_blocks(system)
        computing = [[r for r in rs if r.prefill_end > now] for rs in pools["prefill"].requests]
    else:
        assert len(set(everyone)) == len(everyone)
        travelling = in_transfer(system._links)
        computing = [[r for r in rs if r not in travelling] for rs in pools["prefill"].requests]
    assert list(system._prefill_state.active) == list(map(len, computing))
    assert list(system._decode_state.active) == list(map(len, pools["decode"].requests))
    check_caches(system)
    return len(set(everyone))


def waiting_in(leg: Any) -> list[Request]:
    return [*leg.held, *(request for window in leg._windows for request in window._held)]


def in_transfer(links: Links | None) -> set[Request]:
    assert links is not None
    return {transfer.request for link in links._links for transfer in link._in_flight}


def check_blocks(system: PagedElasticSystem) -> None:
    """The blocks in use are those of the requests, each counted once however many share it."""
    for worker, requests in zip(system._prefill, system._pools["prefill"].requests, strict=True):
        holders = {*requests, *worker._releases}
        blocks = {block for request in holders for block in request.source}
        assert worker.pool.held == len(blocks)
        assert 0 <= worker.pool.free <= worker.pool.capacity
    for worker, requests in zip(system._decode, system._pools["decode"].requests, strict=True):
        without = {*worker._pending}
        blocks = {b for r in requests if r not in without for b in r.held}
        grown = worker.pool.held - len(blocks)
        assert grown >= 0
        if not worker._running:
            assert grown == 0, "only output of running requests grows"
        assert 0 <= worker.pool.free <= worker.pool.capacity
        assert worker._promised == sum(worker._whole(r) for r in requests if r not in without)


def check_caches(system: ElasticSystem) -> None:
    """Workers that are not there have nothing cached."""
    for name, caches in (
        ("prefill", system._prefill_caches),
        ("decode", system._decode_caches),
    ):
        if caches is not None:
            sizes = caches.sizes()
            for place, status in enumerate(system._pools[name].status):  # type: ignore[index]
                assert status in (Status.SERVING, Status.DRAINING) or not sizes[place]


def check_index(system: PagedElasticSystem) -> None:
    """After the last step routers know just what prefill workers have cached."""
    index = system._prefill_index
    if index is None or isinstance(index, LaggedIndex):
        return
    for place, worker in enumerate(system._prefill):
        known = {name for name, holders in index._holders.items() if holders >> place & 1}
        assert known == set(worker.pool._found)
