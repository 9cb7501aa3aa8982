"""The main loop: events in order, and the way of a request; see `serving.system`."""

import math

from anarchy.serving.compiled.core.compile import compiled, inlined, inner, integer
from anarchy.serving.compiled.core.event_queue import drop_first, push
from anarchy.serving.compiled.core.events import (
    ARRIVE,
    BATCH_CHANGES,
    HANDED_OVER,
    KINDS,
    PRIORITY,
    STEP_ENDS,
)
from anarchy.serving.compiled.core.records import (
    ACTIVE,
    ARRIVAL,
    ARRIVED,
    BATCH,
    BATCH_HEAD,
    BATCH_SIZE,
    BEYOND,
    BLOCK_TOKENS,
    BOUNDARY,
    BUSY,
    BYTES_PER_TOKEN,
    CACHING,
    CARD,
    CARD_READ,
    CARDS,
    CLIENT,
    CLIENTS,
    COMPLETION,
    COMPLETIONS,
    COSTS,
    DECODE_BUSY,
    DECODE_CACHE,
    DECODE_COUNT,
    DECODE_WORKER,
    DRAINED,
    DUE,
    DUE_READ,
    DUES,
    DURATION,
    ENDS_ROOM,
    EVENT_KEYS,
    EVENT_LAG,
    EVENT_TIMES,
    EVENTS,
    EVENTS_ROOM,
    FINISHED,
    FIRST_ROW,
    FOOTPRINT,
    FUEL,
    GENERATED,
    HANDOFF_BANDWIDTH,
    HANDOFF_OVERHEAD,
    INDEXED,
    INPUT,
    LOG_COSTS,
    METERS,
    METERS_BEYOND,
    METERS_TIME,
    MORE_ENDS,
    MORE_EVENTS,
    MORE_NEWS,
    MORE_ROWS,
    MORE_RUNS,
    NEXT,
    NOBODY,
    NOW,
    OUTPUT,
    OVERLAPS,
    PENDING,
    PREFILL_CACHE,
    PREFILL_COUNT,
    PREFILL_END,
    PROMISED,
    QUEUE_HEAD,
    REFILL,
    REPLICA,
    REPLICAS,
    ROUTED,
    ROW_COSTS,
    ROW_MASK,
    RULE,
    RUNNING,
    SLOTS,
    SPARE,
    STARTED,
    STEP_WORK,
    STEPS_BEYOND,
    THINK_READ,
    THINKS,
    TO_DECODE,
    TO_PREFILL,
    WAITING,
    WANTED,
    WARMUP,
    WORK,
    Floats,
    Ints,
)
from anarchy.serving.compiled.core.rows import row_of, times_of
from anarchy.serving.compiled.plain.decode import change_batch, submit
from anarchy.serving.compiled.plain.decode import clock_at as decode_clock
from anarchy.serving.compiled.plain.decode import worker_at as decode_at
from anarchy.serving.compiled.plain.prefill import clock_at as prefill_clock
from anarchy.serving.compiled.plain.prefill import enqueue, start_step
from anarchy.serving.compiled.plain.prefill import worker_at as prefill_at
from anarchy.serving.compiled.router.dispatch import cache_prompt, decide
from anarchy.serving.compiled.router.worker_loads import ended, news_are_short, placed


@inner
def _send(ints: Ints, reals: Floats, client: int, time: float) -> None:
    """Schedule the arrival of the next request, of a client or of an open workload (client 0)."""
    card, pending = ints[CARDS] + ints[CARD_READ] * CARD, ints[PENDING] + client * CARD
    ints[CARD_READ] += 1
    for field in range(CARD):
        ints[pending + field] = ints[card + field]
    push(ints, reals, time, PRIORITY, ARRIVE + KINDS * client)


@inlined
def _send_at_due(ints: Ints, reals: Floats) -> None:
    """Schedule the next arrival of an open workload, if there is one."""
    due = reals[ints[DUES] + ints[DUE_READ]]
    if due < math.inf:
        ints[DUE_READ] += 1
        _send(ints, reals, 0, due)


@compiled
def begin(ints: Ints, reals: Floats, starts: Floats) -> None:
    """Schedule the first arrivals: one at each of `starts`, or the first of an open workload."""
    for client in range(len(starts)):
        _send(ints, reals, client, starts[client])
    if not len(starts):
        _send_at_due(ints, reals)


@inlined
def _costs_of(ints: Ints, request: int) -> int:
    """The address of what the routers saw of the workers."""
    width = ints[PREFILL_COUNT] + 2 * ints[DECODE_COUNT]
    return ints[ROW_COSTS] + (request & ints[ROW_MASK]) * width


