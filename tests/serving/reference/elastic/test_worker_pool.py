"""Pools whose workers come and go, and what a router sees of them."""

import pytest

from anarchy.config.engine import PrefixCache
from anarchy.config.router import Router, Tracking
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.elastic.worker_pool import Pool, PoolLoads, Status
from anarchy.serving.reference.kv_cache.prefix_index import PrefixCaches
from anarchy.serving.reference.kv_cache.tiers import TieredCaches
from anarchy.serving.service_times.lookup import Latency


def request(prompt: int, prompt_blocks: int) -> Request:
    return Request(prompt, 64 * prompt_blocks, 10, tuple(range(prompt_blocks)), prompt_blocks)


def test_places_keep_their_numbers() -> None:
    pool = Pool(4, 2)
    assert pool.serving == [0, 1]
    pool.change(0, Status.DRAINING)
    pool.change(3, Status.STARTING)
    assert pool.serving == [1]
    pool.change(3, Status.SERVING)
    assert pool.serving == [1, 3]
    assert pool.count(Status.ABSENT, Status.DRAINING) == 2


def test_a_draining_worker_is_drained_when_it_has_nothing_left() -> None:
    pool = Pool(2, 2)
    one = request(0, 1)
    pool.requests[1][one] = None
    pool.change(1, Status.DRAINING)
    assert not pool.drained(1)
    del pool.requests[1][one]
    assert pool.drained(1)
    assert not pool.drained(0), "it is in service"


@pytest.mark.parametrize("blocks", ["per-request", "distinct"])
def test_views_show_the_workers_in_service_alone(latency: Latency, blocks: str) -> None:
    caches = PrefixCaches(3, 100)
    caches.insert(0, (0,))
    caches.insert(1, (0, 1, 2, 3))
    caches.insert(2, (0, 1))
    running = [[(request(i, 1), i)] for i in range(3)]
    router = Router(tracking=Tracking(active_blocks=blocks))  # type: ignore[arg-type]
    pool = Pool(3, 3)
    loads = PoolLoads(
        pool, EventQueue(), "decode", 3, 64, router, latency, 8, caches, lambda: running
    )
    for worker, size in enumerate((5, 6, 7)):
        loads.placed(request(worker, size), worker)
    everyone = loads.view(request(9, 8))
    assert list(everyone.overlaps) == [1, 4, 2]
    pool.change(1, Status.DOWN)
    view = loads.view(request(9, 8))
    assert list(view.overlaps) == [1, 2]
    assert list(view.active) == [1, 1]
    assert list(view.active_blocks) == [5, 7]
    assert view.cache_sizes is not None
    assert list(view.cache_sizes()) == [1, 2]
    assert view.outputs() == [[(10, 64)], [(8, 66)]]
    if blocks == "distinct":
        assert view.added_blocks is not None
        assert list(view.added_blocks) == [3, 1]
    else:
        assert view.added_blocks is None


def test_views_show_the_tiers_of_the_workers_in_service(latency: Latency) -> None:
    sizes = {name: {"capacity_tokens": 64 * 10} for name in ("host", "network")}
    cache = PrefixCache.model_validate({"capacity_tokens": 64, **sizes})
    caches = TieredCaches(3, cache, 64, 1, lambda: 0.0)
    for worker, blocks in enumerate([(0,), (0, 1, 2, 3), (0, 1)]):
        caches.insert(worker, blocks)
    pool = Pool(3, 3)
    loads = PoolLoads(pool, EventQueue(), "prefill", 3, 64, Router(), latency, 8, caches, list)
    everyone = loads.view(request(9, 4)).by_tier
    assert everyone is not None
    assert everyone((0, 1, 2, 3)) == [[1, 1, 1], [0, 3, 1], [0, 0, 0], [0, 0, 0]]
    pool.change(1, Status.DOWN)
    serving = loads.view(request(9, 4)).by_tier
    assert serving is not None
    assert serving((0, 1, 2, 3)) == [[1, 1], [0, 1], [0, 0], [0, 0]]
