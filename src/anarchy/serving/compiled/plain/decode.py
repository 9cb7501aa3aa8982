"""Decode workers: the mirror of `serving.decode`, batch change by batch change."""

import math

from anarchy.serving.compiled.core.compile import inlined, inner, small
from anarchy.serving.compiled.core.event_queue import push
from anarchy.serving.compiled.core.events import BATCH_CHANGES, KINDS
from anarchy.serving.compiled.core.records import (
    BATCH,
    BOUNDARY,
    CONTEXT,
    DECODE,
    DECODE_BUSY,
    DECODE_REALS,
    DECODE_START,
    DECODE_TABLE,
    DECODE_TIMES,
    DECODES,
    DONE,
    DUE,
    DUE_STEPS,
    END,
    ENDS,
    ENDS_ROOM,
    FIRST_TOKEN,
    INPUT,
    LARGEST_BATCH,
    LAST,
    LAST_CONTEXT,
    LINE_SLOPE,
    LINE_START,
    LINE_VALUE,
    NEXT,
    NOBODY,
    NOW,
    ORDER,
    OUTPUT,
    SLOTS,
    STEP_IS_FIRST_TOKEN,
    STEPS,
    STEPS_BEYOND,
    TURN,
    WAIT_HEAD,
    WAIT_TAIL,
    WAITING,
    WHO,
    Floats,
    Ints,
)
from anarchy.serving.compiled.core.rows import row_of, times_of
from anarchy.serving.compiled.core.service_times import itl_line
from anarchy.serving.reference.core.event_queue import BOUNDARY as AFTER_ARRIVALS


@small
def worker_at(ints: Ints, w: int) -> int:
    """The address of a decode worker's integers."""
    return ints[DECODES] + w * DECODE


@small
def clock_at(ints: Ints, w: int) -> int:
    """The address of its reals."""
    return ints[DECODE_TIMES] + w * DECODE_REALS


@small
def ends_at(ints: Ints, w: int) -> int:
    """The address of its heap of ends."""
    return ints[ENDS] + w * ints[ENDS_ROOM] * END


@inlined
def duration(ints: Ints, reals: Floats, w: int, steps: int) -> float:
    """Seconds that the next `steps` steps of a worker's batch take, in closed form."""
    clock = clock_at(ints, w)
    slope = reals[clock + LINE_SLOPE]
    total = steps * reals[clock + LINE_VALUE]
    if slope:
        worker = worker_at(ints, w)
        excess = ints[worker + CONTEXT] / ints[worker + BATCH] - reals[clock + LINE_START]
        if excess < 0:
            flat = min(steps, math.ceil(-excess))
            steps -= flat
            excess += flat
        total += slope * (steps * excess + steps * (steps - 1) / 2)
    return total


@inner
def steps_to(ints: Ints, reals: Floats, w: int, now: float) -> int:
    """The fewest whole steps whose end is not before `now`."""
    clock = clock_at(ints, w)
    boundary = reals[clock + BOUNDARY]
    elapsed = now - boundary
    if elapsed <= 0:
        return 0
    if reals[clock + LINE_SLOPE]:
        low, high = 0, ints[worker_at(ints, w) + DUE_STEPS]
        while low + 1 < high:
            middle = (low + high) // 2
            if boundary + duration(ints, reals, w, middle) < now:
                low = middle
            else:
                high = middle
        return high
    step = reals[clock + LINE_VALUE]
    steps = math.ceil(elapsed / step)
    if boundary + (steps - 1) * step >= now:
        return steps - 1
    if boundary + steps * step < now:
        return steps + 1
    return steps


@inner
def steps_done(ints: Ints, reals: Floats, w: int, now: float) -> int:
    """Whole steps since the last boundary that have ended by `now`."""
    if not ints[worker_at(ints, w) + BATCH]:
        return 0
    steps = steps_to(ints, reals, w, now)
    boundary = reals[clock_at(ints, w) + BOUNDARY]
    ongoing = steps > 0 and boundary + duration(ints, reals, w, steps) > now
    return steps - 1 if ongoing else steps


@inlined
def _schedule(ints: Ints, reals: Floats, w: int, due: float, steps: int) -> None:
    reals[clock_at(ints, w) + DUE] = due
    ints[worker_at(ints, w) + DUE_STEPS] = steps
    push(ints, reals, due, AFTER_ARRIVALS, BATCH_CHANGES + KINDS * w)


@inlined
def submit(ints: Ints, reals: Floats, w: int, request: int) -> None:
    """Take a request; it joins at the next step boundary with a free slot."""
    worker = worker_at(ints, w)
    ints[row_of(ints, request) + NEXT] = NOBODY
    waiting = ints[worker + WAITING]
    if waiting:
        ints[row_of(ints, ints[worker + WAIT_TAIL]) + NEXT] = request
    else:
        ints[worker + WAIT_HEAD] = request
    ints[worker + WAIT_TAIL] = request
    ints[worker + WAITING] = waiting + 1
    if waiting:
        return
    now = reals[NOW]
    if not ints[worker + BATCH]:
        _schedule(ints, reals, w, now, 0)
    elif ints[worker + BATCH] < ints[SLOTS]:
        steps = steps_to(ints, reals, w, now)
        if steps < ints[worker + DUE_STEPS]:
            due = reals[clock_at(ints, w) + BOUNDARY] + duration(ints, reals, w, steps)
            _schedule(ints, reals, w, due, steps)


@small
def _move_end(ints: Ints, target: int, source: int) -> None:
    ints[target + LAST] = ints[source + LAST]
    ints[target + TURN] = ints[source + TURN]
    ints[target + WHO] = ints[source + WHO]


