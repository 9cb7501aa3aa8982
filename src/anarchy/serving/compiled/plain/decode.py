"""Decode workers, batch change by batch change."""

import math

from anarchy.serving.compiled.core.compile import inner, integer
from anarchy.serving.compiled.core.event_queue import BATCH_CHANGES, add, drop_first, push
from anarchy.serving.compiled.core.records import AT_STEP, DecodeWorker, State
from anarchy.serving.compiled.core.requests import append, pop, request_of
from anarchy.serving.compiled.core.service_times import itl_line
from anarchy.serving.rules.event_order import BOUNDARY


@inner
def duration(worker: DecodeWorker, steps: int) -> float:
    """Seconds that the next `steps` steps of a worker's batch take, in closed form."""
    line = worker.line
    total = steps * line.value
    if line.slope:
        excess = worker.context / worker.batch - line.start
        if excess < 0:
            flat = min(steps, math.ceil(-excess))
            steps -= flat
            excess += flat
        total += line.slope * (steps * excess + steps * (steps - 1) / 2)
    return total


@inner
def steps_to(worker: DecodeWorker, now: float) -> int:
    """The fewest whole steps whose end is not before `now`."""
    boundary, line = worker.boundary, worker.line
    elapsed = now - boundary
    if elapsed <= 0:
        return 0
    if line.slope:
        low, high = 0, worker.due_steps
        while low + 1 < high:
            middle = (low + high) // 2
            if boundary + duration(worker, middle) < now:
                low = middle
            else:
                high = middle
        return high
    steps = math.ceil(elapsed / line.value)
    if boundary + (steps - 1) * line.value >= now:
        return steps - 1
    if boundary + steps * line.value < now:
        return steps + 1
    return steps


@inner
def steps_done(worker: DecodeWorker, now: float) -> int:
    """Whole steps since the last boundary that have ended by `now`."""
    if not worker.batch:
        return 0
    steps = steps_to(worker, now)
    ongoing = steps > 0 and worker.boundary + duration(worker, steps) > now
    return steps - 1 if ongoing else steps


@inner
def count_output_blocks(state: State, replica: int) -> None:
    """Let the decode dispatcher see the blocks of output that requests of a replica have made."""
    size = state.settings.block_tokens
    for w in range(len(state.decode_workers)):
        worker, blocks = state.decode_workers[w], 0
        made = worker.steps + steps_done(worker, state.progress.now)
        for place in range(worker.batch):
            entry = state.completions[w, place]
            request = request_of(state, entry.number)
            if request.replica == replica:
                tokens = request.input_tokens + made - int(entry.key) + request.output_tokens
                blocks += -(-tokens // size) - request.prompt_blocks
        state.to_decode.views[w].output_blocks = blocks


@inner
def schedule(state: State, w: int, due: float, steps: int, priority: int) -> None:
    """Let the batch of a worker change after so many steps; what was due before is superseded."""
    worker = state.decode_workers[w]
    worker.due = due
    worker.due_steps = steps
    push(state, due, priority, BATCH_CHANGES, w)


@inner
def submit(state: State, w: int, number: int) -> None:
    """Take a request; it joins at the next step boundary with a free slot."""
    worker, now = state.decode_workers[w], state.progress.now
    append(state, worker.waiting, number)
    if worker.waiting.length > 1:
        return
    if not worker.batch:
        schedule(state, w, now, integer(0), integer(BOUNDARY))
    elif worker.batch < state.settings.slots:
        steps = steps_to(worker, now)
        if steps < worker.due_steps:
            due = worker.boundary + duration(worker, steps)
            schedule(state, w, due, steps, integer(BOUNDARY))


@inner
def make_steps(state: State, worker: DecodeWorker) -> None:
    """Make the steps up to the boundary that is due now."""
    steps, largest = worker.due_steps, state.settings.largest_batch
    worker.busy += state.progress.now - worker.boundary
    if worker.batch > largest:
        worker.beyond += steps
    elif worker.line.slope:
        mean = worker.context / worker.batch
        within = math.floor(state.settings.last_context - mean) + 1
        worker.beyond += steps - min(steps, max(0, within))
    worker.steps += steps
    worker.context += worker.batch * steps


@inner
def set_line(state: State, worker: DecodeWorker, steps: int) -> None:
    """Set the ITL of a worker's batch over its next steps."""
    start, value, slope = itl_line(state.service, worker.speed, worker.batch)
    if slope and worker.context + worker.batch * steps <= worker.batch * start:
        slope = 0.0
    worker.line.start = start
    worker.line.value = value
    worker.line.slope = slope


@inner
def _end(state: State, w: int) -> None:
    """Let the requests end whose last step is made."""
    worker, heap = state.decode_workers[w], state.completions[w]
    while worker.batch and heap[0].key == worker.steps:
        number = heap[0].number
        drop_first(heap, worker.batch)
        worker.batch -= 1
        request = request_of(state, number)
        request.done = state.progress.now
        worker.context -= request.input_tokens + request.output_tokens
        append(state, worker.ended, number)


@inner
def _join(state: State, w: int) -> int:
    """Let waiting requests take free slots: how many do."""
    worker, heap, joined = state.decode_workers[w], state.completions[w], 0
    while worker.waiting.length and worker.batch < state.settings.slots:
        number = pop(state, worker.waiting)
        request = request_of(state, number)
        request.decode_start = state.progress.now
        worker.order += 1
        worker.context += request.input_tokens
        final_step = float(worker.steps + request.output_tokens)
        add(heap, worker.batch, final_step, worker.order, integer(0), number)
        worker.batch += 1
        joined += 1
    return joined


@inner
def change_batch(state: State, w: int) -> None:
    """A step boundary: requests end, waiting ones join, the next change is scheduled."""
    worker, now = state.decode_workers[w], state.progress.now
    if worker.batch:
        make_steps(state, worker)
    worker.boundary = now
    _end(state, w)
    number = worker.waiting.first
    joined = _join(state, w)
    if not worker.batch:
        worker.due = math.inf
        return
    steps = int(state.completions[w, 0].key) - worker.steps
    set_line(state, worker, steps)
    schedule(state, w, now + duration(worker, steps), steps, integer(BOUNDARY))
    if state.settings.first_token == AT_STEP:
        first_token = now + duration(worker, integer(1))
        for _ in range(joined):
            request = request_of(state, number)
            request.first_token = first_token
            number = request.following
