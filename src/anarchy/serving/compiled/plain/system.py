"""The main loop: events in order, and the way of a request."""

import math

from anarchy.serving.compiled.core import event_queue, records
from anarchy.serving.compiled.core.compile import compiled, inner, integer, small
from anarchy.serving.compiled.core.records import Ask, Request, State
from anarchy.serving.compiled.core.requests import append, pop, request_of
from anarchy.serving.compiled.core.tables import NOBODY, Floats, Ints
from anarchy.serving.compiled.plain.decode import change_batch, count_output_blocks, submit
from anarchy.serving.compiled.plain.prefill import start_step
from anarchy.serving.compiled.router.dispatch import cache_prompt, decide
from anarchy.serving.compiled.router.worker_loads import ended, placed, updates_are_short
from anarchy.serving.rules.event_order import NORMAL


@small
def _copy(ask: Ask, to: Ask) -> None:
    to.prompt = ask.prompt
    to.tenant = ask.tenant
    to.input_tokens = ask.input_tokens
    to.output_tokens = ask.output_tokens
    to.prompt_blocks = ask.prompt_blocks
    to.first_shared = ask.first_shared
    to.shared_blocks = ask.shared_blocks
    to.first_own = ask.first_own
    to.own_blocks = ask.own_blocks
    to.ids = ask.ids


@inner
def _send(state: State, client: int, time: float) -> None:
    """Schedule the arrival of the next request, of a client or of an open workload (client 0)."""
    _copy(state.asks[state.progress.asks_read], state.next_asks[client])
    state.progress.asks_read += 1
    event_queue.push(state, time, integer(NORMAL), event_queue.ARRIVE, client)


@small
def _next_time(state: State) -> float:
    state.progress.times_read += 1
    return float(state.times[state.progress.times_read - 1])


@inner
def _send_at_due(state: State) -> None:
    """Schedule the next arrival of an open workload, if there is one."""
    due = _next_time(state)
    if due < math.inf:
        _send(state, integer(0), due)


@compiled
def begin(state: State, clients: Ints, starts: Floats) -> None:
    """Schedule the first arrivals: of each of `clients` at `starts`, or of an open workload."""
    for place in range(len(clients)):
        _send(state, clients[place], starts[place])
    if not state.settings.clients:
        _send_at_due(state)


@inner
def take_in(state: State, client: int) -> int:
    """A request arrives: its number."""
    progress = state.progress
    number = progress.arrived
    progress.arrived += 1
    progress.lookahead -= 1
    request = request_of(state, number)
    _copy(state.next_asks[client], request)
    request.client = client
    request.completion = 0
    request.replica = number % state.settings.replicas
    request.arrival = progress.now
    if not state.settings.clients:
        _send_at_due(state)
    return number


@inner
def is_through(state: State, number: int) -> bool:
    """Whether the frontend lets a request pass at once; if not, it is scheduled to be received."""
    settings, progress = state.settings, state.progress
    if settings.frontend_overhead == 0:
        return True
    start = progress.now
    if settings.frontend_serial:
        start = max(start, progress.frontend_free)
        progress.frontend_free = start + settings.frontend_overhead
        progress.frontend_work += settings.frontend_overhead
    event_queue.push(
        state, start + settings.frontend_overhead, integer(NORMAL), event_queue.RECEIVED, number
    )
    return False


@inner
def choose_prefill(state: State, number: int) -> int:
    """Route a request to a prefill worker."""
    to, request = state.to_prefill, request_of(state, number)
    if len(state.prefill_workers) == 1:
        return 0
    w = decide(state, to, number)
    cached = to.views[w].overlap * state.settings.block_tokens
    request.expected_tokens = max(1, request.input_tokens - cached)
    placed(state, to, request, w)
    return w


@inner
def choose_decode(state: State, number: int) -> int:
    """Route a request to a decode worker."""
    request = request_of(state, number)
    request.routed = state.progress.now
    state.progress.lookahead -= 1
    request.decode_worker = decide(state, state.to_decode, number)
    placed(state, state.to_decode, request, request.decode_worker)
    return request.decode_worker


@inner
def handoff_seconds(state: State, request: Request) -> float:
    """Seconds that a prompt's KV is on its way to decode."""
    settings = state.settings
    transfer = request.input_tokens * settings.kv_bytes_per_token / settings.handoff_bandwidth
    return settings.handoff_overhead + transfer


@inner
def _receive(state: State, number: int) -> None:
    """A request is through the frontend: it goes to a prefill worker."""
    w = choose_prefill(state, number)
    worker = state.prefill_workers[w]
    append(state, worker.waiting, number)
    if not worker.computing:
        start_step(state, w)


