"""Decode workers whose sequences hold blocks: the mirror of `reference.paged.decode`.

Requests come to a worker as `reservation` says and may lose their blocks as `preemption` says;
`begin` and `end_steps` are the two ends of the steps between two changes of its batch.
"""

import math

from anarchy.serving.compiled.core.compile import boolean, inner, integer, small
from anarchy.serving.compiled.core.event_queue import add, drop_first
from anarchy.serving.compiled.core.records import (
    AT_STEP,
    DecodeWorker,
    LinkedList,
    Sequence,
    State,
)
from anarchy.serving.compiled.core.requests import append, pop, remove, request_of, sequence_of
from anarchy.serving.compiled.core.tables import NOBODY
from anarchy.serving.compiled.paged import preemption
from anarchy.serving.compiled.paged.block_pool import available, drop_list, grow, pool_of
from anarchy.serving.compiled.paged.prefix_index import publish
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
def show_output(state: State, replica: int) -> None:
    """Show the router the blocks of output of the requests that a replica has placed."""
    for w in range(len(state.decode_workers)):
        worker = state.decode_workers[w]
        steps = worker.steps + steps_done(worker, state.progress.now)
        blocks = _output_blocks(state, worker.running, replica, steps, boolean(True))
        blocks += _output_blocks(state, worker.waiting, replica, steps, boolean(False))
        state.to_decode.views[w].output_blocks = blocks


