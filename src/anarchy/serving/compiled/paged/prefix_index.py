"""What a router hears of the caches of a pool with paged memory.

The mirror of `reference.kv_cache.prefix_index` and of its view that hears late, told at the end of
each step. Names of single requests only count there: nobody asks for them.
"""

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import State
from anarchy.serving.compiled.core.tables import NOBODY
from anarchy.serving.compiled.kv_cache.prefix_cache import count
from anarchy.serving.compiled.router import worker_loads


@small
def note(state: State, pool: int, name: int) -> None:
    """A shared name has appeared or disappeared on a worker."""
    counts, found = state.pools[pool], state.found[pool, name]
    if not counts.indexed or found.changed:
        return
    found.changed = True
    state.changed[pool, counts.changed] = name
    counts.changed += 1


@inner
def _show(state: State, pool: int, name: int, growth: int) -> None:
    """Show a change now or, if the router hears late, later."""
    prefills = len(state.prefill_workers)
    to = state.to_prefill if pool < prefills else state.to_decode
    w = pool if pool < prefills else pool - prefills
    if to.rule.cache_lag == 0:
        count(to.seen, w, name, growth)
        return
    due = state.progress.now + to.rule.cache_lag
    update = worker_loads.publish(to, worker_loads.CACHED, due)
    update.worker = w
    update.first_shared = name
    update.blocks = growth


@inner
def publish(state: State, pool: int) -> None:
    """A worker's step has ended: the router hears what has changed."""
    counts = state.pools[pool]
    if not counts.indexed:
        return
    for place in range(counts.changed):
        name = state.changed[pool, place]
        found = state.found[pool, name]
        found.changed = False
        if (found.block > 0) != found.published:
            found.published = not found.published
            _show(state, pool, name, 1 if found.published else -1)
    counts.changed = 0
    if counts.own_change:
        _show(state, pool, integer(NOBODY), counts.own_change)
        counts.own_change = 0


@inner
def changes_to_tell(state: State) -> int:
    """Late changes that one event may tell a router of, at most."""
    if max(state.to_prefill.rule.cache_lag, state.to_decode.rule.cache_lag) == 0:
        return 0
    changes = 0
    for pool in range(len(state.pools)):
        counts = state.pools[pool]
        if counts.indexed:
            changes += counts.changed + state.settings.memory_blocks + 1
    return changes
