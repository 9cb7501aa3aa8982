"""From prefill to a decode batch: how requests get room and enter; see `reference.paged`.

Room is reserved for one request at a time, between two steps and in order of arrival.
"""

from anarchy.serving.compiled.core import records
from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import DecodeWorker, Request, State
from anarchy.serving.compiled.core.requests import append, insert, pop, request_of, sequence_of
from anarchy.serving.compiled.core.tables import NOBODY
from anarchy.serving.compiled.paged.block_pool import match, name_blocks, pool_of, take
from anarchy.serving.compiled.paged.same_instant import defer, set_ready
from anarchy.serving.rules.event_order import SETTLE


@small
def whole_blocks(state: State, request: Request) -> int:
    """Blocks of the prompt and all its output."""
    return -(-(request.input_tokens + request.output_tokens) // state.settings.block_tokens)


@inner
def enter_pending(state: State, worker: DecodeWorker, number: int) -> bool:
    """Queue a request for room; whether the running steps should end for it."""
    worker.turns += 1
    sequence_of(state, number).turn = worker.turns
    waits = worker.pending.length > 0
    append(state, worker.pending, number)
    return not (waits and worker.tried)


@inner
def try_reservation(state: State, w: int) -> None:
    """Give the first pending request its room, if it has not been tried in vain already."""
    worker = state.decode_workers[w]
    if not worker.pending.length or worker.tried:
        return
    number = worker.pending.first
    slots_left = worker.running.length < state.settings.slots
    if not slots_left or not _reserve_room(state, w, number):
        worker.tried = True
        return
    defer(state, records.TRANSFER, pop(state, worker.pending), SETTLE)


@inner
def _reserve_room(state: State, w: int, number: int) -> bool:
    settings, worker, request = state.settings, state.decode_workers[w], request_of(state, number)
    promised = worker.promised_blocks + whole_blocks(state, request)
    if settings.preempt == records.NEVER and promised > settings.memory_blocks:
        return False
    pool, size, prompt, found = pool_of(state, w), settings.block_tokens, request.input_tokens, 0
    if settings.caching:
        found, _ = match(state, pool, request, prompt // size)
    held, fresh = sequence_of(state, number).target, -(-prompt // size) - found
    if not take(state, pool, request, held, found, fresh):
        return False
    worker.promised_blocks = promised
    return True


@inner
def accept(state: State, w: int, number: int) -> None:
    """A request may join the batch from now on."""
    worker = state.decode_workers[w]
    request, sequence = request_of(state, number), sequence_of(state, number)
    sequence.named = request.input_tokens // state.settings.block_tokens
    if state.settings.caching:
        name_blocks(state, pool_of(state, w), request, sequence.target, integer(0), sequence.named)
    sequence.known = sequence.computed = request.input_tokens
    ahead = 0
    other = worker.waiting.first
    while other != NOBODY:
        ahead += sequence_of(state, other).turn < sequence.turn
        other = request_of(state, other).following
    other = worker.waiting.first
    for _ in range(ahead):
        other = request_of(state, other).following
    insert(state, worker.waiting, other, number)
    defer(state, records.RELEASE, number, SETTLE)
    try_reservation(state, w)
    set_ready(state, worker)