@inlined
def add_end(ints: Ints, ends: int, size: int, last: int, turn: int, request: int) -> None:
    """Insert in a heap of `size` entries ordered by last step, then order of admission."""
    place = size
    while place > 0:
        parent = (place - 1) >> 1
        above = ends + parent * END
        # Whoever is admitted later has the higher turn.
        if ints[above + LAST] <= last:
            break
        _move_end(ints, ends + place * END, above)
        place = parent
    entry = ends + place * END
    ints[entry + LAST] = last
    ints[entry + TURN] = turn
    ints[entry + WHO] = request


@inlined
def drop_first_end(ints: Ints, ends: int, size: int) -> None:
    """Remove the first of `size` entries."""
    moved = ends + (size - 1) * END
    last, turn, request = ints[moved + LAST], ints[moved + TURN], ints[moved + WHO]
    place = 0
    child = 1
    while child < size - 1:
        below = ends + child * END
        if child + 1 < size - 1:
            right = below + END
            if ints[right + LAST] < ints[below + LAST] or (
                ints[right + LAST] == ints[below + LAST] and ints[right + TURN] < ints[below + TURN]
            ):
                child += 1
                below = right
        if last < ints[below + LAST] or (last == ints[below + LAST] and turn < ints[below + TURN]):
            break
        _move_end(ints, ends + place * END, below)
        place = child
        child = 2 * place + 1
    entry = ends + place * END
    ints[entry + LAST] = last
    ints[entry + TURN] = turn
    ints[entry + WHO] = request


@inlined
def _count_beyond(ints: Ints, worker: int, steps: int) -> None:
    """Count the steps that lie above the latency table."""
    batch = ints[worker + BATCH]
    if batch <= ints[LARGEST_BATCH]:
        context = ints[worker + CONTEXT] / batch
        within = math.floor(ints[LAST_CONTEXT] - context) + 1
        steps -= min(steps, max(0, within))
    ints[worker + STEPS_BEYOND] += steps


@inlined
def make_steps(ints: Ints, reals: Floats, w: int) -> None:
    """Make the steps up to the boundary that is due now."""
    worker, clock = worker_at(ints, w), clock_at(ints, w)
    batch, steps = ints[worker + BATCH], ints[worker + DUE_STEPS]
    reals[clock + DECODE_BUSY] += reals[NOW] - reals[clock + BOUNDARY]
    if reals[clock + LINE_SLOPE] or batch > ints[LARGEST_BATCH]:
        _count_beyond(ints, worker, steps)
    ints[worker + STEPS] += steps
    ints[worker + CONTEXT] += batch * steps


@inlined
def set_line(ints: Ints, reals: Floats, w: int, steps: int) -> None:
    """Set the ITL of a worker's batch over its next steps."""
    worker, clock = worker_at(ints, w), clock_at(ints, w)
    batch = ints[worker + BATCH]
    start, value, slope = itl_line(ints, reals, ints[worker + DECODE_TABLE], batch)
    if slope and ints[worker + CONTEXT] + batch * steps <= batch * start:
        slope = 0.0
    reals[clock + LINE_START] = start
    reals[clock + LINE_VALUE] = value
    reals[clock + LINE_SLOPE] = slope


@inlined
def change_batch(ints: Ints, reals: Floats, w: int) -> int:
    """A step boundary: requests end, waiting ones join, the next change is scheduled.

    Those that have ended are linked by NEXT; the first of them, or NOBODY.
    """
    worker, clock, ends = worker_at(ints, w), clock_at(ints, w), ends_at(ints, w)
    now, batch = reals[NOW], ints[worker + BATCH]
    if batch:
        make_steps(ints, reals, w)
    reals[clock + BOUNDARY] = now
    made = ints[worker + STEPS]
    first_done, last_done = NOBODY, NOBODY
    while batch and ints[ends + LAST] == made:
        request = ints[ends + WHO]
        drop_first_end(ints, ends, batch)
        batch -= 1
        row = row_of(ints, request)
        reals[times_of(ints, request) + DONE] = now
        ints[worker + CONTEXT] -= ints[row + INPUT] + ints[row + OUTPUT]
        ints[row + NEXT] = NOBODY
        if first_done == NOBODY:
            first_done = request
        else:
            ints[row_of(ints, last_done) + NEXT] = request
        last_done = request
    joined, waited = ints[worker + WAIT_HEAD], ints[worker + WAITING]
    while ints[worker + WAITING] and batch < ints[SLOTS]:
        request = ints[worker + WAIT_HEAD]
        row = row_of(ints, request)
        ints[worker + WAIT_HEAD] = ints[row + NEXT]
        ints[worker + WAITING] -= 1
        ints[worker + ORDER] += 1
        ints[worker + CONTEXT] += ints[row + INPUT]
        reals[times_of(ints, request) + DECODE_START] = now
        add_end(ints, ends, batch, made + ints[row + OUTPUT], ints[worker + ORDER], request)
        batch += 1
    ints[worker + BATCH] = batch
    if not batch:
        reals[clock + DUE] = math.inf
        return first_done
    steps = ints[ends + LAST] - made
    set_line(ints, reals, w, steps)
    _schedule(ints, reals, w, now + duration(ints, reals, w, steps), steps)
    if ints[STEP_IS_FIRST_TOKEN]:
        first_token = now + duration(ints, reals, w, 1)
        for _ in range(waited - ints[worker + WAITING]):
            reals[times_of(ints, joined) + FIRST_TOKEN] = first_token
            joined = ints[row_of(ints, joined) + NEXT]
    return first_done
