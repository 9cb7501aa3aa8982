"""The main loop of a system with paged memory: the mirror of `reference.paged.engine`."""

from anarchy.serving.compiled.core import event_queue
from anarchy.serving.compiled.core.compile import compiled, inner, integer
from anarchy.serving.compiled.core.records import (
    DRAINED,
    FINISHED,
    GROW_COMPLETIONS,
    NOBODY,
    PAUSED,
)
from anarchy.serving.compiled.core.request_ring import request_of
from anarchy.serving.compiled.paged import decode, prefill, records
from anarchy.serving.compiled.paged.block_pool import new_list
from anarchy.serving.compiled.paged.linked_lists import append, sequence_of
from anarchy.serving.compiled.paged.prefix_index import apply_due, late_changes_are_short
from anarchy.serving.compiled.paged.records import DECODE, PREFILL, PagedState
from anarchy.serving.compiled.paged.reservation import accept, enter_pending, try_reservation
from anarchy.serving.compiled.paged.same_instant import defer, on_grid, set_ready
from anarchy.serving.compiled.plain.system import (
    choose_decode,
    choose_prefill,
    complete,
    handoff_seconds,
    is_through,
    runs_short,
    take_in,
)
from anarchy.serving.compiled.router.worker_loads import ended
from anarchy.serving.rules.event_order import SETTLE, SETTLE_ARRIVALS, TRANSFER_END


