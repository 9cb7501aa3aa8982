"""Prefill workers whose prompts hold blocks: the mirror of `serving.paged_prefill`."""

from anarchy.serving.compiled.core.compile import inlined, inner, integer, small
from anarchy.serving.compiled.core.event_queue import push
from anarchy.serving.compiled.core.events import KINDS, STEP_ENDS
from anarchy.serving.compiled.core.records import (
    BATCH_REQUESTS,
    BATCH_TOKENS,
    BLOCK_TOKENS,
    BUSY,
    CACHED,
    CACHING,
    DURATION,
    INPUT,
    NOBODY,
    NOW,
    PAGED,
    PREFILL_END,
    PREFILL_START,
    PREFILL_TABLE,
    PREFILL_WORKER,
    RUNNING,
    STARTED,
    STEP_WORK,
    WORK,
    Floats,
    Ints,
)
from anarchy.serving.compiled.core.rows import row_of, times_of
from anarchy.serving.compiled.paged.block_pool import (
    available,
    drop_list,
    list_at,
    match,
    name_blocks,
    release,
    take,
)
from anarchy.serving.compiled.paged.linked_lists import (
    append,
    following,
    link_of,
    next_served,
    prepend,
    remove,
)
from anarchy.serving.compiled.paged.prefix_index import tell
from anarchy.serving.compiled.paged.records import (
    ADMITTED,
    BEFORE,
    CHUNKED,
    COMPUTED,
    COUNT,
    EARLY,
    FINAL,
    FINAL_RELEASE,
    FIRST,
    FIRST_RELEASE,
    LAST_ADMITTED,
    LENGTH,
    NEVER,
    NEXT_LIST,
    PREEMPT,
    PREEMPTIONS,
    PREFILLED,
    QUEUED,
    SCHEDULED,
    SOURCE,
    STEP_PROMPTS,
    STEP_TOKENS,
)
from anarchy.serving.compiled.paged.same_instant import later, on_grid, prefill_station, ready
from anarchy.serving.compiled.plain.prefill import (
    clock_at,
    counted_seconds,
    full_step_work,
    worker_at,
)
from anarchy.serving.reference.core.same_instant import SETTLE, step_end

STEP_END = step_end(0, 0)
"""Priority of the ends of the first worker's steps."""

MUST_WAIT = -1


@inlined
def submit(ints: Ints, reals: Floats, w: int, request: int) -> None:
    """Queue a request."""
    station = prefill_station(ints, w)
    ints[link_of(ints, request) + COMPUTED] = 0
    reals[times_of(ints, request) + PREFILL_START] = -1.0
    ints[row_of(ints, request) + PREFILL_WORKER] = w
    append(ints, station + QUEUED, request)
    if not ints[worker_at(ints, w) + RUNNING]:
        ready(ints, reals, station)


@inlined
def let_go(ints: Ints, reals: Floats, request: int) -> None:
    """Release a finished prompt's blocks, between two steps."""
    w = ints[row_of(ints, request) + PREFILL_WORKER]
    blocks, station = ints[link_of(ints, request) + SOURCE], prefill_station(ints, w)
    if ints[worker_at(ints, w) + RUNNING]:
        ints[list_at(ints, blocks) + NEXT_LIST] = 0
        if ints[station + FIRST_RELEASE]:
            ints[list_at(ints, ints[station + FINAL_RELEASE]) + NEXT_LIST] = blocks
        else:
            ints[station + FIRST_RELEASE] = blocks
        ints[station + FINAL_RELEASE] = blocks
        return
    release(ints, station, blocks)
    drop_list(ints, blocks)
    if ints[station + QUEUED + LENGTH] or ints[station + ADMITTED + LENGTH]:
        ready(ints, reals, station)


@inlined
def _preempt(ints: Ints, station: int) -> int:
    """Let a running prompt start anew: which one."""
    end = FINAL if ints[ints[PAGED] + PREEMPT] == LAST_ADMITTED else FIRST
    victim = ints[station + ADMITTED + end]
    remove(ints, station + ADMITTED, victim)
    link = link_of(ints, victim)
    release(ints, station, ints[link + SOURCE])
    ints[link + COMPUTED] = 0
    ints[station + STEP_PROMPTS] -= ints[link + SCHEDULED] > 0
    ints[station + STEP_TOKENS] -= ints[link + SCHEDULED]
    ints[link + SCHEDULED] = 0
    prepend(ints, station + QUEUED, victim)
    ints[station + PREEMPTIONS] += 1
    return victim


@small
def _whole(ints: Ints, request: int) -> int:
    """Blocks of the prompt that can have names."""
    return ints[row_of(ints, request) + INPUT] // ints[BLOCK_TOKENS]


