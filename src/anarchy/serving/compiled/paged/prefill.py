"""Prefill workers whose prompts hold blocks: the mirror of `reference.paged.prefill`."""

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.event_queue import STEP_ENDS, push
from anarchy.serving.compiled.core.records import NOBODY
from anarchy.serving.compiled.core.request_ring import request_of
from anarchy.serving.compiled.paged.block_pool import (
    available,
    drop_list,
    match,
    name_blocks,
    names_of,
    release,
    take,
)
from anarchy.serving.compiled.paged.linked_lists import (
    append,
    following,
    next_served,
    prepend,
    remove,
    remove_victim,
    sequence_of,
)
from anarchy.serving.compiled.paged.prefix_index import publish
from anarchy.serving.compiled.paged.records import NEVER, PREFILLED, PagedState, PrefillQueue
from anarchy.serving.compiled.paged.same_instant import defer, on_grid, set_ready
from anarchy.serving.compiled.plain.prefill import run_step
from anarchy.serving.rules.event_order import SETTLE, step_end

STEP_END = step_end(0, 0)
"""Priority of the ends of the first worker's steps."""

MUST_WAIT = -1


@inner
def submit(state: PagedState, w: int, number: int) -> None:
    """Queue a request."""
    request = request_of(state.plain, number)
    request.prefill_start = -1.0
    request.prefill_worker = w
    sequence_of(state, number).computed = 0
    queue = state.prefill[w]
    append(state, queue.waiting, number)
    if not state.plain.prefill_workers[w].running:
        set_ready(state, queue)


@inner
def let_go(state: PagedState, number: int) -> None:
    """Release a finished prompt's blocks, between two steps."""
    w = request_of(state.plain, number).prefill_worker
    queue, source = state.prefill[w], sequence_of(state, number).source
    if state.plain.prefill_workers[w].running:
        state.lists[source].following = 0
        if queue.first_release:
            state.lists[queue.last_release].following = source
        else:
            queue.first_release = source
        queue.last_release = source
        return
    release(state, w, source)
    drop_list(state, source)
    if queue.waiting.length or queue.running.length:
        set_ready(state, queue)


@inner
def _preempt(state: PagedState, w: int) -> int:
    """Let a running prompt start anew: which one."""
    queue = state.prefill[w]
    victim = remove_victim(state, queue)
    sequence = sequence_of(state, victim)
    release(state, w, sequence.source)
    sequence.computed = 0
    queue.step_prompts -= sequence.scheduled > 0
    queue.step_cached -= sequence.before * (sequence.scheduled > 0)
    queue.step_tokens -= sequence.scheduled
    sequence.scheduled = 0
    prepend(state, queue.waiting, victim)
    return victim


@small
def _whole(state: PagedState, number: int) -> int:
    """Blocks of the prompt that can have names."""
    return request_of(state.plain, number).input_tokens // state.plain.settings.block_tokens


