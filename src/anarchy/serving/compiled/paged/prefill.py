"""Prefill workers whose prompts hold blocks: the mirror of `reference.paged.prefill`."""

from anarchy.serving.compiled.core import records
from anarchy.serving.compiled.core.compile import inner, integer
from anarchy.serving.compiled.core.event_queue import STEP_ENDS, push
from anarchy.serving.compiled.core.records import PrefillWorker, State
from anarchy.serving.compiled.core.requests import (
    append,
    insert,
    pop,
    remove,
    request_of,
    sequence_of,
)
from anarchy.serving.compiled.core.tables import NOBODY
from anarchy.serving.compiled.paged import block_pool
from anarchy.serving.compiled.paged.preemption import next_served, remove_victim
from anarchy.serving.compiled.paged.prefix_index import publish
from anarchy.serving.compiled.paged.same_instant import defer, on_grid, set_ready
from anarchy.serving.compiled.plain.prefill import run_step
from anarchy.serving.rules.event_order import SETTLE, step_end

STEP_END = step_end(0, 0)
"""Priority of the ends of the first worker's steps."""

MUST_WAIT = -1


@inner
def submit(state: State, w: int, number: int) -> None:
    """Queue a request."""
    worker, request = state.prefill_workers[w], request_of(state, number)
    request.prefill_start = -1.0
    request.prefill_worker = w
    sequence_of(state, number).computed = 0
    append(state, worker.waiting, number)
    if not worker.computing:
        set_ready(state, worker)


@inner
def let_go(state: State, w: int, held: int) -> None:
    """Release a finished prompt's blocks, between two steps."""
    worker = state.prefill_workers[w]
    if worker.computing:
        state.lists[held].following = 0
        if worker.first_release:
            state.lists[worker.last_release].following = held
        else:
            worker.first_release = held
        worker.last_release = held
        return
    block_pool.release(state, w, held)
    block_pool.drop_list(state, held)
    if worker.waiting.length or worker.running.length:
        set_ready(state, worker)


@inner
def _preempt(state: State, w: int) -> int:
    """Let a running prompt start anew: which one."""
    worker = state.prefill_workers[w]
    victim = remove_victim(state, worker)
    sequence = sequence_of(state, victim)
    block_pool.release(state, w, sequence.source)
    if sequence.scheduled:
        worker.step_prompts -= 1
        worker.step_cached -= sequence.computed - sequence.scheduled
        worker.step_tokens -= sequence.scheduled
        sequence.scheduled = 0
    sequence.computed = 0
    insert(state, worker.waiting, worker.waiting.first, victim)
    return victim


@inner
def _schedule(state: State, w: int, number: int, found: int, budget: int) -> int:
    """Take blocks for the request's next tokens: how many, 0 if it was preempted itself.

    `found` cached blocks are held instead of computed.
    """
    settings, worker = state.settings, state.prefill_workers[w]
    request, sequence = request_of(state, number), sequence_of(state, number)
    size, held = settings.block_tokens, sequence.source
    before = sequence.computed + found * size
    tokens = request.input_tokens - before
    if tokens > budget:
        if settings.chunked:
            tokens = budget
        elif worker.step_prompts:
            return MUST_WAIT
    after = before + tokens
    fresh = -(-after // size) - state.lists[held].count - found
    while not block_pool.take(state, w, request, held, found, fresh):
        if not worker.running.length or settings.preempt == records.NEVER:
            return MUST_WAIT
        if _preempt(state, w) == number:
            return 0
    if settings.caching and settings.early:
        block_pool.name_blocks(state, w, request, held, before // size, after // size)
    sequence.computed = after
    sequence.scheduled = tokens
    worker.step_tokens += tokens
    worker.step_cached += before
    worker.step_prompts += 1
    return tokens


@inner
def _missing(state: State, worker: PrefillWorker) -> int:
    """Blocks that the running prompts are yet to take."""
    missing = 0
    number = worker.running.first
    while number != NOBODY:
        request = request_of(state, number)
        missing -= -request.input_tokens // state.settings.block_tokens
        missing -= state.lists[sequence_of(state, number).source].count
        number = request.following
    return missing


@inner
def _admit(state: State, w: int, budget: int) -> None:
    """Start waiting prompts in order while there are tokens and room."""
    settings, worker = state.settings, state.prefill_workers[w]
    size = settings.block_tokens
    while worker.waiting.length and budget > 0 and worker.running.length < settings.batch_requests:
        number = worker.waiting.first
        request = request_of(state, number)
        prompt = request.input_tokens
        found, held = 0, 0
        if settings.caching:
            found, held = block_pool.match(state, w, request, prompt // size)
            found = min(found, (prompt - 1) // size)
        needed = -(-prompt // size) - min(held, found)
        if settings.preempt == records.NEVER:
            needed += _missing(state, worker)
        if needed > block_pool.available(state, w):
            break
        tokens = _schedule(state, w, number, found, budget)
        if tokens <= 0:
            break
        append(state, worker.running, pop(state, worker.waiting))
        if request.prefill_start < 0:
            request.prefill_start = state.progress.now
            request.cached_tokens = found * size
        budget -= tokens


@inner
def begin(state: State, w: int) -> bool:
    """Begin a step if there is work that has room; whether the instant is not over."""
    worker = state.prefill_workers[w]
    if worker.computing:
        return False
    preempted, limit = worker.preemptions, state.settings.batch_tokens
    worker.step_tokens = worker.step_prompts = worker.step_cached = 0
    number = worker.running.first
    while number != NOBODY and worker.step_tokens < limit:
        victims = worker.preemptions
        tokens = _schedule(state, w, number, integer(0), limit - worker.step_tokens)
        if tokens == MUST_WAIT:
            break
        victims = worker.preemptions - victims
        number = next_served(state, worker.running, number, victims, tokens == 0)
    if worker.preemptions == preempted:
        _admit(state, w, limit - worker.step_tokens)
    total, prompts, cached = worker.step_tokens, worker.step_prompts, worker.step_cached
    if total:
        seconds = run_step(state, worker, total, prompts, cached, 0.0)
        push(state, on_grid(state.progress.now + seconds), STEP_END + w, STEP_ENDS, w)
        return False
    if worker.preemptions != preempted:
        set_ready(state, worker)
        return True
    return False


@inner
def end_step(state: State, w: int) -> None:
    """A step has ended: its blocks are found, what was let go is released, prompts go on."""
    settings, worker, now = state.settings, state.prefill_workers[w], state.progress.now
    size = settings.block_tokens
    worker.busy += now - worker.started
    worker.work += worker.step_work
    worker.computing = False
    late = settings.caching and not settings.early
    number = worker.running.first
    while number != NOBODY:
        request, sequence = request_of(state, number), sequence_of(state, number)
        done, number = number, request.following
        if late and sequence.scheduled:
            first = (sequence.computed - sequence.scheduled) // size
            end = sequence.computed // size
            block_pool.name_blocks(state, w, request, sequence.source, first, end)
        sequence.scheduled = 0
        if sequence.computed >= request.input_tokens:
            remove(state, worker.running, done)
            request.prefill_end = now
            if settings.first_token == records.AT_PREFILL:
                request.first_token = now
            worker.latest_done = worker.preemptions
            defer(state, records.PREFILLED, done, SETTLE)
    publish(state, w)
    while worker.first_release:
        held = worker.first_release
        worker.first_release = state.lists[held].following
        block_pool.release(state, w, held)
        block_pool.drop_list(state, held)
    set_ready(state, worker)
