"""A dispatcher's decision: what it sees of one pool, and whom it sends a request to."""

from anarchy.serving.compiled.core.compile import inner
from anarchy.serving.compiled.core.records import Request, State
from anarchy.serving.compiled.core.requests import request_of
from anarchy.serving.compiled.core.router_records import Dispatcher, PrefixCaches
from anarchy.serving.compiled.core.tables import NOBODY
from anarchy.serving.compiled.kv_cache.prefix_cache import (
    count,
    find_overlap,
    find_overlaps,
    insert,
)
from anarchy.serving.compiled.router import policies, worker_loads
from anarchy.serving.compiled.router.choices import choose
from anarchy.serving.compiled.router.worker_loads import CACHED


@inner
def cache_prompt(
    state: State, to: Dispatcher, caches: PrefixCaches, request: Request, w: int
) -> None:
    """A worker has the blocks of a prompt; the router hears of it `cache_lag` later."""
    first, shared, own = request.first_shared, request.shared_blocks, request.own_blocks
    insert(caches, w, state.blocks, first, shared, own)
    if to.rule.cache_lag > 0:
        update = worker_loads.publish(to, CACHED, state.progress.now + to.rule.cache_lag)
        update.worker = w
        update.first_shared = first
        update.shared_blocks = shared
        update.own_blocks = own


@inner
def _apply_cached(state: State, to: Dispatcher) -> None:
    """Let the router know of what it hears by now is cached."""
    while True:
        place = worker_loads.next_due(to, CACHED, state.progress.now)
        if place == NOBODY:
            break
        update = to.updates[CACHED, place]
        w, first = update.worker, update.first_shared
        if state.settings.paged:
            count(to.seen, w, first, update.blocks)
        else:
            insert(to.seen, w, state.blocks, first, update.shared_blocks, update.own_blocks)


@inner
def _miscount(state: State, to: Dispatcher, request: Request) -> None:
    """Show active blocks as the router's rules of counting have them."""
    rule, first = to.rule, request.first_shared
    for w in range(len(to.views)):
        view = to.views[w]
        if rule.distinct:
            holds = to.holds[request.replica * len(to.views) + w]
            for place in range(first, first + request.shared_blocks):
                if holds[state.blocks[place]]:
                    view.added_blocks -= 1
        if rule.generated and w >= rule.overlooked:
            view.active_blocks += view.output_blocks
        if rule.penalty and not to.loads[request.replica, w].registered:
            view.active_blocks += request.prompt_blocks


@inner
def _price_all(state: State, to: Dispatcher, request: Request) -> None:
    """See all workers, and what each costs."""
    if to.rule.indexed:
        find_overlaps(to.seen, state.blocks, request, to.views)
    for w in range(len(to.views)):
        view = to.views[w]
        view.active_blocks = to.loads[request.replica, w].blocks
        view.added_blocks = request.prompt_blocks
    if not to.rule.immediate:
        _miscount(state, to, request)
    policies.price(state, to, request)


@inner
def _log_costs(state: State, to: Dispatcher, number: int) -> None:
    """Keep what a decision was made on."""
    costs, workers = state.costs[number & (len(state.requests) - 1)], len(to.views)
    first = 0 if to.rule.is_prefill else len(state.prefill_workers)
    for w in range(workers):
        costs[first + w] = to.costs[w]
        if not to.rule.is_prefill:
            costs[first + workers + w] = to.views[w].active


@inner
def decide(state: State, to: Dispatcher, number: int) -> int:
    """The worker that a request is sent to, by the plan or by the policy; views tell why."""
    rule, request, pool = to.rule, request_of(state, number), 0 if to.rule.is_prefill else 1
    if rule.indexed and rule.cache_lag > 0:
        _apply_cached(state, to)
    if not rule.immediate:
        worker_loads.apply_due(state, to)
    if rule.price_all:
        _price_all(state, to, request)
    w = state.plan[number, pool] if number < len(state.plan) else NOBODY
    if w == NOBODY:
        w = choose(state, to, request)
    if rule.indexed and not rule.price_all:
        to.views[w].overlap = find_overlap(to.seen, state.blocks, request, w)
    if state.settings.log_costs:
        _log_costs(state, to, number)
    return w
