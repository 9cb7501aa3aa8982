"""Prefill workers: the mirror of `serving.prefill`, step by step."""

from anarchy.serving.compiled.core.compile import inlined, inner, integer, small
from anarchy.serving.compiled.core.event_queue import push
from anarchy.serving.compiled.core.events import KINDS, PRIORITY, STEP_ENDS
from anarchy.serving.compiled.core.records import (
    BATCH_HEAD,
    BATCH_REQUESTS,
    BATCH_SIZE,
    BATCH_TOKENS,
    BEYOND,
    BLOCK_TOKENS,
    CACHED,
    CACHING,
    DENSE,
    DEVICE,
    DURATION,
    FETCH_LATENCY,
    FETCH_SECONDS,
    FETCHED,
    HOST,
    INPUT,
    NEXT,
    NOBODY,
    NOW,
    PREFILL,
    PREFILL_CACHE,
    PREFILL_REALS,
    PREFILL_START,
    PREFILL_TABLE,
    PREFILL_TIMES,
    PREFILL_WORKER,
    PREFILLS,
    QUEUE_HEAD,
    QUEUE_TAIL,
    RECOMPUTE,
    RUNNING,
    SERIAL,
    SHARED,
    START,
    STARTED,
    STEP_WORK,
    TIER,
    TIERED,
    TOKENS,
    TOKENS_SIZE,
    Floats,
    Ints,
)
from anarchy.serving.compiled.core.rows import row_of, times_of
from anarchy.serving.compiled.core.service_times import prefill_seconds
from anarchy.serving.compiled.kv_cache.prefix_cache import find_overlap, node_of


@small
def worker_at(ints: Ints, w: int) -> int:
    """The address of a prefill worker's integers."""
    return ints[PREFILLS] + w * PREFILL


@small
def clock_at(ints: Ints, w: int) -> int:
    """The address of its reals."""
    return ints[PREFILL_TIMES] + w * PREFILL_REALS


@inlined
def enqueue(ints: Ints, w: int, request: int) -> None:
    """Queue a request."""
    worker = worker_at(ints, w)
    ints[row_of(ints, request) + NEXT] = NOBODY
    if ints[worker + QUEUE_HEAD] == NOBODY:
        ints[worker + QUEUE_HEAD] = request
    else:
        ints[row_of(ints, ints[worker + QUEUE_TAIL]) + NEXT] = request
    ints[worker + QUEUE_TAIL] = request


@inlined
def counted_seconds(ints: Ints, reals: Floats, table: int, tokens: int) -> float:
    """Seconds of a step; look-ups beyond the table are counted."""
    if tokens > ints[ints[TOKENS] + ints[TOKENS_SIZE] - 1]:
        ints[BEYOND] += 1
    return prefill_seconds(ints, reals, table, tokens)


@inlined
def full_step_work(
    ints: Ints, reals: Floats, table: int, tokens: int, prompts: int, seconds: float
) -> float:
    """Seconds that a step's tokens would have taken as a part of a full step."""
    full = min(ints[BATCH_REQUESTS], ints[BATCH_TOKENS] * prompts // tokens)
    if prompts < full:
        return prompts / full * counted_seconds(ints, reals, table, tokens * full // prompts)
    return seconds


@inlined
def _step_seconds(ints: Ints, fetching: float, computing: float) -> float:
    """How long a step lasts that takes so long to fetch and so long to compute."""
    return fetching + computing if ints[SERIAL] else max(fetching, computing)


@inner
def _best_hit(ints: Ints, reals: Floats, w: int, row: int, total: int, fetching: float) -> float:
    """Let a prompt take tokens from HBM and host memory; the seconds to fetch them.

    All of them or, where blocks may be computed anew, what lets the step end first; hits end
    where the tier changes.
    """
    cache, dense = ints[PREFILL_CACHE], ints[DENSE] + ints[row + START]
    table = ints[worker_at(ints, w) + PREFILL_TABLE]
    depth = find_overlap(ints, cache, dense, ints[row + SHARED], w)
    seconds, least = 0.0, -1.0
    found, fetched, on_host, tier = 0, 0, 0, DEVICE
    for place in range(depth + 1):
        here = tier
        if place < depth:
            here = ints[node_of(ints, cache, w, ints[dense + place]) + TIER]
        if place == depth or here != tier:
            fetch = reals[FETCH_LATENCY] + on_host * reals[FETCH_SECONDS] if on_host else 0.0
            step = 0.0
            if ints[RECOMPUTE]:
                tokens = total + ints[row + INPUT] - found
                computing = prefill_seconds(ints, reals, table, tokens)
                step = _step_seconds(ints, fetching + fetch, computing)
            if least < 0 or step <= least:
                seconds, least = fetch, step
                ints[row + CACHED], ints[row + FETCHED] = found, fetched
            tier = here
        covered = min(ints[row + INPUT] - 1, (place + 1) * ints[BLOCK_TOKENS])
        if here == HOST:
            on_host += 1
            fetched += covered - found
        found = covered
    return seconds


@inner
def start_step(ints: Ints, reals: Floats, w: int) -> None:
    """Take queued prompts in order while both limits hold."""
    worker, clock = worker_at(ints, w), clock_at(ints, w)
    now, table = reals[NOW], ints[worker + PREFILL_TABLE]
    requests, budget = ints[BATCH_REQUESTS], ints[BATCH_TOKENS]
    ints[worker + BATCH_HEAD] = ints[worker + QUEUE_HEAD]
    total = integer(0)
    fetching = 0.0
    count = 0
    last = NOBODY
    while ints[worker + QUEUE_HEAD] != NOBODY and count < requests:
        request = ints[worker + QUEUE_HEAD]
        row = row_of(ints, request)
        fetch = 0.0
        ints[row + CACHED] = 0
        if ints[TIERED]:
            fetch = _best_hit(ints, reals, w, row, total, fetching)
        elif ints[CACHING]:
            blocks = ints[DENSE] + ints[row + START]
            held = find_overlap(ints, ints[PREFILL_CACHE], blocks, ints[row + SHARED], w)
            ints[row + CACHED] = min(held * ints[BLOCK_TOKENS], ints[row + INPUT] - 1)
        uncached = ints[row + INPUT] - ints[row + CACHED]
        if count and total + uncached > budget:
            break
        ints[worker + QUEUE_HEAD] = ints[row + NEXT]
        ints[row + PREFILL_WORKER] = w
        reals[times_of(ints, request) + PREFILL_START] = now
        fetching += fetch
        total += uncached
        count += 1
        last = request
    ints[row_of(ints, last) + NEXT] = NOBODY
    ints[worker + BATCH_SIZE] = count
    ints[worker + RUNNING] = 1
    seconds = counted_seconds(ints, reals, table, total)
    work = full_step_work(ints, reals, table, total, count, seconds)
    if fetching:
        whole = _step_seconds(ints, fetching, seconds)
        work += whole - seconds
        seconds = whole
    reals[clock + STARTED] = now
    reals[clock + DURATION] = seconds
    reals[clock + STEP_WORK] = work
    push(ints, reals, now + seconds, PRIORITY, STEP_ENDS + KINDS * w)