@inner
def _receive(state: PagedState, number: int) -> None:
    """A request is through the frontend: it goes to a prefill worker at the end of the instant."""
    request, sequence = request_of(state.plain, number), sequence_of(state, number)
    size, prompt = state.plain.settings.block_tokens, request.input_tokens
    sequence.scheduled = 0
    sequence.recomputing = False
    sequence.continued = False
    sequence.source = new_list(state, -(-prompt // size))
    sequence.target = new_list(state, -(-(prompt + request.output_tokens) // size))
    defer(state, records.PLACE, number, SETTLE_ARRIVALS)


@inner
def _number_names(state: PagedState, number: int) -> None:
    """Call the names of a prompt what the reference calls them: in order of arrival."""
    request, parts = request_of(state.plain, number), state.settings.parts
    next_number = state.progress.next_number
    for place in range(request.ids):
        name = state.plain.blocks[request.first_shared + place * parts]
        if state.plain.names[name] == records.UNNUMBERED:
            for part in range(parts):
                state.plain.names[name + part] = next_number + part
            next_number += parts
    request.first_own = next_number
    state.progress.next_number = next_number + request.own_blocks


@inner
def _place(state: PagedState, number: int) -> None:
    if state.settings.numbered:
        _number_names(state, number)
    apply_due(state, integer(PREFILL))
    prefill.submit(state, choose_prefill(state.plain, number), number)


@inner
def _prefilled(state: PagedState, number: int) -> bool:
    """A prompt is computed: choose its decode worker; whether the run ends."""
    request = request_of(state.plain, number)
    if len(state.prefill) > 1:
        ended(state.plain, state.plain.to_prefill, request, request.prefill_worker, integer(0))
    apply_due(state, integer(DECODE))
    if state.plain.to_decode.rule.generated:
        decode.show_output(state, request.replica)
    w = choose_decode(state.plain, number)
    worker, queue = state.plain.decode_workers[w], state.decode[w]
    interrupts = enter_pending(state, queue, number)
    if worker.batch and interrupts and _meet_boundary(state, w):
        return True
    if not worker.batch:
        try_reservation(state, w)
        set_ready(state, queue)
    return False


@inner
def _transfer(state: PagedState, number: int) -> bool:
    """A request has room at decode: send its KV; whether the run ends."""
    delay = handoff_seconds(state.plain, request_of(state.plain, number))
    if delay > 0:
        end = on_grid(state.plain.progress.now + delay)
        event_queue.push(state.plain, end, integer(TRANSFER_END), event_queue.HANDED_OVER, number)
        return False
    return _activate(state, number)


@inner
def _activate(state: PagedState, number: int) -> bool:
    """A prompt's KV is at decode: it joins at the next step; whether the run ends."""
    w = request_of(state.plain, number).decode_worker
    worker = state.plain.decode_workers[w]
    if worker.batch and _meet_boundary(state, w):
        return True
    if worker.batch:
        append(state, state.decode[w].entered, number)
    else:
        accept(state, w, number)
    return False


@inner
def _release(state: PagedState, number: int) -> None:
    """Decode has taken a request over."""
    if state.settings.handoff_is_first_token:
        request_of(state.plain, number).first_token = state.plain.progress.now
    prefill.let_go(state, number)


@inner
def _meet_boundary(state: PagedState, w: int) -> bool:
    """Let a decode worker's steps end at the first boundary from now on; whether the run ends."""
    return decode.meets_boundary(state, w) and _end_steps(state, w)


@inner
def _end_steps(state: PagedState, w: int) -> bool:
    """The due steps of a decode worker end; whether the run ends."""
    number = decode.make_due_steps(state, w)
    while number != NOBODY:
        request = request_of(state.plain, number)
        number = sequence_of(state, number).following
        state.decode[w].latest_done = state.decode[w].preemptions
        if complete(state.plain, request, w):
            return True
    decode.between_steps(state, w)
    return False


@inner
def _act(state: PagedState, kind: int, number: int) -> bool:
    """Do what is due for a request; whether the run ends."""
    if kind == records.PLACE:
        _place(state, number)
    elif kind == records.PREFILLED:
        return _prefilled(state, number)
    elif kind == records.TRANSFER:
        return _transfer(state, number)
    elif kind == records.ACTIVATE:
        return _activate(state, number)
    else:
        _release(state, number)
    return False


@inner
def _settle(state: PagedState) -> bool:
    """Do all that is due at this instant; whether the run ends."""
    progress = state.progress
    more = True
    while more:
        while progress.actions_read < progress.actions_due:
            action = state.actions[progress.actions_read]
            progress.actions_read += 1
            if _act(state, action.kind, action.number):
                return True
        more = False
        for w in range(len(state.prefill)):
            if state.prefill[w].ready:
                state.prefill[w].ready = False
                more = prefill.begin(state, w) or more
        for w in range(len(state.decode)):
            if state.decode[w].ready:
                state.decode[w].ready = False
                more = decode.begin(state, w) or more
        more = (more or progress.actions_read < progress.actions_due) and not progress.thrashes
    progress.actions_read = progress.actions_due = 0
    progress.settling = False
    return False


@inner
def _short(state: PagedState) -> int:
    """What the driver has to supply before the next event, or FINISHED if nothing.

    At one event a request that is there makes two moves at most, and four events.
    """
    plain, progress = state.plain, state.progress
    if progress.thrashes:
        return records.THRASHES
    there = plain.progress.arrived - plain.progress.completions
    events = 4 * (there + len(state.pools)) + 4
    short = runs_short(plain, 2 * there + 2, events)
    if short != FINISHED:
        return short
    if min(plain.settings.slots, there + 1) > plain.completions.shape[1]:
        return GROW_COMPLETIONS
    if progress.lists_used + 2 >= len(state.lists):
        return records.GROW_LISTS
    if progress.held_used + state.settings.largest_lists > len(state.held):
        return records.GROW_LISTS
    if late_changes_are_short(state):
        return records.GROW_CHANGES
    return FINISHED


@compiled
def advance_paged(state: PagedState) -> int:
    """Run until the last request is done or until something runs short: see `core.records`."""
    plain = state.plain
    while True:
        if plain.progress.events == 0:
            return DRAINED
        event = plain.events[0]
        time, kind, number = event.key, event.kind, event.number
        if time > plain.progress.pause_at:
            return PAUSED
        if kind == event_queue.BATCH_CHANGES and time != plain.decode_workers[number].due:
            event_queue.drop_event(plain)  # superseded
            continue
        short = _short(state)
        if short != FINISHED:
            return short
        plain.progress.now = time
        event_queue.drop_event(plain)
        if kind == event_queue.BATCH_CHANGES:
            if _end_steps(state, number):
                return FINISHED
        elif kind == event_queue.HANDED_OVER:
            defer(state, records.ACTIVATE, number, SETTLE)
        elif kind == event_queue.STEP_ENDS:
            prefill.end_step(state, number)
        elif kind == event_queue.ARRIVE:
            arrived = take_in(plain, number)
            if is_through(plain, arrived):
                _receive(state, arrived)
        elif kind == event_queue.RECEIVED:
            plain.progress.lookahead -= 1
            _receive(state, number)
        elif _settle(state):
            return FINISHED
