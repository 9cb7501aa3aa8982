"""What happens when a worker has no block left; see `reference.paged`.

A running request gives up its blocks. At decode it computes its tokens again later, chunk by chunk
beside the steps of the others.
"""

from anarchy.serving.compiled.core.compile import boolean, inner, integer, small
from anarchy.serving.compiled.core.records import (
    ANONYMOUS,
    LAST_ADMITTED,
    UNNAMED,
    DecodeWorker,
    LinkedList,
    PrefillWorker,
    Request,
    State,
)
from anarchy.serving.compiled.core.requests import prepend, remove, request_of
from anarchy.serving.compiled.core.tables import NOBODY
from anarchy.serving.compiled.paged import block_pool
from anarchy.serving.compiled.paged.block_pool import available, pool_of

NOTHING = -1
"""Tokens that were computed for a request that has to wait."""


@small
def known_tokens(request: Request) -> int:
    """Tokens that a request had when it joined its batch."""
    return request.input_tokens + request.generated


@inner
def remove_victim(state: State, worker: PrefillWorker | DecodeWorker) -> int:
    """Take out and count the running request that has to give up its blocks: which one."""
    running = worker.running
    victim = running.last if state.settings.preempt == LAST_ADMITTED else running.first
    remove(state, running, victim)
    worker.preemptions += 1
    if worker.preemptions - worker.latest_done >= state.settings.most_preemptions:
        state.progress.thrashes = True
    return victim


@inner
def next_served(state: State, members: LinkedList, number: int, victims: int, out: bool) -> int:
    """Who is served after a request for which so many have been taken out of the list.

    `out` says whether it is one of them itself. The reference goes through the list by position,
    so it passes over as many as have been taken out before that position.
    """
    if state.settings.preempt == LAST_ADMITTED:
        return NOBODY if out else request_of(state, number).following
    there, steps = number, victims + 1
    if out:
        there, steps = members.first, victims - 1
    while steps and there != NOBODY:
        there = request_of(state, there).following
        steps -= 1
    return there


@inner
def continue_in_turn(state: State, w: int) -> tuple[int, int, int]:
    """Give each running request its next block or chunk, in order of admission.

    Returns the tokens computed again, the tokens left to this step, and how many requests stand
    still because none are left.
    """
    worker, pool, size = state.decode_workers[w], pool_of(state, w), state.settings.block_tokens
    budget = state.settings.batch_tokens
    computed, skipped = integer(0), integer(0)
    number = worker.running.first
    while number != NOBODY:
        request = request_of(state, number)
        request.continued = False
        number = request.following
    number = worker.running.first
    while number != NOBODY and budget > 0:
        request, victims, out = request_of(state, number), worker.preemptions, False
        if request.recomputing:
            tokens = _compute(state, w, number, integer(0), budget)
            if tokens == NOTHING:
                break
            computed += tokens
            budget -= tokens
            out = tokens == 0
        else:
            known = known_tokens(request) + worker.steps - request.joined
            if (known - 1) % size == 0:
                while not out and not available(state, pool):
                    out = _give_up(state, w) == number
                if not out:
                    block_pool.grow(state, pool, integer(1))
            if not out:
                request.continued = True
                budget -= 1
        victims = worker.preemptions - victims
        number = next_served(state, worker.running, number, victims, out)
    number = worker.running.first
    while number != NOBODY:
        request = request_of(state, number)
        if not request.continued and not request.recomputing:
            request.joined += 1
            skipped += 1
        number = request.following
    return computed, budget, skipped


@inner
def _compute(state: State, w: int, number: int, found: int, budget: int) -> int:
    """Compute a chunk of old tokens again: how many, 0 if the request had to give up."""
    worker, request, pool = state.decode_workers[w], request_of(state, number), pool_of(state, w)
    size, known, held = state.settings.block_tokens, known_tokens(request), request.target
    before = request.computed + found * size
    after = min(known, before + budget)
    if after <= before:
        return NOTHING
    fresh = -(-after // size) - state.lists[held].count - found
    while not block_pool.take(state, pool, request, held, found, fresh):
        if not worker.running.length:
            return NOTHING
        if _give_up(state, w) == number:
            return 0
    if state.settings.caching:
        block_pool.name_blocks(state, pool, request, held, before // size, after // size)
    request.computed = after
    if after == known:
        request.joined = worker.steps
        if request.recomputing:
            request.recomputing = False
            worker.recomputing -= 1
            request.continued = True
    return after - before


@inner
def readmit(state: State, w: int, number: int, budget: int) -> int:
    """Start a preempted request anew, if all its tokens have room."""
    request, pool, size = request_of(state, number), pool_of(state, w), state.settings.block_tokens
    known = known_tokens(request)
    found, used = integer(0), integer(0)
    if state.settings.caching:
        found, used = block_pool.match(state, pool, request, request.named)
        found = min(found, (known - 1) // size)
    if -(-known // size) - min(used, found) > available(state, pool):
        return NOTHING
    return _compute(state, w, number, found, budget)


@inner
def _give_up(state: State, w: int) -> int:
    """Preempt a running request: its blocks go, and it waits before all others."""
    worker = state.decode_workers[w]
    victim = remove_victim(state, worker)
    request = request_of(state, victim)
    if request.recomputing:
        request.recomputing = False
        worker.recomputing -= 1
    else:
        made = worker.steps - request.joined
        request.computed = known_tokens(request) + made - (not request.continued)
        request.generated += made
    let_go(state, w, request, boolean(True))
    request.computed = 0
    request.continued = False
    prepend(state, worker.waiting, victim)
    worker.tried = False
    return victim


@inner
def let_go(state: State, w: int, request: Request, named: bool) -> None:
    """Release the blocks of the computed tokens; whole ones stay cached, tail oldest.

    `named` if the request will look for them again.
    """
    pool, held, size = pool_of(state, w), request.target, state.settings.block_tokens
    count = state.lists[held].count
    whole = request.computed // size if state.settings.caching else 0
    grown = -(-request.computed // size) - count
    if named:
        missing = max(0, known_tokens(request) // size - request.named)
        request.named += missing
        state.progress.next_number += missing
    kept = max(0, whole - count)
    state.pools[pool].free += grown - kept
    for place in range(count + kept - 1, count - 1, -1):
        name = block_pool.name_at(state, request, place) if named else UNNAMED
        block_pool.keep(state, pool, name)
    if named:
        block_pool.name_blocks(state, pool, request, held, integer(0), min(whole, count))
    else:
        for place in range(request.named, min(whole, count)):
            block = state.held[state.lists[held].start + place]
            if state.memory[pool, block].name == UNNAMED:
                state.progress.next_number += 1
                block_pool.name_one(state, pool, block, integer(ANONYMOUS))
    block_pool.release(state, pool, held)