@inner
def _output_blocks(
    state: State, members: LinkedList, replica: int, steps: int, running: bool
) -> int:
    """Blocks of output of a list of requests."""
    size, total = state.settings.block_tokens, 0
    number = members.first
    while number != NOBODY:
        request, sequence = request_of(state, number), sequence_of(state, number)
        if request.replica == replica:
            tokens = sequence.known
            if running and not sequence.recomputing:
                tokens += steps - sequence.joined
            total += -(-tokens // size) - request.prompt_blocks
        number = request.following
    return total


@inner
def meets_boundary(state: State, w: int) -> bool:
    """Let the running steps end at the first boundary from now on; whether that is now."""
    worker, now = state.decode_workers[w], state.progress.now
    steps = max(1, steps_to(worker, now))
    if steps > 1 and on_grid(worker.boundary + duration(worker, steps - 1)) >= now:
        steps -= 1
    if steps >= worker.due_steps:
        return False
    due = on_grid(worker.boundary + duration(worker, steps))
    if due > now:
        schedule(state, w, due, steps, STEP_END + w)
        return False
    worker.due_steps = steps
    return True


@inner
def begin(state: State, w: int) -> bool:
    """Begin the next step if there is work that has room; whether the instant is not over."""
    settings, worker, pool = state.settings, state.decode_workers[w], pool_of(state, w)
    if worker.batch or not (worker.running.length or worker.waiting.length):
        return False
    if worker.irregular:
        _rebuild(state, w)
    preempted, last_admitted = worker.preemptions, worker.order
    worker.irregular = worker.recomputing > 0
    computed, skipped = integer(0), integer(0)
    budget = settings.batch_tokens - worker.running.length
    fresh = state.phases[w, worker.steps % settings.block_tokens]
    if worker.irregular or fresh > available(state, pool):
        worker.irregular = True
        computed, budget, skipped = preemption.continue_in_turn(state, w)
    else:
        grow(state, pool, fresh)
    if worker.waiting.length and worker.preemptions == preempted:
        _admit_waiting(state, w, budget)
    if worker.irregular:
        _rebuild(state, w)
    worker.boundary = state.progress.now
    worker.batch = worker.running.length - worker.recomputing - skipped
    if worker.batch:
        _plan(state, w)
        if settings.first_token == AT_STEP:
            _set_first_tokens(state, worker, last_admitted)
        return False
    if computed or worker.order > last_admitted or worker.preemptions > preempted:
        try_reservation(state, w)
        set_ready(state, worker)
        return True
    return False


@inner
def _next_waiting(state: State, worker: DecodeWorker) -> int:
    """Who may run next: those whose prompt is here go before one that has to find room anew."""
    first = number = worker.waiting.first
    if not worker.pending.length:
        return first
    while number != NOBODY:
        if sequence_of(state, number).computed:
            return number
        number = request_of(state, number).following
    return first


@inner
def _admit_waiting(state: State, w: int, budget: int) -> None:
    """Let waiting requests run in order while there are slots."""
    worker = state.decode_workers[w]
    while worker.waiting.length and worker.running.length < state.settings.slots:
        number = _next_waiting(state, worker)
        sequence = sequence_of(state, number)
        anew = sequence.computed == 0
        if anew:
            tokens = integer(preemption.NOTHING)
            if not worker.pending.length:
                tokens = preemption.readmit(state, w, number, budget)
            if tokens == preemption.NOTHING:
                break
            budget -= tokens
        remove(state, worker.waiting, number)
        worker.order += 1
        sequence.order = worker.order
        append(state, worker.running, number)
        if anew:
            worker.irregular = True
            if sequence.computed < sequence.known:
                sequence.recomputing = True
                worker.recomputing += 1
            continue
        request_of(state, number).decode_start = state.progress.now
        sequence.joined = worker.steps
        _count_in(state, w, number)
        if budget <= 0:
            break


@inner
def _set_first_tokens(state: State, worker: DecodeWorker, last_admitted: int) -> None:
    """Those that came from prefill after the last admission so far have a token in one step."""
    now = state.progress.now
    first_token = on_grid(now + duration(worker, integer(1)))
    number = worker.running.last
    for _ in range(worker.running.length):
        if sequence_of(state, number).order <= last_admitted:
            break
        request = request_of(state, number)
        if request.decode_start == now:
            request.first_token = first_token
        number = request.preceding


@inner
def _rebuild(state: State, w: int) -> None:
    """Count the running sequences anew, after steps in which some of them stood still."""
    worker = state.decode_workers[w]
    worker.completions = worker.context = 0
    for phase in range(state.settings.block_tokens):
        state.phases[w, phase] = 0
    number = worker.running.first
    while number != NOBODY:
        if not sequence_of(state, number).recomputing:
            _count_in(state, w, number)
        number = request_of(state, number).following


@small
def _phase_of(state: State, sequence: Sequence) -> int:
    """The phase of the sequences that take a block in the same steps as this one."""
    return (sequence.joined + 1 - sequence.known) % state.settings.block_tokens


@inner
def _count_in(state: State, w: int, number: int) -> None:
    """Count a sequence that makes tokens from the step on at which it joined."""
    worker, heap = state.decode_workers[w], state.completions[w]
    request, sequence = request_of(state, number), sequence_of(state, number)
    state.phases[w, _phase_of(state, sequence)] += 1
    worker.context += sequence.known + worker.steps - sequence.joined
    left = request.input_tokens + request.output_tokens - sequence.known
    final_step = float(sequence.joined + left)
    add(heap, worker.completions, final_step, sequence.order, integer(0), number)
    worker.completions += 1


@inner
def _plan(state: State, w: int) -> None:
    """Schedule the next change: an end, or the step before the blocks run out."""
    worker = state.decode_workers[w]
    steps = int(state.completions[w, 0].key) - worker.steps
    if worker.irregular or (worker.pending.length and not worker.tried):
        steps = 1
    room = available(state, pool_of(state, w))
    if steps > 1 and -(-steps // state.settings.block_tokens) * worker.batch > room:
        low, high = 1, steps
        while low < high:
            middle = (low + high + 1) // 2
            if _growth(state, w, middle) <= room:
                low = middle
            else:
                high = middle - 1
        steps = low
    set_line(state, worker, steps)
    due = on_grid(state.progress.now + duration(worker, steps))
    schedule(state, w, due, steps, STEP_END + w)


@inner
def _growth(state: State, w: int, steps: int) -> int:
    """Blocks that `steps` steps take, without those that the first of them has taken."""
    worker, size = state.decode_workers[w], state.settings.block_tokens
    rounds, rest = (steps - 1) // size, (steps - 1) % size
    blocks = rounds * worker.batch
    for step in range(worker.steps + 1, worker.steps + 1 + rest):
        blocks += state.phases[w, step % size]
    return blocks


@inner
def make_due_steps(state: State, w: int) -> None:
    """Make the steps that are due; the requests whose last one it was are `ended`.

    The worker is then between two steps, and `between_steps` goes on.
    """
    worker, pool, heap = state.decode_workers[w], pool_of(state, w), state.completions[w]
    grow(state, pool, _growth(state, w, worker.due_steps))
    make_steps(state, worker)
    worker.due = math.inf
    worker.batch = 0
    while worker.completions and heap[0].key == worker.steps:
        number = heap[0].number
        drop_first(heap, worker.completions)
        worker.completions -= 1
        _leave(state, w, number)
        append(state, worker.ended, number)
    publish(state, pool)


@inner
def between_steps(state: State, w: int) -> None:
    """Accept who has come within the steps, and look at what is next."""
    worker = state.decode_workers[w]
    while worker.entered.length:
        accept(state, w, pop(state, worker.entered))
    try_reservation(state, w)
    set_ready(state, worker)


@inner
def _leave(state: State, w: int, number: int) -> None:
    """The last token is out; nobody computes it."""
    worker = state.decode_workers[w]
    request, sequence = request_of(state, number), sequence_of(state, number)
    state.phases[w, _phase_of(state, sequence)] -= 1
    request.done = state.progress.now
    sequence.computed = request.input_tokens + request.output_tokens - 1
    worker.context -= sequence.computed + 1
    remove(state, worker.running, number)
    worker.promised_blocks -= whole_blocks(state, request)
    preemption.let_go(state, w, number, boolean(False))
    drop_list(state, sequence.target)
    worker.tried = False
