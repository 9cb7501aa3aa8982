"""What the replicas of a router know of one pool's workers, and how late they hear of changes.

Changes that are yet to be heard of lie in three rings, each in order of time: requests placed by
other replicas, requests that have ended as the replica that placed them hears of it, and as the
others do. A fourth one holds what workers have cached.
"""

import numpy as np

from anarchy.serving.compiled.core.compile import inner, integer
from anarchy.serving.compiled.core.records import Request, State
from anarchy.serving.compiled.core.requests import in_longer
from anarchy.serving.compiled.core.router_records import Dispatcher, Update
from anarchy.serving.compiled.core.tables import NOBODY
from anarchy.serving.compiled.router.argmin_tree import set_key

PLACED, ENDED, ENDED_ELSEWHERE, CACHED = map(integer, range(4))
RINGS = 4


def with_room(dispatcher: Dispatcher) -> Dispatcher:
    """A dispatcher with room for twice as many updates in each ring."""
    length = 2 * dispatcher.updates.shape[1]
    longer = [
        in_longer(dispatcher.updates[number], ring.head, ring.tail, length)
        for number, ring in enumerate(dispatcher.rings)
    ]
    return dispatcher._replace(updates=np.stack(longer).view(np.recarray))


@inner
def updates_are_short(dispatcher: Dispatcher, wanted: int) -> bool:
    """Whether some ring has no room for `wanted` further updates."""
    if dispatcher.rule.immediate and dispatcher.rule.cache_lag == 0:
        return False
    room = dispatcher.updates.shape[1]
    for number in range(RINGS):
        ring = dispatcher.rings[number]
        if ring.tail - ring.head + wanted > room:
            return True
    return False


@inner
def publish(dispatcher: Dispatcher, number: int, due: float) -> Update:
    """Add an update to a ring, to be heard of at a time; what it says is yet to be written."""
    ring = dispatcher.rings[number]
    update = dispatcher.updates[number, ring.tail % dispatcher.updates.shape[1]]
    ring.tail += 1
    update.due = due
    return update


@inner
def next_due(dispatcher: Dispatcher, number: int, now: float) -> int:
    """Take the next update out of a ring if it is due: its place, or NOBODY."""
    ring = dispatcher.rings[number]
    if ring.head == ring.tail:
        return NOBODY
    place = ring.head % dispatcher.updates.shape[1]
    if dispatcher.updates[number, place].due > now:
        return NOBODY
    ring.head += 1
    return place


@inner
def _count(state: State, dispatcher: Dispatcher, replica: int, update: Update, sign: int) -> None:
    """Count a request in a replica's load of its worker, or no longer (sign -1)."""
    load = dispatcher.loads[replica, update.worker]
    load.active += sign
    load.queued_tokens += sign * update.tokens
    load.blocks += sign * update.blocks
    load.registered |= sign > 0
    if dispatcher.rule.distinct:
        holds = dispatcher.holds[replica * len(dispatcher.views) + update.worker]
        for place in range(update.first_shared, update.first_shared + update.shared_blocks):
            block = state.blocks[place]
            others = holds[block] if sign > 0 else holds[block] - 1
            holds[block] += sign
            if others > 0:
                load.blocks -= sign


@inner
def apply_due(state: State, dispatcher: Dispatcher) -> None:
    """Count all requests that have been placed or have ended as far as is known by now."""
    now = state.progress.now
    for number in range(CACHED):
        while True:
            place = next_due(dispatcher, number, now)
            if place == NOBODY:
                break
            update = dispatcher.updates[number, place]
            for replica in range(state.settings.replicas):
                if (replica == update.replica) == (number == ENDED):
                    sign = 1 if number == PLACED else -1
                    _count(state, dispatcher, replica, update, sign)


@inner
def _describe(dispatcher: Dispatcher, update: Update, request: Request, w: int) -> None:
    """Write what a request adds to a worker's load."""
    update.replica = request.replica
    update.worker = w
    update.tokens = request.expected_tokens if dispatcher.rule.is_prefill else 0
    update.blocks = request.prompt_blocks
    update.first_shared = request.first_shared
    update.shared_blocks = request.shared_blocks


@inner
def _change(dispatcher: Dispatcher, request: Request, w: int, sign: int) -> None:
    """Change a load that is the truth."""
    rule, load = dispatcher.rule, dispatcher.loads[0, w]
    load.active += sign
    load.blocks += sign * request.prompt_blocks
    if rule.is_prefill:
        load.queued_tokens += sign * request.expected_tokens
    if len(dispatcher.tree):
        set_key(dispatcher.tree, w, load.blocks if rule.by_blocks else load.active)


@inner
def placed(state: State, dispatcher: Dispatcher, request: Request, w: int) -> None:
    """The request's replica sends it to a worker."""
    dispatcher.views[w].active += 1
    if dispatcher.rule.immediate:
        _change(dispatcher, request, w, integer(1))
        return
    if w < dispatcher.rule.overlooked:
        return
    _describe(dispatcher, dispatcher.placement, request, w)
    _count(state, dispatcher, request.replica, dispatcher.placement, integer(1))
    if state.settings.replicas > 1:
        due = state.progress.now + dispatcher.rule.replica_lag
        _describe(dispatcher, publish(dispatcher, PLACED, due), request, w)


@inner
def ended(state: State, dispatcher: Dispatcher, request: Request, w: int, grown: int) -> None:
    """The worker is done with the request, whose output stays in the load with `grown` blocks until
    the replica hears of it."""
    rule = dispatcher.rule
    dispatcher.views[w].active -= 1
    if rule.immediate:
        _change(dispatcher, request, w, integer(-1))
        return
    if w < rule.overlooked:
        return
    heard = state.progress.now + rule.event_lag
    if state.settings.replicas > 1:
        update = publish(dispatcher, ENDED_ELSEWHERE, heard + rule.replica_lag)
        _describe(dispatcher, update, request, w)
    dispatcher.loads[request.replica, w].blocks += grown
    update = publish(dispatcher, ENDED, heard)
    _describe(dispatcher, update, request, w)
    update.blocks += grown
