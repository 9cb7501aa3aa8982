"""Decode workers whose sequences hold blocks: the mirror of `serving.paged_decode`.

Requests come to a worker as `reservation` says and may lose their blocks as `preemption` says;
`begin` and `make_due_steps` are the two ends of the steps between two changes of its batch.
"""

import math

from anarchy.serving.compiled.core.compile import boolean, inlined, inner, integer, small
from anarchy.serving.compiled.core.event_queue import push
from anarchy.serving.compiled.core.events import BATCH_CHANGES, KINDS
from anarchy.serving.compiled.core.records import (
    BATCH,
    BATCH_TOKENS,
    BLOCK_TOKENS,
    BOUNDARY,
    CONTEXT,
    DECODE_START,
    DONE,
    DUE,
    DUE_STEPS,
    FIRST_TOKEN,
    FOOTPRINT,
    INPUT,
    LAST,
    NOBODY,
    NOW,
    OUTPUT,
    REPLICA,
    SLOTS,
    STEP_IS_FIRST_TOKEN,
    STEPS,
    WHO,
    Floats,
    Ints,
)
from anarchy.serving.compiled.core.records import ORDER as ADMISSIONS
from anarchy.serving.compiled.core.rows import row_of, times_of
from anarchy.serving.compiled.paged.block_pool import available, drop_list, grow
from anarchy.serving.compiled.paged.linked_lists import append, following, link_of, remove
from anarchy.serving.compiled.paged.preemption import (
    NOTHING,
    continue_in_turn,
    known_tokens,
    let_go,
    readmit,
)
from anarchy.serving.compiled.paged.prefix_index import tell
from anarchy.serving.compiled.paged.records import (
    ADMITTED,
    ADMITTED_AS,
    ANEW,
    CHANGES,
    COMPUTED,
    ENDING,
    ENTERED,
    FIRST,
    FOLLOWING,
    HELD,
    IRREGULAR,
    JOINED,
    LENGTH,
    MADE,
    NEWCOMER,
    PENDING,
    PHASES,
    PREEMPTIONS,
    PROMISED_BLOCKS,
    QUEUED,
    RECOMPUTING,
    TRIED,
)
from anarchy.serving.compiled.paged.reservation import accept, try_reservation, whole_blocks
from anarchy.serving.compiled.paged.same_instant import decode_station, on_grid, ready
from anarchy.serving.compiled.plain.decode import (
    add_end,
    clock_at,
    drop_first_end,
    duration,
    ends_at,
    make_steps,
    set_line,
    steps_done,
    steps_to,
    worker_at,
)
from anarchy.serving.reference.core.same_instant import step_end

STEP_END = step_end(1, 0)
"""Priority of the ends of the first worker's steps."""