@inner
def _schedule(ints: Ints, station: int, request: int, found: int, budget: int) -> int:
    """Take blocks for the request's next tokens: how many, 0 if it was preempted itself.

    `found` cached blocks are held instead of computed.
    """
    paged, size, link = ints[PAGED], ints[BLOCK_TOKENS], link_of(ints, request)
    blocks = ints[link + SOURCE]
    before = ints[link + COMPUTED] + found * size
    tokens = ints[row_of(ints, request) + INPUT] - before
    if tokens > budget:
        if ints[paged + CHUNKED]:
            tokens = budget
        elif ints[station + STEP_PROMPTS]:
            return MUST_WAIT
    after = before + tokens
    fresh = -(-after // size) - ints[list_at(ints, blocks) + COUNT] - found
    while not take(ints, station, request, blocks, found, fresh):
        if not ints[station + ADMITTED + LENGTH] or ints[paged + PREEMPT] == NEVER:
            return MUST_WAIT
        if _preempt(ints, station) == request:
            return 0
    if ints[CACHING] and ints[paged + EARLY]:
        end = min(after // size, _whole(ints, request))
        name_blocks(ints, station, request, blocks, before // size, end)
    ints[link + BEFORE] = before
    ints[link + COMPUTED] = after
    ints[link + SCHEDULED] = tokens
    ints[station + STEP_TOKENS] += tokens
    ints[station + STEP_PROMPTS] += 1
    return tokens


@inlined
def _missing(ints: Ints, station: int) -> int:
    """Blocks that the running prompts are yet to take."""
    missing = 0
    request = ints[station + ADMITTED + FIRST]
    while request != NOBODY:
        missing -= -ints[row_of(ints, request) + INPUT] // ints[BLOCK_TOKENS]
        missing -= ints[list_at(ints, ints[link_of(ints, request) + SOURCE]) + COUNT]
        request = following(ints, request)
    return missing


@inlined
def _admit(ints: Ints, reals: Floats, station: int, budget: int) -> None:
    """Start waiting prompts in order while there are tokens and room."""
    size, queue, running = ints[BLOCK_TOKENS], station + QUEUED, station + ADMITTED
    while ints[queue + LENGTH] and budget > 0 and ints[running + LENGTH] < ints[BATCH_REQUESTS]:
        request = ints[queue + FIRST]
        row = row_of(ints, request)
        prompt = ints[row + INPUT]
        found, held = 0, 0
        if ints[CACHING]:
            found, held = match(ints, station, request, prompt // size)
            found = min(found, (prompt - 1) // size)
        needed = -(-prompt // size) - min(held, found)
        if ints[ints[PAGED] + PREEMPT] == NEVER:
            needed += _missing(ints, station)
        if needed > available(ints, station):
            break
        tokens = _schedule(ints, station, request, found, budget)
        if tokens <= 0:
            break
        remove(ints, queue, request)
        append(ints, running, request)
        times = times_of(ints, request)
        if reals[times + PREFILL_START] < 0:
            reals[times + PREFILL_START] = reals[NOW]
            ints[row + CACHED] = found * size
        budget -= tokens


@inner
def begin(ints: Ints, reals: Floats, w: int) -> bool:
    """Begin a step if there is work that has room; whether the instant is not over."""
    worker, station = worker_at(ints, w), prefill_station(ints, w)
    if ints[worker + RUNNING]:
        return False
    preempted, limit = ints[station + PREEMPTIONS], ints[BATCH_TOKENS]
    ints[station + STEP_TOKENS] = 0
    ints[station + STEP_PROMPTS] = 0
    running = station + ADMITTED
    request = ints[running + FIRST]
    while request != NOBODY and ints[station + STEP_TOKENS] < limit:
        victims = ints[station + PREEMPTIONS]
        budget = limit - ints[station + STEP_TOKENS]
        tokens = _schedule(ints, station, request, integer(0), budget)
        if tokens == MUST_WAIT:
            break
        victims = ints[station + PREEMPTIONS] - victims
        request = next_served(ints, running, request, victims, tokens == 0)
    if ints[station + PREEMPTIONS] == preempted:
        _admit(ints, reals, station, limit - ints[station + STEP_TOKENS])
    total, prompts = ints[station + STEP_TOKENS], ints[station + STEP_PROMPTS]
    if total:
        clock, table = clock_at(ints, w), ints[worker + PREFILL_TABLE]
        seconds = counted_seconds(ints, reals, table, total)
        ints[worker + RUNNING] = 1
        reals[clock + STARTED] = reals[NOW]
        reals[clock + DURATION] = seconds
        reals[clock + STEP_WORK] = full_step_work(ints, reals, table, total, prompts, seconds)
        push(ints, reals, on_grid(reals[NOW] + seconds), STEP_END + w, STEP_ENDS + KINDS * w)
        return False
    if ints[station + PREEMPTIONS] != preempted:
        ready(ints, reals, station)
        return True
    return False


@inlined
def end_step(ints: Ints, reals: Floats, w: int) -> None:
    """A step has ended: its blocks are found, what was let go is released, prompts go on."""
    worker, clock, station = worker_at(ints, w), clock_at(ints, w), prefill_station(ints, w)
    now, size = reals[NOW], ints[BLOCK_TOKENS]
    reals[clock + BUSY] += now - reals[clock + STARTED]
    reals[clock + WORK] += reals[clock + STEP_WORK]
    ints[worker + RUNNING] = 0
    late = ints[CACHING] and not ints[ints[PAGED] + EARLY]
    request = ints[station + ADMITTED + FIRST]
    while request != NOBODY:
        link = link_of(ints, request)
        if late and ints[link + SCHEDULED]:
            end = min(ints[link + COMPUTED] // size, _whole(ints, request))
            first = ints[link + BEFORE] // size
            name_blocks(ints, station, request, ints[link + SOURCE], first, end)
        ints[link + SCHEDULED] = 0
        done, request = request, following(ints, request)
        if ints[link + COMPUTED] >= ints[row_of(ints, done) + INPUT]:
            remove(ints, station + ADMITTED, done)
            reals[times_of(ints, done) + PREFILL_END] = now
            later(ints, reals, PREFILLED, done, SETTLE)
    tell(ints, reals, station)
    blocks = ints[station + FIRST_RELEASE]
    while blocks:
        following_list = ints[list_at(ints, blocks) + NEXT_LIST]
        release(ints, station, blocks)
        drop_list(ints, blocks)
        blocks = following_list
    ints[station + FIRST_RELEASE] = 0
    ready(ints, reals, station)
