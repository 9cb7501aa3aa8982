"""The main loop of a system with paged memory: the mirror of `reference.paged.engine`."""

from anarchy.serving.compiled.core import event_queue, records
from anarchy.serving.compiled.core.compile import compiled, inner, integer
from anarchy.serving.compiled.core.records import State
from anarchy.serving.compiled.core.requests import append, request_of, sequence_of
from anarchy.serving.compiled.paged import decode, prefill, reservation
from anarchy.serving.compiled.paged.block_pool import new_list
from anarchy.serving.compiled.paged.prefix_index import changes_to_tell
from anarchy.serving.compiled.paged.same_instant import defer, on_grid, set_ready
from anarchy.serving.compiled.plain import system
from anarchy.serving.compiled.router.worker_loads import ended
from anarchy.serving.rules.event_order import SETTLE, SETTLE_ARRIVALS, TRANSFER_END


@inner
def _receive(state: State, number: int) -> None:
    """A request is through the frontend: it goes to a prefill worker at the end of the instant."""
    request, sequence = request_of(state, number), sequence_of(state, number)
    request.first_name = len(state.names) + number * state.settings.own_names
    sequence.scheduled = 0
    sequence.recomputing = sequence.continued = False
    sequence.source = new_list(state, request.prompt_blocks)
    sequence.target = new_list(state, reservation.whole_blocks(state, request))
    defer(state, records.PLACE, number, SETTLE_ARRIVALS)


@inner
def _number_names(state: State, number: int) -> None:
    """Call the names of a prompt what the reference calls them: in order of arrival."""
    request, parts = request_of(state, number), state.settings.parts
    next_number = state.progress.next_number
    for place in range(request.ids):
        name = state.blocks[request.first_shared + place * parts]
        if state.names[name] == records.UNNUMBERED:
            for part in range(parts):
                state.names[name + part] = next_number + part
            next_number += parts
    request.first_own = next_number
    state.progress.next_number = next_number + request.own_blocks


@inner
def _prefilled(state: State, number: int) -> bool:
    """A prompt is computed: choose its decode worker; whether the run ends."""
    request = request_of(state, number)
    if len(state.prefill_workers) > 1:
        ended(state, state.to_prefill, request, request.prefill_worker, integer(0))
    if state.to_decode.rule.generated:
        decode.show_output(state, request.replica)
    w = system.choose_decode(state, number)
    worker = state.decode_workers[w]
    interrupts = reservation.enter_pending(state, worker, number)
    if worker.batch and interrupts and _meet_boundary(state, w):
        return True
    if not worker.batch:
        reservation.try_reservation(state, w)
        set_ready(state, worker)
    return False


@inner
def _transfer(state: State, number: int) -> bool:
    """A request has room at decode: send its KV; whether the run ends."""
    delay = system.handoff_seconds(state, request_of(state, number))
    if delay > 0:
        end = on_grid(state.progress.now + delay)
        event_queue.push(state, end, integer(TRANSFER_END), event_queue.HANDED_OVER, number)
        return False
    return _activate(state, number)


@inner
def _activate(state: State, number: int) -> bool:
    """A prompt's KV is at decode: it joins at the next step; whether the run ends."""
    w = request_of(state, number).decode_worker
    worker = state.decode_workers[w]
    if worker.batch and _meet_boundary(state, w):
        return True
    if worker.batch:
        append(state, worker.entered, number)
    else:
        reservation.accept(state, w, number)
    return False


@inner
def _release(state: State, number: int) -> None:
    """Decode has taken a request over."""
    request = request_of(state, number)
    if state.settings.first_token == records.AT_HANDOFF:
        request.first_token = state.progress.now
    prefill.let_go(state, request.prefill_worker, sequence_of(state, number).source)


@inner
def _meet_boundary(state: State, w: int) -> bool:
    """Let a decode worker's steps end at the first boundary from now on; whether the run ends."""
    return decode.meets_boundary(state, w) and _end_steps(state, w)


@inner
def _end_steps(state: State, w: int) -> bool:
    """The due steps of a decode worker end; whether the run ends."""
    worker = state.decode_workers[w]
    decode.make_due_steps(state, w)
    if worker.ended.length:
        worker.latest_done = worker.preemptions
    if system.complete_ended(state, w):
        return True
    decode.between_steps(state, w)
    return False


@inner
def _act(state: State, kind: int, number: int) -> bool:
    """Do what is due for a request; whether the run ends."""
    if kind == records.PLACE:
        if state.settings.numbered:
            _number_names(state, number)
        prefill.submit(state, system.choose_prefill(state, number), number)
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
def _settle(state: State) -> bool:
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
        for w in range(len(state.prefill_workers)):
            if state.prefill_workers[w].ready:
                state.prefill_workers[w].ready = False
                more = prefill.begin(state, w) or more
        for w in range(len(state.decode_workers)):
            if state.decode_workers[w].ready:
                state.decode_workers[w].ready = False
                more = decode.begin(state, w) or more
        more = (more or progress.actions_read < progress.actions_due) and not progress.thrashes
    progress.actions_read = progress.actions_due = 0
    progress.settling = False
    return False


@inner
def _short(state: State) -> int:
    """What the driver has to supply before the next event, or FINISHED if nothing.

    At one event a request that is there makes two moves at most, and four events.
    """
    progress = state.progress
    if progress.thrashes:
        return records.THRASHES
    there = progress.arrived - progress.completions
    if min(state.settings.slots, there + 1) > state.completions.shape[1]:
        return records.GROW_COMPLETIONS
    if progress.lists_used + 2 >= len(state.lists):
        return records.GROW_LISTS
    if progress.held_used + state.settings.largest_lists > len(state.held):
        return records.GROW_LISTS
    events = 4 * (there + len(state.pools)) + 4
    return system.runs_short(state, 2 * there + 2, events, changes_to_tell(state))


@compiled
def advance_paged(state: State) -> int:
    """Run until the last request is done or until something runs short: see `core.records`."""
    while True:
        if state.progress.events == 0:
            return records.DRAINED
        event = state.events[0]
        time, kind, number = event.key, event.kind, event.number
        if time > state.progress.pause_at:
            return records.PAUSED
        if kind == event_queue.BATCH_CHANGES and time != state.decode_workers[number].due:
            event_queue.drop_event(state)  # superseded
            continue
        short = _short(state)
        if short != records.FINISHED:
            return short
        state.progress.now = time
        event_queue.drop_event(state)
        if kind == event_queue.BATCH_CHANGES:
            if _end_steps(state, number):
                return records.FINISHED
        elif kind == event_queue.HANDED_OVER:
            defer(state, records.ACTIVATE, number, SETTLE)
        elif kind == event_queue.STEP_ENDS:
            prefill.end_step(state, number)
        elif kind == event_queue.ARRIVE:
            arrived = system.take_in(state, number)
            if system.is_through(state, arrived):
                _receive(state, arrived)
        elif kind == event_queue.RECEIVED:
            state.progress.lookahead -= 1
            _receive(state, number)
        elif _settle(state):
            return records.FINISHED
