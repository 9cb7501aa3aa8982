"""A dispatcher's decision: what it sees of one pool, and whom it sends a request to."""

import numpy as np

from anarchy.config.router import Router
from anarchy.serving.compiled.core.compile import inner
from anarchy.serving.compiled.core.records import (
    NOBODY,
    Dispatcher,
    Load,
    PrefixCaches,
    Request,
    Ring,
    State,
    TreeNode,
    Update,
    View,
)
from anarchy.serving.compiled.core.tables import Memory, Table
from anarchy.serving.compiled.kv_cache.prefix_cache import (
    HOST,
    find_overlap,
    find_overlaps,
    insert,
    node_of,
)
from anarchy.serving.compiled.router import policies
from anarchy.serving.compiled.router.argmin_tree import make_tree
from anarchy.serving.compiled.router.choices import STREAMS, choose, choose_least, choose_of_two
from anarchy.serving.compiled.router.worker_loads import (
    CACHED,
    RINGS,
    apply_due,
    next_due,
    publish,
)

FEW = 16
"""Workers that are compared faster one by one than in a tree."""

UPDATES = 1 << 12
"""Updates that there is room for at first, if there are any."""


def make_dispatcher(
    memory: Memory,
    router: Router,
    prefill: bool,
    workers: int,
    names: int,
    seen: PrefixCaches,
    indexed: bool,
    price_all: bool,
) -> Dispatcher:
    """One pool's dispatcher; `names` is how many blocks prompts share.

    `price_all` says that somebody wants to know what each worker costs, or that the way to decide
    may change.
    """
    rule, replicas = policies.make_rule(memory, router, prefill), router.tracking.replicas
    pool = "prefill" if prefill else "decode"
    rule.tie_stream = STREAMS.index(f"{pool}-ties")
    rule.softmax_stream = STREAMS.index(f"{pool}-softmax")
    rule.indexed = indexed
    tree: Table[TreeNode] = memory.table(TreeNode, 0)
    if not price_all:
        way, rule.by_blocks = policies.shortcut(router, prefill, indexed)
        if way == policies.LOOK_AT_LEAST:
            if rule.immediate and workers >= FEW:
                tree = make_tree(memory, workers)
            else:
                way = policies.PRICE_ALL
        rule.shortcut = way
    late = not rule.immediate or rule.cache_lag > 0
    return Dispatcher(
        rule=rule,
        views=memory.table(View, workers),
        costs=memory.zeros(np.float64, workers),
        pair=memory.zeros(np.float64, 2),
        turns=memory.zeros(np.int64, replicas),
        loads=memory.table(Load, replicas, workers),
        holds=memory.zeros(np.int64, replicas * workers, names if rule.distinct else 0),
        placement=memory.record(Update),
        rings=memory.table(Ring, RINGS),
        updates=memory.table(Update, RINGS, UPDATES if late else 64),
        tree=tree,
        seen=seen,
    )


@inner
def cache_prompt(
    state: State, to: Dispatcher, caches: PrefixCaches, request: Request, w: int
) -> None:
    """A worker has the blocks of a prompt; the router hears of it `cache_lag` later."""
    first, end = request.first_shared, request.first_shared + request.shared_blocks
    insert(caches, w, state.blocks, first, end, request.own_blocks)
    if to.rule.cache_lag > 0:
        update = publish(to, CACHED, state.progress.now + to.rule.cache_lag)
        update.worker = w
        update.first_shared = first
        update.shared_blocks = request.shared_blocks
        update.own_blocks = request.own_blocks


@inner
def _apply_cached(state: State, to: Dispatcher) -> None:
    """Let the router know of the prompts that it hears by now are cached."""
    while True:
        place = next_due(to, CACHED, state.progress.now)
        if place == NOBODY:
            break
        update = to.updates[CACHED, place]
        first, end = update.first_shared, update.first_shared + update.shared_blocks
        insert(to.seen, update.worker, state.blocks, first, end, update.own_blocks)


@inner
def _look_at_caches(state: State, to: Dispatcher, request: Request) -> None:
    """See what each worker has of the prompt, as far as the router has heard."""
    first = request.first_shared
    find_overlaps(to.seen, state.blocks, first, first + request.shared_blocks, to.views)
    if to.seen.totals.host_blocks:
        for w in range(len(to.views)):
            on_host = 0
            for place in range(first, first + to.views[w].overlap):
                on_host += node_of(to.seen, w, state.blocks[place]).tier == HOST
            to.views[w].on_host = on_host


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
def _take_shortcut(state: State, to: Dispatcher, request: Request, planned: int) -> int:
    """The choice of a plan, or of a policy that need not price every worker."""
    if planned != NOBODY:
        w = planned
    elif to.rule.shortcut == policies.LOOK_AT_LEAST:
        w = choose_least(state, to)
    elif to.rule.shortcut == policies.LOOK_AT_TWO:
        w = choose_of_two(state, to, request)
    else:
        w = choose(state, to, request)
    if to.rule.indexed:
        first = request.first_shared
        end = first + request.shared_blocks
        to.views[w].overlap = find_overlap(to.seen, state.blocks, first, end, w)
    return w


@inner
def decide(state: State, to: Dispatcher, request: Request, planned: int) -> int:
    """The worker that a request is sent to; views and costs tell why.

    It is the `planned` one, or the policy's if that is NOBODY.
    """
    rule = to.rule
    if rule.indexed and rule.cache_lag > 0:
        _apply_cached(state, to)
    if not rule.immediate:
        apply_due(state, to)
    if rule.shortcut != policies.PRICE_ALL:
        return _take_shortcut(state, to, request, planned)
    if rule.indexed:
        _look_at_caches(state, to, request)
    for w in range(len(to.views)):
        view = to.views[w]
        view.active_blocks = to.loads[request.replica, w].blocks
        view.added_blocks = request.prompt_blocks
    if not rule.immediate:
        _miscount(state, to, request)
    policies.price(state, to, request)
    return choose(state, to, request) if planned == NOBODY else planned
