"""Decode workers whose sequences hold blocks: the mirror of `reference.paged.decode`.

Requests come to a worker as `reservation` says and may lose their blocks as `preemption` says;
`begin` and `make_due_steps` are the two ends of the steps between two changes of its batch.
"""

import math

from anarchy.serving.compiled.core.compile import boolean, inner, integer, small
from anarchy.serving.compiled.core.event_queue import add, drop_first
from anarchy.serving.compiled.core.records import NOBODY
from anarchy.serving.compiled.core.request_ring import request_of
from anarchy.serving.compiled.paged import preemption
from anarchy.serving.compiled.paged.block_pool import available, drop_list, grow, pool_of
from anarchy.serving.compiled.paged.linked_lists import append, following, remove, sequence_of
from anarchy.serving.compiled.paged.prefix_index import publish
from anarchy.serving.compiled.paged.records import DecodeQueue, LinkedList, PagedState
from anarchy.serving.compiled.paged.reservation import accept, try_reservation, whole_blocks
from anarchy.serving.compiled.paged.same_instant import on_grid, set_ready
from anarchy.serving.compiled.plain.decode import (
    duration,
    make_steps,
    schedule,
    set_line,
    steps_done,
    steps_to,
)
from anarchy.serving.rules.event_order import step_end

STEP_END = step_end(1, 0)
"""Priority of the ends of the first worker's steps."""


@inner
def show_output(state: PagedState, replica: int) -> None:
    """Show the router the blocks of output of the requests that a replica has placed."""
    for w in range(len(state.decode)):
        queue, worker = state.decode[w], state.plain.decode_workers[w]
        steps = worker.steps + steps_done(worker, state.plain.progress.now)
        blocks = _output_blocks(state, queue.running, replica, steps, boolean(True))
        blocks += _output_blocks(state, queue.waiting, replica, steps, boolean(False))
        state.plain.to_decode.views[w].output_blocks = blocks


