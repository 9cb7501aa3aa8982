"""Prefill workers, step by step."""

from anarchy.serving.compiled.core.compile import inner, integer
from anarchy.serving.compiled.core.event_queue import STEP_ENDS, push
from anarchy.serving.compiled.core.records import PrefillWorker, Request, State
from anarchy.serving.compiled.core.requests import append, pop, request_of
from anarchy.serving.compiled.core.service_times import prefill_seconds
from anarchy.serving.compiled.kv_cache.prefix_cache import HBM, HOST, find_overlap, node_of
from anarchy.serving.rules.event_order import NORMAL


@inner
def _counted_seconds(state: State, speed: int, tokens: int, prompts: int, cached: int) -> float:
    """Seconds of a step; look-ups beyond the table are counted."""
    axis = state.service.tokens
    if tokens > axis[len(axis) - 1]:
        state.progress.prefills_beyond += 1
    return prefill_seconds(state.service, speed, tokens, prompts, cached)


@inner
def _full_step_work(
    state: State, speed: int, tokens: int, prompts: int, cached: int, seconds: float
) -> float:
    """Seconds that a step's prompts would have taken as a part of a full step."""
    settings = state.settings
    full = min(settings.batch_requests, settings.batch_tokens * prompts // tokens)
    if prompts >= full:
        return seconds
    tokens, cached = tokens * full // prompts, cached * full // prompts
    return prompts / full * _counted_seconds(state, speed, tokens, full, cached)


@inner
def _most_taken(state: State, prompt: int) -> int:
    """Tokens that a prompt takes from the caches at most."""
    settings, most = state.settings, prompt - 1
    return most // settings.block_tokens * settings.block_tokens if settings.whole_blocks else most


@inner
def _step_seconds(state: State, fetching: float, computing: float) -> float:
    """How long a step lasts that takes so long to fetch and so long to compute."""
    return fetching + computing if state.settings.serial else max(fetching, computing)


@inner
def _best_hit(
    state: State,
    w: int,
    request: Request,
    total: int,
    prompts: int,
    cached: int,
    fetching: float,
) -> float:
    """Let a prompt take tokens from HBM and host memory; the seconds to fetch them.

    The step has `total` tokens of `prompts` prompts already, behind `cached` ones. All tokens are
    taken or, where blocks may be computed anew, what lets the step end first; hits end where the
    tier changes.
    """
    settings, caches, prompt = state.settings, state.prefill_caches, request.input_tokens
    speed, first = state.prefill_workers[w].speed, request.first_shared
    depth = find_overlap(caches, state.blocks, request, w)
    most = _most_taken(state, prompt)
    seconds, least = 0.0, -1.0
    found, fetched, on_host, tier = 0, 0, 0, HBM
    for place in range(depth + 1):
        here = tier
        if place < depth:
            here = node_of(caches, w, state.blocks[first + place]).tier
        if place == depth or here != tier:
            fetch = settings.fetch_latency + on_host * settings.fetch_seconds if on_host else 0.0
            step = 0.0
            if settings.recompute:
                computing = prefill_seconds(
                    state.service, speed, total + prompt - found, prompts + 1, cached + found
                )
                step = _step_seconds(state, fetching + fetch, computing)
            if least < 0 or step <= least:
                seconds, least = fetch, step
                request.cached_tokens, request.fetched_tokens = found, fetched
            tier = here
        covered = min(most, (place + 1) * settings.block_tokens)
        if here == HOST:
            on_host += 1
            fetched += covered - found
        found = covered
    return seconds


@inner
def run_step(
    state: State, worker: PrefillWorker, tokens: int, prompts: int, cached: int, fetching: float
) -> float:
    """Let a worker compute `tokens` tokens of `prompts` prompts behind `cached` ones, which takes
    `fetching` seconds to fetch: how long it will be busy."""
    computing = _counted_seconds(state, worker.speed, tokens, prompts, cached)
    work = _full_step_work(state, worker.speed, tokens, prompts, cached, computing)
    seconds = _step_seconds(state, fetching, computing) if fetching else computing
    worker.computing = True
    worker.started = state.progress.now
    worker.duration = seconds
    worker.step_work = work + (seconds - computing) if fetching else work
    return seconds


@inner
def start_step(state: State, w: int) -> None:
    """Take queued prompts in order while both limits hold."""
    settings, now, worker = state.settings, state.progress.now, state.prefill_workers[w]
    total, count, cached, fetching = 0, 0, 0, 0.0
    while worker.waiting.length and count < settings.batch_requests:
        number = worker.waiting.first
        request = request_of(state, number)
        fetch = 0.0
        request.cached_tokens = 0
        if settings.tiered:
            fetch = _best_hit(state, w, request, total, count, cached, fetching)
        elif settings.caching:
            held = find_overlap(state.prefill_caches, state.blocks, request, w)
            found = held * settings.block_tokens
            request.cached_tokens = min(found, _most_taken(state, request.input_tokens))
        uncached = request.input_tokens - request.cached_tokens
        if count and total + uncached > settings.batch_tokens:
            break
        append(state, worker.running, pop(state, worker.waiting))
        request.prefill_worker = w
        request.prefill_start = now
        fetching += fetch
        total += uncached
        cached += request.cached_tokens
        count += 1
    seconds = run_step(state, worker, total, count, cached, fetching)
    push(state, now + seconds, integer(NORMAL), STEP_ENDS, w)
