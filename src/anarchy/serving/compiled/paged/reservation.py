"""From prefill to a decode batch: how requests get room and enter; see `reference.paged`.

Room is reserved for one request at a time, between two steps and in order of arrival.
"""

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import NOBODY
from anarchy.serving.compiled.core.request_ring import request_of
from anarchy.serving.compiled.paged import linked_lists
from anarchy.serving.compiled.paged.block_pool import match, name_blocks, names_of, pool_of, take
from anarchy.serving.compiled.paged.linked_lists import sequence_of
from anarchy.serving.compiled.paged.records import NEVER, RELEASE, TRANSFER, DecodeQueue, PagedState
from anarchy.serving.compiled.paged.same_instant import defer, set_ready
from anarchy.serving.rules.event_order import SETTLE


@small
def whole_blocks(state: PagedState, number: int) -> int:
    """Blocks of the prompt and all its output."""
    request = request_of(state.plain, number)
    return -(-(request.input_tokens + request.output_tokens) // state.plain.settings.block_tokens)


@inner
def enter_pending(state: PagedState, queue: DecodeQueue, number: int) -> bool:
    """Queue a request for room; whether the running steps should end for it."""
    queue.turns += 1
    sequence_of(state, number).turn = queue.turns
    waits = queue.pending.length > 0
    linked_lists.append(state, queue.pending, number)
    return not (waits and queue.tried)


@inner
def try_reservation(state: PagedState, w: int) -> None:
    """Give the first pending request its room, if it has not been tried in vain already."""
    queue = state.decode[w]
    if not queue.pending.length or queue.tried:
        return
    number = queue.pending.first
    slots_left = queue.running.length < state.plain.settings.slots
    if not slots_left or not _reserve_room(state, w, number):
        queue.tried = True
        return
    linked_lists.remove(state, queue.pending, number)
    defer(state, TRANSFER, number, SETTLE)


@inner
def _reserve_room(state: PagedState, w: int, number: int) -> bool:
    size, queue = state.plain.settings.block_tokens, state.decode[w]
    promised = queue.promised_blocks + whole_blocks(state, number)
    if state.settings.preempt == NEVER and promised > state.settings.memory_blocks:
        return False
    pool, names = pool_of(state, w), names_of(state, number)
    prompt, found = request_of(state.plain, number).input_tokens, 0
    if state.plain.settings.caching:
        found, _ = match(state, pool, names, prompt // size)
    fresh = -(-prompt // size) - found
    held = sequence_of(state, number).target
    if not take(state, pool, names, held, found, fresh):
        return False
    queue.promised_blocks = promised
    return True


@inner
def accept(state: PagedState, w: int, number: int) -> None:
    """A request may join the batch from now on."""
    queue, sequence = state.decode[w], sequence_of(state, number)
    prompt = request_of(state.plain, number).input_tokens
    sequence.named = prompt // state.plain.settings.block_tokens
    if state.plain.settings.caching:
        pool, held = pool_of(state, w), sequence.target
        name_blocks(state, pool, names_of(state, number), held, integer(0), sequence.named)
    sequence.generated = 0
    sequence.computed = prompt
    ahead = 0
    other = queue.waiting.first
    while other != NOBODY:
        ahead += sequence_of(state, other).turn < sequence.turn
        other = linked_lists.following(state, other)
    other = queue.waiting.first
    for _ in range(ahead):
        other = linked_lists.following(state, other)
    linked_lists.insert(state, queue.waiting, other, number)
    defer(state, RELEASE, number, SETTLE)
    try_reservation(state, w)
    set_ready(state, queue)
