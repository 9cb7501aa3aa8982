"""What happens when a worker has no block left; see `reference.paged`.

A running request gives up its blocks. At decode it computes its tokens again later, chunk by chunk
beside the steps of the others.
"""

from anarchy.serving.compiled.core import records
from anarchy.serving.compiled.core.compile import boolean, inner, integer
from anarchy.serving.compiled.core.records import (
    DecodeWorker,
    LinkedList,
    PrefillWorker,
    State,
)
from anarchy.serving.compiled.core.requests import insert, remove, request_of, sequence_of
from anarchy.serving.compiled.core.tables import NOBODY
from anarchy.serving.compiled.paged import block_pool
from anarchy.serving.compiled.paged.block_pool import available, pool_of

NOTHING = -1
"""Tokens that were computed for a request that has to wait."""


@inner
def remove_victim(state: State, worker: PrefillWorker | DecodeWorker) -> int:
    """Take out and count the running request that has to give up its blocks: which one."""
    running = worker.running
    victim = running.last if state.settings.preempt == records.LAST_ADMITTED else running.first
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
    if state.settings.preempt == records.LAST_ADMITTED:
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
        sequence_of(state, number).continued = False
        number = request_of(state, number).following
    number = worker.running.first
    while number != NOBODY and budget > 0:
        sequence, victims, out = sequence_of(state, number), worker.preemptions, False
        if sequence.recomputing:
            tokens = _compute(state, w, number, integer(0), budget)
            if tokens == NOTHING:
                break
            computed += tokens
            budget -= tokens
            out = tokens == 0
        else:
            known = sequence.known + worker.steps - sequence.joined
            if (known - 1) % size == 0:
                while not out and not available(state, pool):
                    out = _give_up(state, w) == number
                if not out:
                    block_pool.grow(state, pool, integer(1))
            if not out:
                sequence.continued = True
                budget -= 1
        victims = worker.preemptions - victims
        number = next_served(state, worker.running, number, victims, out)
    number = worker.running.first
    while number != NOBODY:
        sequence = sequence_of(state, number)
        if not sequence.continued and not sequence.recomputing:
            sequence.joined += 1
            skipped += 1
        number = request_of(state, number).following
    return computed, budget, skipped


@inner
def _compute(state: State, w: int, number: int, found: int, budget: int) -> int:
    """Compute a chunk of old tokens again: how many, 0 if the request had to give up."""
    worker, pool = state.decode_workers[w], pool_of(state, w)
    request, sequence = request_of(state, number), sequence_of(state, number)
    size, known, held = state.settings.block_tokens, sequence.known, sequence.target
    before = sequence.computed + found * size
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
    sequence.computed = after
    if after == known:
        sequence.joined = worker.steps
        if sequence.recomputing:
            sequence.recomputing = False
            worker.recomputing -= 1
            sequence.continued = True
    return after - before


@inner
def readmit(state: State, w: int, number: int, budget: int) -> int:
    """Start a preempted request anew, if all its tokens have room."""
    sequence, pool, size = (
        sequence_of(state, number),
        pool_of(state, w),
        state.settings.block_tokens,
    )
    known = sequence.known
    found, used = integer(0), integer(0)
    if state.settings.caching:
        found, used = block_pool.match(state, pool, request_of(state, number), sequence.named)
        found = min(found, (known - 1) // size)
    if -(-known // size) - min(used, found) > available(state, pool):
        return NOTHING
    return _compute(state, w, number, found, budget)


@inner
def _give_up(state: State, w: int) -> int:
    """Preempt a running request: its blocks go, and it waits before all others."""
    worker = state.decode_workers[w]
    victim = remove_victim(state, worker)
    sequence = sequence_of(state, victim)
    if sequence.recomputing:
        sequence.recomputing = False
        worker.recomputing -= 1
    else:
        made = worker.steps - sequence.joined
        sequence.computed = sequence.known + made - (not sequence.continued)
        sequence.known += made
    let_go(state, w, victim, boolean(True))
    sequence.computed = 0
    sequence.continued = False
    insert(state, worker.waiting, worker.waiting.first, victim)
    worker.tried = False
    return victim


@inner
def let_go(state: State, w: int, number: int, named: bool) -> None:
    """Release the blocks of the computed tokens; whole ones stay cached, tail oldest.

    `named` if the request will look for them again.
    """
    request, sequence = request_of(state, number), sequence_of(state, number)
    pool, held, size = pool_of(state, w), sequence.target, state.settings.block_tokens
    count = state.lists[held].count
    whole = sequence.computed // size if state.settings.caching else 0
    grown = -(-sequence.computed // size) - count
    if named:
        missing = max(0, sequence.known // size - sequence.named)
        sequence.named += missing
        state.progress.next_number += missing
    kept = max(0, whole - count)
    state.pools[pool].free += grown - kept
    for place in range(count + kept - 1, count - 1, -1):
        block = block_pool.fresh_block(state, pool, integer(0))
        if named:
            block_pool.name_one(state, pool, block, block_pool.name_at(state, request, place))
        block_pool.rest(state, pool, block)
    if named:
        block_pool.name_blocks(state, pool, request, held, integer(0), min(whole, count))
    else:
        for place in range(sequence.named, min(whole, count)):
            block = state.held[state.lists[held].start + place]
            if state.memory[pool, block].name == records.UNNAMED:
                state.progress.next_number += 1
                block_pool.name_one(state, pool, block, integer(records.ANONYMOUS))
    block_pool.release(state, pool, held)