@inner
def _end_step(state: State, w: int) -> None:
    """A prefill step has ended: its prompts are cached, the next step begins, they go on."""
    worker, to, now = state.prefill_workers[w], state.to_prefill, state.progress.now
    worker.busy += now - worker.started
    worker.work += worker.step_work
    worker.computing = False
    first = number = worker.running.first
    while number != NOBODY:
        request = request_of(state, number)
        request.prefill_end = now
        if state.settings.first_token == records.AT_PREFILL:
            request.first_token = now
        if state.settings.caching:
            cache_prompt(state, to, state.prefill_caches, request, w)
        number = request.following
    worker.running.first, worker.running.length = NOBODY, 0
    if worker.waiting.length:
        start_step(state, w)
    number = first
    while number != NOBODY:
        request = request_of(state, number)
        following = request.following
        if len(state.prefill_workers) > 1:
            ended(state, to, request, w, integer(0))
        delay = handoff_seconds(state, request)
        if delay > 0:
            event_queue.push(state, now + delay, integer(NORMAL), event_queue.HANDED_OVER, number)
        else:
            _hand_over(state, number)
        number = following


@inner
def _hand_over(state: State, number: int) -> None:
    """A prompt is computed and its KV on its way: it goes to a decode worker."""
    to, request = state.to_decode, request_of(state, number)
    if state.settings.first_token == records.AT_HANDOFF:
        request.first_token = state.progress.now
    if to.rule.generated:
        count_output_blocks(state, request.replica)
    w = choose_decode(state, number)
    if to.rule.indexed:
        cache_prompt(state, to, state.decode_caches, request, w)
    submit(state, w, number)


@inner
def complete(state: State, request: Request, w: int) -> bool:
    """A request is done; whether it is the last one of the run."""
    to, settings, progress = state.to_decode, state.settings, state.progress
    grown = 0
    if to.rule.generated and to.rule.event_lag > 0:
        tokens = request.input_tokens + request.output_tokens
        grown = -(-tokens // settings.block_tokens) - request.prompt_blocks
    ended(state, to, request, w, grown)
    progress.completions += 1
    progress.lookahead -= 1
    request.completion = progress.completions
    if progress.completions == settings.warmup:
        read_totals(state)
    if progress.completions == settings.warmup + settings.measured:
        return True
    if request.client < progress.clients:
        _send(state, request.client, progress.now + _next_time(state))
    return False


@inner
def complete_ended(state: State, w: int) -> bool:
    """The requests that have ended on a worker are done; whether the run ends with one of them."""
    members = state.decode_workers[w].ended
    while members.length:
        if complete(state, request_of(state, pop(state, members)), w):
            return True
    return False


@compiled
def read_totals(state: State) -> None:
    """Read what the workers have done by now."""
    progress = state.progress
    now = progress.now
    progress.read_at = now
    progress.frontend_read = progress.frontend_work - max(0.0, progress.frontend_free - now)
    progress.beyond_read = progress.prefills_beyond
    for w in range(len(state.prefill_workers)):
        prefill = state.prefill_workers[w]
        prefill.busy_read, prefill.work_read = prefill.busy, prefill.work
        if prefill.computing:
            since = now - prefill.started
            prefill.busy_read += since
            prefill.work_read += since / prefill.duration * prefill.step_work
    for w in range(len(state.decode_workers)):
        decode = state.decode_workers[w]
        decode.busy_read = decode.busy
        if decode.batch:
            decode.busy_read += now - decode.boundary
        progress.beyond_read += decode.beyond


@inner
def runs_short(state: State, moves: int, events: int, changes: int) -> int:
    """What the driver has to supply before the next event, or FINISHED if nothing.

    So many moves of a request, each an arrival, a hand-over or a completion, come of it at most, so
    many further events, and so many changes of caches that routers hear of later.
    """
    progress = state.progress
    if progress.lookahead < moves:
        return records.REFILL
    if progress.arrived - progress.first_request >= len(state.requests):
        return records.GROW_REQUESTS
    if progress.events + events > len(state.events):
        return records.GROW_EVENTS
    updates = moves + changes
    if updates_are_short(state.to_prefill, updates) or updates_are_short(state.to_decode, updates):
        return records.GROW_UPDATES
    return records.FINISHED


@compiled
def advance(state: State) -> int:
    """Run until the last request is done or until something runs short: see `records`."""
    while True:
        if state.progress.events == 0:
            return records.DRAINED
        event = state.events[0]
        time, kind, number = event.key, event.kind, event.number
        if time > state.progress.pause_at:
            return records.PAUSED
        moves = 2
        if kind == event_queue.BATCH_CHANGES:
            worker = state.decode_workers[number]
            if time != worker.due:  # superseded
                event_queue.drop_event(state)
                continue
            moves += worker.batch
            joining = min(state.settings.slots, worker.batch + worker.waiting.length)
            if joining > state.completions.shape[1]:
                return records.GROW_COMPLETIONS
        elif kind == event_queue.STEP_ENDS:
            moves += state.prefill_workers[number].running.length
        short = runs_short(state, moves, 2 * moves, integer(0))
        if short != records.FINISHED:
            return short
        state.progress.now = time
        event_queue.drop_event(state)
        if kind == event_queue.BATCH_CHANGES:
            change_batch(state, number)
            if complete_ended(state, number):
                return records.FINISHED
        elif kind == event_queue.HANDED_OVER:
            _hand_over(state, number)
        elif kind == event_queue.STEP_ENDS:
            _end_step(state, number)
        elif kind == event_queue.RECEIVED:
            state.progress.lookahead -= 1
            _receive(state, number)
        else:
            arrived = take_in(state, number)
            if is_through(state, arrived):
                _receive(state, arrived)