@inlined
def take_in(ints: Ints, reals: Floats, client: int) -> int:
    """A request arrives: its number."""
    request = ints[ARRIVED]
    ints[ARRIVED] = request + 1
    ints[FUEL] -= 1
    row, pending = row_of(ints, request), ints[PENDING] + client * CARD
    for field in range(CARD):
        ints[row + field] = ints[pending + field]
    ints[row + CLIENT] = client
    ints[row + COMPLETION] = 0
    ints[row + REPLICA] = request % ints[REPLICAS]
    reals[times_of(ints, request) + ARRIVAL] = reals[NOW]
    if not ints[CLIENTS]:
        _send_at_due(ints, reals)
    return request


@inlined
def choose_prefill(ints: Ints, reals: Floats, request: int) -> int:
    """Route a request to a prefill worker."""
    row, workers = row_of(ints, request), ints[PREFILL_COUNT]
    w = 0
    if workers > 1:
        leg = ints[TO_PREFILL]
        w = decide(ints, reals, leg, row)
        overlap = ints[ints[leg + OVERLAPS] + w]
        ints[row + PROMISED] = max(1, ints[row + INPUT] - overlap * ints[BLOCK_TOKENS])
        placed(ints, reals, leg, row, w)
        if ints[LOG_COSTS]:
            seen = _costs_of(ints, request)
            for worker in range(workers):
                reals[seen + worker] = reals[ints[leg + COSTS] + worker]
    return w


@inlined
def _arrive(ints: Ints, reals: Floats, client: int) -> None:
    request = take_in(ints, reals, client)
    w = choose_prefill(ints, reals, request)
    enqueue(ints, w, request)
    if not ints[prefill_at(ints, w) + RUNNING]:
        start_step(ints, reals, w)


@inlined
def handoff_seconds(ints: Ints, reals: Floats, row: int) -> float:
    """Seconds that a prompt's KV is on its way to decode."""
    transfer = ints[row + INPUT] * ints[BYTES_PER_TOKEN] / reals[HANDOFF_BANDWIDTH]
    return reals[HANDOFF_OVERHEAD] + transfer


@inlined
def _end_step(ints: Ints, reals: Floats, w: int) -> None:
    """A prefill step has ended: its prompts are cached, the next step begins, they go on."""
    worker, clock, leg = prefill_at(ints, w), prefill_clock(ints, w), ints[TO_PREFILL]
    now = reals[NOW]
    reals[clock + BUSY] += now - reals[clock + STARTED]
    reals[clock + WORK] += reals[clock + STEP_WORK]
    ints[worker + RUNNING] = 0
    first = ints[worker + BATCH_HEAD]
    request = first
    while request != NOBODY:
        row = row_of(ints, request)
        reals[times_of(ints, request) + PREFILL_END] = now
        if ints[CACHING]:
            cache_prompt(ints, reals, leg, ints[PREFILL_CACHE], row, w)
        request = ints[row + NEXT]
    if ints[worker + QUEUE_HEAD] != NOBODY:
        start_step(ints, reals, w)
    request = first
    while request != NOBODY:
        row = row_of(ints, request)
        following = ints[row + NEXT]
        if ints[PREFILL_COUNT] > 1:
            ended(ints, reals, leg, row, w, integer(0))
        delay = handoff_seconds(ints, reals, row)
        if delay > 0:
            push(ints, reals, now + delay, PRIORITY, HANDED_OVER + KINDS * request)
        else:
            _route_decode(ints, reals, request)
        request = following


@inlined
def choose_decode(ints: Ints, reals: Floats, request: int) -> int:
    """Route a request to a decode worker."""
    row, leg = row_of(ints, request), ints[TO_DECODE]
    reals[times_of(ints, request) + ROUTED] = reals[NOW]
    ints[FUEL] -= 1
    w = decide(ints, reals, leg, row)
    if ints[LOG_COSTS]:
        workers = ints[DECODE_COUNT]
        seen = _costs_of(ints, request) + ints[PREFILL_COUNT]
        for worker in range(workers):
            reals[seen + worker] = reals[ints[leg + COSTS] + worker]
            reals[seen + workers + worker] = ints[ints[leg + ACTIVE] + worker]
    ints[row + DECODE_WORKER] = w
    placed(ints, reals, leg, row, w)
    return w


@inner
def _route_decode(ints: Ints, reals: Floats, request: int) -> None:
    row, leg = row_of(ints, request), ints[TO_DECODE]
    w = choose_decode(ints, reals, request)
    if ints[leg + INDEXED]:
        cache_prompt(ints, reals, leg, ints[DECODE_CACHE], row, w)
    submit(ints, reals, w, request)