@inner
def output_blocks(ints: Ints, reals: Floats, w: int, replica: int) -> int:
    """Blocks of output on a worker, of the requests that a replica has placed there."""
    station, size = decode_station(ints, w), ints[BLOCK_TOKENS]
    steps = ints[worker_at(ints, w) + STEPS] + steps_done(ints, reals, w, reals[NOW])
    total = 0
    for chain in (station + ADMITTED, station + QUEUED):
        request = ints[chain + FIRST]
        while request != NOBODY:
            row, link = row_of(ints, request), link_of(ints, request)
            if ints[row + REPLICA] == replica:
                tokens = ints[row + INPUT] + ints[link + MADE]
                if chain == station + ADMITTED and not ints[link + ANEW]:
                    tokens += steps - ints[link + JOINED]
                total += -(-tokens // size) - ints[row + FOOTPRINT]
            request = following(ints, request)
    return total


@inlined
def meets_boundary(ints: Ints, reals: Floats, w: int) -> bool:
    """Let the running steps end at the first boundary from now on; whether that is now."""
    worker, boundary, now = worker_at(ints, w), reals[clock_at(ints, w) + BOUNDARY], reals[NOW]
    steps = max(1, steps_to(ints, reals, w, now))
    if steps > 1 and on_grid(boundary + duration(ints, reals, w, steps - 1)) >= now:
        steps -= 1
    if steps >= ints[worker + DUE_STEPS]:
        return False
    due = on_grid(boundary + duration(ints, reals, w, steps))
    if due > now:
        _schedule(ints, reals, w, due, steps)
        return False
    ints[worker + DUE_STEPS] = steps
    return True


@inner
def _schedule(ints: Ints, reals: Floats, w: int, due: float, steps: int) -> None:
    reals[clock_at(ints, w) + DUE] = due
    ints[worker_at(ints, w) + DUE_STEPS] = steps
    push(ints, reals, due, STEP_END + w, BATCH_CHANGES + KINDS * w)


@inner
def begin(ints: Ints, reals: Floats, w: int) -> bool:
    """Begin the next step if there is work that has room; whether the instant is not over."""
    worker, station = worker_at(ints, w), decode_station(ints, w)
    running, waiting = station + ADMITTED, station + QUEUED
    if ints[worker + BATCH] or not (ints[running + LENGTH] or ints[waiting + LENGTH]):
        return False
    if ints[station + IRREGULAR]:
        _rebuild(ints, w)
    preempted = ints[station + PREEMPTIONS]
    ints[station + IRREGULAR] = ints[station + RECOMPUTING] > 0
    computed, skipped = integer(0), integer(0)
    budget = ints[BATCH_TOKENS] - ints[running + LENGTH]
    fresh = ints[ints[station + PHASES] + ints[worker + STEPS] % ints[BLOCK_TOKENS]]
    if ints[station + IRREGULAR] or fresh > available(ints, station):
        ints[station + IRREGULAR] = 1
        computed, budget, skipped = continue_in_turn(ints, w)
    else:
        grow(ints, station, fresh)
    admitted, newcomer = integer(0), integer(NOBODY)
    if ints[waiting + LENGTH] and ints[station + PREEMPTIONS] == preempted:
        admitted, newcomer = _admit_waiting(ints, reals, w, budget)
    if ints[station + IRREGULAR]:
        _rebuild(ints, w)
    reals[clock_at(ints, w) + BOUNDARY] = reals[NOW]
    batch = ints[running + LENGTH] - ints[station + RECOMPUTING] - skipped
    ints[worker + BATCH] = batch
    if batch:
        _plan(ints, reals, w)
        if ints[STEP_IS_FIRST_TOKEN]:
            first = on_grid(reals[NOW] + duration(ints, reals, w, integer(1)))
            while newcomer != NOBODY:
                reals[times_of(ints, newcomer) + FIRST_TOKEN] = first
                newcomer = ints[link_of(ints, newcomer) + NEWCOMER]
        return False
    if computed or admitted or ints[station + PREEMPTIONS] > preempted:
        try_reservation(ints, reals, station)
        ready(ints, reals, station)
        return True
    return False


@inlined
def _next_waiting(ints: Ints, station: int) -> int:
    """Who may run next: those whose prompt is here go before one that has to find room anew."""
    first = request = ints[station + QUEUED + FIRST]
    if not ints[station + PENDING + LENGTH]:
        return first
    while request != NOBODY:
        if ints[link_of(ints, request) + COMPUTED]:
            return request
        request = following(ints, request)
    return first


@inlined
def _admit_waiting(ints: Ints, reals: Floats, w: int, budget: int) -> tuple[int, int]:
    """Let waiting requests run in order while there are slots.

    How many did, and the last of those that came from prefill; NEWCOMER leads to the others.
    """
    worker, station = worker_at(ints, w), decode_station(ints, w)
    running, waiting = station + ADMITTED, station + QUEUED
    admitted, newcomer = integer(0), integer(NOBODY)
    while ints[waiting + LENGTH] and ints[running + LENGTH] < ints[SLOTS]:
        request = _next_waiting(ints, station)
        link = link_of(ints, request)
        anew = ints[link + COMPUTED] == 0
        if anew:
            tokens = integer(NOTHING)
            if not ints[station + PENDING + LENGTH]:
                tokens = readmit(ints, w, request, budget)
            if tokens == NOTHING:
                break
            budget -= tokens
        remove(ints, waiting, request)
        ints[worker + ADMISSIONS] += 1
        ints[link + ADMITTED_AS] = ints[worker + ADMISSIONS]
        append(ints, running, request)
        admitted += 1
        if anew:
            ints[station + IRREGULAR] = 1
            if ints[link + COMPUTED] < known_tokens(ints, request):
                ints[link + ANEW] = 1
                ints[station + RECOMPUTING] += 1
            continue
        reals[times_of(ints, request) + DECODE_START] = reals[NOW]
        ints[link + JOINED] = ints[worker + STEPS]
        ints[link + NEWCOMER] = newcomer
        newcomer = request
        _count_in(ints, w, request)
        if budget <= 0:
            break
    return admitted, newcomer


@inner
def _rebuild(ints: Ints, w: int) -> None:
    """Count the running sequences anew, after steps in which some of them stood still."""
    worker, station = worker_at(ints, w), decode_station(ints, w)
    ints[station + ENDING] = 0
    ints[worker + CONTEXT] = 0
    for phase in range(ints[station + PHASES], ints[station + PHASES] + ints[BLOCK_TOKENS]):
        ints[phase] = 0
    request = ints[station + ADMITTED + FIRST]
    while request != NOBODY:
        if not ints[link_of(ints, request) + ANEW]:
            _count_in(ints, w, request)
        request = following(ints, request)


@small
def _phase_of(ints: Ints, station: int, request: int) -> int:
    """The address of the count of sequences that take a block in the same steps as this one."""
    first = ints[link_of(ints, request) + JOINED] + 1 - known_tokens(ints, request)
    return ints[station + PHASES] + first % ints[BLOCK_TOKENS]


@inner
def _count_in(ints: Ints, w: int, request: int) -> None:
    """Count a sequence that makes tokens from step JOINED on."""
    worker, station, link = worker_at(ints, w), decode_station(ints, w), link_of(ints, request)
    ints[_phase_of(ints, station, request)] += 1
    ints[worker + CONTEXT] += (
        known_tokens(ints, request) + ints[worker + STEPS] - ints[link + JOINED]
    )
    last = ints[link + JOINED] + ints[row_of(ints, request) + OUTPUT] - ints[link + MADE]
    add_end(ints, ends_at(ints, w), ints[station + ENDING], last, ints[link + ADMITTED_AS], request)
    ints[station + ENDING] += 1


@inlined
def _plan(ints: Ints, reals: Floats, w: int) -> None:
    """Schedule the next change: an end, or the step before the blocks run out."""
    worker, station = worker_at(ints, w), decode_station(ints, w)
    steps = ints[ends_at(ints, w) + LAST] - ints[worker + STEPS]
    untried = ints[station + TRIED] != ints[station + CHANGES]
    if ints[station + IRREGULAR] or (ints[station + PENDING + LENGTH] and untried):
        steps = 1
    room = available(ints, station)
    if steps > 1 and -(-steps // ints[BLOCK_TOKENS]) * ints[worker + BATCH] > room:
        low, high = 1, steps
        while low < high:
            middle = (low + high + 1) // 2
            if _growth(ints, w, middle) <= room:
                low = middle
            else:
                high = middle - 1
        steps = low
    set_line(ints, reals, w, steps)
    _schedule(ints, reals, w, on_grid(reals[NOW] + duration(ints, reals, w, steps)), steps)


@inner
def _growth(ints: Ints, w: int, steps: int) -> int:
    """Blocks that `steps` steps take, without those that the first of them has taken."""
    worker, phases, size = (
        worker_at(ints, w),
        ints[decode_station(ints, w) + PHASES],
        ints[BLOCK_TOKENS],
    )
    rounds, rest = (steps - 1) // size, (steps - 1) % size
    blocks = rounds * ints[worker + BATCH]
    for step in range(ints[worker + STEPS] + 1, ints[worker + STEPS] + 1 + rest):
        blocks += ints[phases + step % size]
    return blocks


@inner
def make_due_steps(ints: Ints, reals: Floats, w: int) -> int:
    """Make the steps that are due; the first of the requests that have ended, linked in a chain.

    The worker is then between two steps, and `between_steps` goes on.
    """
    worker, station, ends = worker_at(ints, w), decode_station(ints, w), ends_at(ints, w)
    grow(ints, station, _growth(ints, w, ints[worker + DUE_STEPS]))
    make_steps(ints, reals, w)
    reals[clock_at(ints, w) + DUE] = math.inf
    ints[worker + BATCH] = 0
    first, final = integer(NOBODY), integer(NOBODY)
    while ints[station + ENDING] and ints[ends + LAST] == ints[worker + STEPS]:
        request = ints[ends + WHO]
        drop_first_end(ints, ends, ints[station + ENDING])
        ints[station + ENDING] -= 1
        _leave(ints, w, request)
        reals[times_of(ints, request) + DONE] = reals[NOW]
        ints[link_of(ints, request) + FOLLOWING] = NOBODY
        if first == NOBODY:
            first = request
        else:
            ints[link_of(ints, final) + FOLLOWING] = request
        final = request
    tell(ints, reals, station)
    return first


@inlined
def between_steps(ints: Ints, reals: Floats, w: int) -> None:
    """Accept who has come within the steps, and look at what is next."""
    station = decode_station(ints, w)
    while ints[station + ENTERED + LENGTH]:
        request = ints[station + ENTERED + FIRST]
        remove(ints, station + ENTERED, request)
        accept(ints, reals, station, request)
    try_reservation(ints, reals, station)
    ready(ints, reals, station)


@inlined
def _leave(ints: Ints, w: int, request: int) -> None:
    """The last token is out; nobody computes it."""
    station, link, row = decode_station(ints, w), link_of(ints, request), row_of(ints, request)
    ints[_phase_of(ints, station, request)] -= 1
    ints[link + COMPUTED] = ints[row + INPUT] + ints[row + OUTPUT] - 1
    ints[worker_at(ints, w) + CONTEXT] -= ints[link + COMPUTED] + 1
    remove(ints, station + ADMITTED, request)
    ints[station + PROMISED_BLOCKS] -= whole_blocks(ints, request)
    let_go(ints, station, request, boolean(False))
    drop_list(ints, ints[link + HELD])
    ints[station + CHANGES] += 1