@inner
def _output_blocks(
    state: PagedState, members: LinkedList, replica: int, steps: int, running: bool
) -> int:
    """Blocks of output of a list of requests."""
    size, total = state.plain.settings.block_tokens, 0
    number = members.first
    while number != NOBODY:
        request, sequence = request_of(state.plain, number), sequence_of(state, number)
        if request.replica == replica:
            tokens = preemption.known_tokens(state, number)
            if running and not sequence.recomputing:
                tokens += steps - sequence.joined
            total += -(-tokens // size) - request.prompt_blocks
        number = sequence.following
    return total


@inner
def meets_boundary(state: PagedState, w: int) -> bool:
    """Let the running steps end at the first boundary from now on; whether that is now."""
    worker, now = state.plain.decode_workers[w], state.plain.progress.now
    steps = max(1, steps_to(worker, now))
    if steps > 1 and on_grid(worker.boundary + duration(worker, steps - 1)) >= now:
        steps -= 1
    if steps >= worker.due_steps:
        return False
    due = on_grid(worker.boundary + duration(worker, steps))
    if due > now:
        schedule(state.plain, w, due, steps, STEP_END + w)
        return False
    worker.due_steps = steps
    return True


@inner
def begin(state: PagedState, w: int) -> bool:
    """Begin the next step if there is work that has room; whether the instant is not over."""
    worker, queue, pool = state.plain.decode_workers[w], state.decode[w], pool_of(state, w)
    if worker.batch or not (queue.running.length or queue.waiting.length):
        return False
    if queue.irregular:
        _rebuild(state, w)
    preempted = queue.preemptions
    queue.irregular = queue.recomputing > 0
    computed, skipped = integer(0), integer(0)
    budget = state.plain.settings.batch_tokens - queue.running.length
    fresh = state.phases[w, worker.steps % state.plain.settings.block_tokens]
    if queue.irregular or fresh > available(state, pool):
        queue.irregular = True
        computed, budget, skipped = preemption.continue_in_turn(state, w)
    else:
        grow(state, pool, fresh)
    admitted, newcomer = integer(0), integer(NOBODY)
    if queue.waiting.length and queue.preemptions == preempted:
        admitted, newcomer = _admit_waiting(state, w, budget)
    if queue.irregular:
        _rebuild(state, w)
    worker.boundary = state.plain.progress.now
    worker.batch = queue.running.length - queue.recomputing - skipped
    if worker.batch:
        _plan(state, w)
        if state.plain.settings.step_is_first_token:
            first = on_grid(state.plain.progress.now + duration(worker, integer(1)))
            while newcomer != NOBODY:
                request_of(state.plain, newcomer).first_token = first
                newcomer = sequence_of(state, newcomer).next_newcomer
        return False
    if computed or admitted or queue.preemptions > preempted:
        try_reservation(state, w)
        set_ready(state, queue)
        return True
    return False


@inner
def _next_waiting(state: PagedState, queue: DecodeQueue) -> int:
    """Who may run next: those whose prompt is here go before one that has to find room anew."""
    first = number = queue.waiting.first
    if not queue.pending.length:
        return first
    while number != NOBODY:
        if sequence_of(state, number).computed:
            return number
        number = following(state, number)
    return first


@inner
def _admit_waiting(state: PagedState, w: int, budget: int) -> tuple[int, int]:
    """Let waiting requests run in order while there are slots.

    How many did, and the last of those that came from prefill; `next_newcomer` leads to the others.
    """
    worker, queue = state.plain.decode_workers[w], state.decode[w]
    admitted, newcomer = integer(0), integer(NOBODY)
    while queue.waiting.length and queue.running.length < state.plain.settings.slots:
        number = _next_waiting(state, queue)
        sequence = sequence_of(state, number)
        anew = sequence.computed == 0
        if anew:
            tokens = integer(preemption.NOTHING)
            if not queue.pending.length:
                tokens = preemption.readmit(state, w, number, budget)
            if tokens == preemption.NOTHING:
                break
            budget -= tokens
        remove(state, queue.waiting, number)
        worker.order += 1
        sequence.order = worker.order
        append(state, queue.running, number)
        admitted += 1
        if anew:
            queue.irregular = True
            if sequence.computed < preemption.known_tokens(state, number):
                sequence.recomputing = True
                queue.recomputing += 1
            continue
        request_of(state.plain, number).decode_start = state.plain.progress.now
        sequence.joined = worker.steps
        sequence.next_newcomer = newcomer
        newcomer = number
        _count_in(state, w, number)
        if budget <= 0:
            break
    return admitted, newcomer


@inner
def _rebuild(state: PagedState, w: int) -> None:
    """Count the running sequences anew, after steps in which some of them stood still."""
    queue = state.decode[w]
    queue.completions = 0
    state.plain.decode_workers[w].context = 0
    for phase in range(state.plain.settings.block_tokens):
        state.phases[w, phase] = 0
    number = queue.running.first
    while number != NOBODY:
        if not sequence_of(state, number).recomputing:
            _count_in(state, w, number)
        number = following(state, number)


@small
def _phase_of(state: PagedState, number: int) -> int:
    """The phase of the sequences that take a block in the same steps as this one."""
    joined = sequence_of(state, number).joined
    return (joined + 1 - preemption.known_tokens(state, number)) % state.plain.settings.block_tokens


@inner
def _count_in(state: PagedState, w: int, number: int) -> None:
    """Count a sequence that makes tokens from the step on at which it joined."""
    worker, queue = state.plain.decode_workers[w], state.decode[w]
    sequence = sequence_of(state, number)
    state.phases[w, _phase_of(state, number)] += 1
    worker.context += preemption.known_tokens(state, number) + worker.steps - sequence.joined
    left = request_of(state.plain, number).output_tokens - sequence.generated
    heap = state.plain.completions[w]
    final_step = float(sequence.joined + left)
    add(heap, queue.completions, final_step, sequence.order, integer(0), number)
    queue.completions += 1


@inner
def _plan(state: PagedState, w: int) -> None:
    """Schedule the next change: an end, or the step before the blocks run out."""
    worker, queue = state.plain.decode_workers[w], state.decode[w]
    steps = int(state.plain.completions[w, 0].key) - worker.steps
    if queue.irregular or (queue.pending.length and not queue.tried):
        steps = 1
    room = available(state, pool_of(state, w))
    if steps > 1 and -(-steps // state.plain.settings.block_tokens) * worker.batch > room:
        low, high = 1, steps
        while low < high:
            middle = (low + high + 1) // 2
            if _growth(state, w, middle) <= room:
                low = middle
            else:
                high = middle - 1
        steps = low
    set_line(state.plain, worker, steps)
    due = on_grid(state.plain.progress.now + duration(worker, steps))
    schedule(state.plain, w, due, steps, STEP_END + w)


@inner
def _growth(state: PagedState, w: int, steps: int) -> int:
    """Blocks that `steps` steps take, without those that the first of them has taken."""
    worker, size = state.plain.decode_workers[w], state.plain.settings.block_tokens
    rounds, rest = (steps - 1) // size, (steps - 1) % size
    blocks = rounds * worker.batch
    for step in range(worker.steps + 1, worker.steps + 1 + rest):
        blocks += state.phases[w, step % size]
    return blocks


@inner
def make_due_steps(state: PagedState, w: int) -> int:
    """Make the steps that are due; the first of the requests that have ended, linked in a list.

    The worker is then between two steps, and `between_steps` goes on.
    """
    worker, queue, pool = state.plain.decode_workers[w], state.decode[w], pool_of(state, w)
    heap = state.plain.completions[w]
    grow(state, pool, _growth(state, w, worker.due_steps))
    make_steps(state.plain, worker)
    worker.due = math.inf
    worker.batch = 0
    first, last = integer(NOBODY), integer(NOBODY)
    while queue.completions and heap[0].key == worker.steps:
        number = heap[0].number
        drop_first(heap, queue.completions)
        queue.completions -= 1
        _leave(state, w, number)
        request_of(state.plain, number).done = state.plain.progress.now
        sequence_of(state, number).following = NOBODY
        if first == NOBODY:
            first = number
        else:
            sequence_of(state, last).following = number
        last = number
    publish(state, pool)
    return first


@inner
def between_steps(state: PagedState, w: int) -> None:
    """Accept who has come within the steps, and look at what is next."""
    queue = state.decode[w]
    while queue.entered.length:
        number = queue.entered.first
        remove(state, queue.entered, number)
        accept(state, w, number)
    try_reservation(state, w)
    set_ready(state, queue)


@inner
def _leave(state: PagedState, w: int, number: int) -> None:
    """The last token is out; nobody computes it."""
    queue, request = state.decode[w], request_of(state.plain, number)
    sequence = sequence_of(state, number)
    state.phases[w, _phase_of(state, number)] -= 1
    sequence.computed = request.input_tokens + request.output_tokens - 1
    state.plain.decode_workers[w].context -= sequence.computed + 1
    remove(state, queue.running, number)
    queue.promised_blocks -= whole_blocks(state, number)
    preemption.let_go(state, w, number, boolean(False))
    drop_list(state, sequence.target)
    queue.tried = False