@inlined
def complete(ints: Ints, reals: Floats, row: int, w: int) -> bool:
    """A request is done; whether it is the last one of the run."""
    leg = ints[TO_DECODE]
    grown = 0
    if ints[leg + GENERATED] and reals[ints[leg + RULE] + EVENT_LAG] > 0:
        tokens = ints[row + INPUT] + ints[row + OUTPUT]
        grown = -(-tokens // ints[BLOCK_TOKENS]) - ints[row + FOOTPRINT]
    ended(ints, reals, leg, row, w, grown)
    done = ints[COMPLETIONS] + 1
    ints[COMPLETIONS] = done
    ints[FUEL] -= 1
    ints[row + COMPLETION] = done
    if done == ints[WARMUP]:
        read_meters(ints, reals)
    if done == ints[WARMUP] + ints[WANTED]:
        return True
    if ints[CLIENTS]:
        think = reals[ints[THINKS] + ints[THINK_READ]]
        ints[THINK_READ] += 1
        _send(ints, reals, ints[row + CLIENT], reals[NOW] + think)
    return False


@compiled
def read_meters(ints: Ints, reals: Floats) -> None:
    """Read the running totals now."""
    now, prefills, decodes = reals[NOW], ints[PREFILL_COUNT], ints[DECODE_COUNT]
    reals[METERS_TIME] = now
    ints[METERS_BEYOND] = ints[BEYOND]
    meter = ints[METERS]
    for w in range(prefills):
        clock = prefill_clock(ints, w)
        busy, work = reals[clock + BUSY], reals[clock + WORK]
        if ints[prefill_at(ints, w) + RUNNING]:
            since = now - reals[clock + STARTED]
            busy += since
            work += since / reals[clock + DURATION] * reals[clock + STEP_WORK]
        reals[meter + w] = busy
        reals[meter + prefills + w] = work
    meter += 2 * prefills
    for w in range(decodes):
        worker, clock = decode_at(ints, w), decode_clock(ints, w)
        busy = reals[clock + DECODE_BUSY]
        if ints[worker + BATCH]:
            busy += now - reals[clock + BOUNDARY]
        reals[meter + w] = busy
        ints[METERS_BEYOND] += ints[worker + STEPS_BEYOND]


@inlined
def _short(ints: Ints, burst: int) -> int:
    """What the driver has to supply before the next event, or FINISHED if nothing.

    At most `burst` moves of a request, each an arrival, a hand-over or a completion, come of it.
    """
    if ints[FUEL] < burst:
        return REFILL
    if ints[ARRIVED] - ints[FIRST_ROW] > ints[ROW_MASK]:
        return MORE_ROWS
    if ints[EVENTS] + 2 * burst > ints[EVENTS_ROOM]:
        return MORE_EVENTS
    if ints[ints[PREFILL_CACHE] + SPARE] < burst or ints[ints[DECODE_CACHE] + SPARE] < burst:
        return MORE_RUNS
    for leg in (ints[TO_PREFILL], ints[TO_DECODE]):
        if news_are_short(ints, leg, burst):
            return MORE_NEWS
    return FINISHED


@compiled
def advance(ints: Ints, reals: Floats) -> int:
    """Run until the last request is done or until something runs short: see `layout`."""
    while True:
        if ints[EVENTS] == 0:
            return DRAINED
        time, what = reals[ints[EVENT_TIMES]], ints[ints[EVENT_KEYS] + 1]
        kind, number = what % KINDS, what // KINDS
        burst = 2
        if kind == BATCH_CHANGES:
            if time != reals[decode_clock(ints, number) + DUE]:  # superseded
                drop_first(ints, reals)
                continue
            worker = decode_at(ints, number)
            burst += ints[worker + BATCH]
            joining = ints[worker + BATCH] + ints[worker + WAITING]
            if min(ints[SLOTS], joining) > ints[ENDS_ROOM]:
                return MORE_ENDS
        elif kind == STEP_ENDS:
            burst += ints[prefill_at(ints, number) + BATCH_SIZE]
        short = _short(ints, burst)
        if short != FINISHED:
            return short
        reals[NOW] = time
        drop_first(ints, reals)
        if kind == BATCH_CHANGES:
            request = change_batch(ints, reals, number)
            while request != NOBODY:
                row = row_of(ints, request)
                request = ints[row + NEXT]
                if complete(ints, reals, row, number):
                    return FINISHED
        elif kind == HANDED_OVER:
            _route_decode(ints, reals, number)
        elif kind == STEP_ENDS:
            _end_step(ints, reals, number)
        else:
            _arrive(ints, reals, number)
