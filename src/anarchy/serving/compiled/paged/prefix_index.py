"""What a router knows of the caches of a pool with paged memory.

The mirror of `reference.kv_cache.prefix_index` and of its view that hears late, told at the end of
each step. It is a prefix cache (see `kv_cache.prefix_cache`) with the masks of holders and the
sizes of the caches, but without lists of blocks. Names of single requests only count there: nobody
asks for them.
"""

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import NOBODY, Dispatcher
from anarchy.serving.compiled.kv_cache.prefix_cache import HBM
from anarchy.serving.compiled.paged.records import DECODE, PREFILL, Found, PagedState


@small
def _is_news(found: Found) -> bool:
    """Whether a name is there and the router thinks otherwise, or the other way round."""
    return (found.block > 0) != found.published


@inner
def _compact(state: PagedState, pool: int) -> None:
    """Forget changes that have been undone: what is left is less than twice the memory."""
    changed, kept = state.changed[pool], 0
    for place in range(state.pools[pool].changed):
        found = state.found[pool, changed[place]]
        if _is_news(found):
            changed[kept] = changed[place]
            kept += 1
        else:
            found.changed = False
    state.pools[pool].changed = kept


@small
def note(state: PagedState, pool: int, name: int) -> None:
    """A shared name has appeared or disappeared on a worker."""
    counts, found = state.pools[pool], state.found[pool, name]
    if not counts.indexed or found.changed:
        return
    if counts.changed == state.changed.shape[1]:
        _compact(state, pool)
    found.changed = True
    state.changed[pool, counts.changed] = name
    counts.changed += 1


@small
def _dispatcher(state: PagedState, side: int) -> Dispatcher:
    return state.plain.to_prefill if side == PREFILL else state.plain.to_decode


@inner
def _apply(state: PagedState, side: int, worker: int, name: int, growth: int) -> None:
    """Show a change of a worker's cache."""
    seen = _dispatcher(state, side).seen
    seen.lists[worker, HBM].blocks += growth
    if name != NOBODY:
        word, bit = worker >> 5, 1 << (worker & 31)
        mask = seen.holders[name, word]
        seen.holders[name, word] = mask | bit if growth > 0 else mask & ~bit


@inner
def _show(state: PagedState, pool: int, name: int, growth: int) -> None:
    """Show a change now or, if the router hears late, later."""
    side, w = state.pools[pool].side, state.pools[pool].worker
    lag = _dispatcher(state, side).rule.cache_lag
    if not lag:
        _apply(state, side, w, name, growth)
        return
    ring, changes = state.rings[side], state.late_changes[side]
    change = changes[ring.tail % len(changes)]
    ring.tail += 1
    change.due = state.plain.progress.now + lag
    change.worker = w
    change.name = name
    change.growth = growth


@inner
def publish(state: PagedState, pool: int) -> None:
    """A worker's step has ended: the router hears what has changed."""
    counts = state.pools[pool]
    if not counts.indexed:
        return
    for place in range(counts.changed):
        name = state.changed[pool, place]
        found = state.found[pool, name]
        found.changed = False
        if _is_news(found):
            found.published = not found.published
            _show(state, pool, name, 1 if found.published else -1)
    counts.changed = 0
    if counts.own_change:
        _show(state, pool, integer(NOBODY), counts.own_change)
        counts.own_change = 0


@inner
def apply_due(state: PagedState, side: int) -> None:
    """Show all late changes that are due by now."""
    ring, changes = state.rings[side], state.late_changes[side]
    while ring.head < ring.tail:
        change = changes[ring.head % len(changes)]
        if change.due > state.plain.progress.now:
            break
        _apply(state, side, change.worker, change.name, change.growth)
        ring.head += 1


@inner
def late_changes_are_short(state: PagedState) -> bool:
    """Whether there is no room for all the late changes that one event may tell of."""
    room = state.late_changes.shape[1]
    if not room:
        return False
    for side in (PREFILL, DECODE):
        most = state.rings[side].tail - state.rings[side].head
        for pool in range(len(state.pools)):
            counts = state.pools[pool]
            if counts.side == side and counts.indexed:
                most += counts.changed + state.settings.memory_blocks + 1
        if most > room:
            return True
    return False