@inner
def _schedule(state: PagedState, w: int, number: int, found: int, budget: int) -> int:
    """Take blocks for the request's next tokens: how many, 0 if it was preempted itself.

    `found` cached blocks are held instead of computed.
    """
    queue, sequence, names = state.prefill[w], sequence_of(state, number), names_of(state, number)
    size, held = state.plain.settings.block_tokens, sequence.source
    before = sequence.computed + found * size
    tokens = request_of(state.plain, number).input_tokens - before
    if tokens > budget:
        if state.settings.chunked:
            tokens = budget
        elif queue.step_prompts:
            return MUST_WAIT
    after = before + tokens
    fresh = -(-after // size) - state.lists[held].count - found
    while not take(state, w, names, held, found, fresh):
        if not queue.running.length or state.settings.preempt == NEVER:
            return MUST_WAIT
        if _preempt(state, w) == number:
            return 0
    if state.plain.settings.caching and state.settings.early:
        end = min(after // size, _whole(state, number))
        name_blocks(state, w, names, held, before // size, end)
    sequence.before = before
    sequence.computed = after
    sequence.scheduled = tokens
    queue.step_tokens += tokens
    queue.step_cached += before
    queue.step_prompts += 1
    return tokens


@inner
def _missing(state: PagedState, queue: PrefillQueue) -> int:
    """Blocks that the running prompts are yet to take."""
    missing = 0
    number = queue.running.first
    while number != NOBODY:
        sequence = sequence_of(state, number)
        prompt = request_of(state.plain, number).input_tokens
        missing -= -prompt // state.plain.settings.block_tokens
        missing -= state.lists[sequence.source].count
        number = sequence.following
    return missing


@inner
def _admit(state: PagedState, w: int, budget: int) -> None:
    """Start waiting prompts in order while there are tokens and room."""
    settings, queue = state.plain.settings, state.prefill[w]
    size = settings.block_tokens
    while queue.waiting.length and budget > 0 and queue.running.length < settings.batch_requests:
        number = queue.waiting.first
        request = request_of(state.plain, number)
        prompt = request.input_tokens
        found, held = 0, 0
        if settings.caching:
            found, held = match(state, w, names_of(state, number), prompt // size)
            found = min(found, (prompt - 1) // size)
        needed = -(-prompt // size) - min(held, found)
        if state.settings.preempt == NEVER:
            needed += _missing(state, queue)
        if needed > available(state, w):
            break
        tokens = _schedule(state, w, number, found, budget)
        if tokens <= 0:
            break
        remove(state, queue.waiting, number)
        append(state, queue.running, number)
        if request.prefill_start < 0:
            request.prefill_start = state.plain.progress.now
            request.cached_tokens = found * size
        budget -= tokens


@inner
def begin(state: PagedState, w: int) -> bool:
    """Begin a step if there is work that has room; whether the instant is not over."""
    worker, queue = state.plain.prefill_workers[w], state.prefill[w]
    if worker.running:
        return False
    preempted, limit = queue.preemptions, state.plain.settings.batch_tokens
    queue.step_tokens = 0
    queue.step_prompts = 0
    queue.step_cached = 0
    number = queue.running.first
    while number != NOBODY and queue.step_tokens < limit:
        victims = queue.preemptions
        tokens = _schedule(state, w, number, integer(0), limit - queue.step_tokens)
        if tokens == MUST_WAIT:
            break
        victims = queue.preemptions - victims
        number = next_served(state, queue.running, number, victims, tokens == 0)
    if queue.preemptions == preempted:
        _admit(state, w, limit - queue.step_tokens)
    total, prompts, cached = queue.step_tokens, queue.step_prompts, queue.step_cached
    if total:
        seconds = run_step(state.plain, worker, total, prompts, cached, 0.0)
        push(state.plain, on_grid(state.plain.progress.now + seconds), STEP_END + w, STEP_ENDS, w)
        return False
    if queue.preemptions != preempted:
        set_ready(state, queue)
        return True
    return False


@inner
def end_step(state: PagedState, w: int) -> None:
    """A step has ended: its blocks are found, what was let go is released, prompts go on."""
    worker, queue = state.plain.prefill_workers[w], state.prefill[w]
    now, size = state.plain.progress.now, state.plain.settings.block_tokens
    worker.busy += now - worker.started
    worker.work += worker.step_work
    worker.running = False
    late = state.plain.settings.caching and not state.settings.early
    number = queue.running.first
    while number != NOBODY:
        request, sequence = request_of(state.plain, number), sequence_of(state, number)
        if late and sequence.scheduled:
            end = min(sequence.computed // size, _whole(state, number))
            names = names_of(state, number)
            name_blocks(state, w, names, sequence.source, sequence.before // size, end)
        sequence.scheduled = 0
        done, number = number, following(state, number)
        if sequence.computed >= request.input_tokens:
            remove(state, queue.running, done)
            request.prefill_end = now
            queue.latest_done = queue.preemptions
            defer(state, PREFILLED, done, SETTLE)
    publish(state, w)
    blocks = queue.first_release
    while blocks:
        after = state.lists[blocks].following
        release(state, w, blocks)
        drop_list(state, blocks)
        blocks = after
    queue.first_release = 0
    set_ready(state, queue)
