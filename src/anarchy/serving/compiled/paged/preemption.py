"""What happens when a decode worker has no block left; see `reference.paged`.

A running request gives up its blocks and computes its tokens again later, chunk by chunk beside the
steps of the others.
"""

from anarchy.serving.compiled.core.compile import boolean, inner, integer, small
from anarchy.serving.compiled.core.records import NOBODY
from anarchy.serving.compiled.core.request_ring import request_of
from anarchy.serving.compiled.paged.block_pool import (
    available,
    grow,
    keep,
    match,
    name_at,
    name_blocks,
    name_one,
    names_of,
    pool_of,
    release,
    take,
)
from anarchy.serving.compiled.paged.linked_lists import (
    following,
    next_served,
    prepend,
    remove_victim,
    sequence_of,
)
from anarchy.serving.compiled.paged.records import ANONYMOUS, UNNAMED, PagedState

NOTHING = -1
"""Tokens that were computed for a request that has to wait."""


@small
def known_tokens(state: PagedState, number: int) -> int:
    """Tokens that a request had when it joined its batch."""
    return request_of(state.plain, number).input_tokens + sequence_of(state, number).generated


@inner
def continue_in_turn(state: PagedState, w: int) -> tuple[int, int, int]:
    """Give each running request its next block or chunk, in order of admission.

    Returns the tokens computed again, the tokens left to this step, and how many requests stand
    still because none are left.
    """
    queue, pool, size = state.decode[w], pool_of(state, w), state.plain.settings.block_tokens
    steps, budget = state.plain.decode_workers[w].steps, state.plain.settings.batch_tokens
    computed, skipped = integer(0), integer(0)
    number = queue.running.first
    while number != NOBODY:
        sequence_of(state, number).continued = False
        number = following(state, number)
    number = queue.running.first
    while number != NOBODY and budget > 0:
        sequence, victims, out = sequence_of(state, number), queue.preemptions, False
        if sequence.recomputing:
            tokens = _compute(state, w, number, integer(0), budget)
            if tokens == NOTHING:
                break
            computed += tokens
            budget -= tokens
            out = tokens == 0
        else:
            known = known_tokens(state, number) + steps - sequence.joined
            if (known - 1) % size == 0:
                while not out and not available(state, pool):
                    out = _give_up(state, w) == number
                if not out:
                    grow(state, pool, integer(1))
            if not out:
                sequence.continued = True
                budget -= 1
        victims = queue.preemptions - victims
        number = next_served(state, queue.running, number, victims, out)
    number = queue.running.first
    while number != NOBODY:
        sequence = sequence_of(state, number)
        if not sequence.continued and not sequence.recomputing:
            sequence.joined += 1
            skipped += 1
        number = sequence.following
    return computed, budget, skipped


@inner
def _compute(state: PagedState, w: int, number: int, found: int, budget: int) -> int:
    """Compute a chunk of old tokens again: how many, 0 if the request had to give up."""
    queue, sequence = state.decode[w], sequence_of(state, number)
    pool, names, held = pool_of(state, w), names_of(state, number), sequence.target
    size, known = state.plain.settings.block_tokens, known_tokens(state, number)
    before = sequence.computed + found * size
    after = min(known, before + budget)
    if after <= before:
        return NOTHING
    fresh = -(-after // size) - state.lists[held].count - found
    while not take(state, pool, names, held, found, fresh):
        if not queue.running.length:
            return NOTHING
        if _give_up(state, w) == number:
            return 0
    if state.plain.settings.caching:
        name_blocks(state, pool, names, held, before // size, after // size)
    sequence.computed = after
    if after == known:
        sequence.joined = state.plain.decode_workers[w].steps
        if sequence.recomputing:
            sequence.recomputing = False
            queue.recomputing -= 1
            sequence.continued = True
    return after - before


@inner
def readmit(state: PagedState, w: int, number: int, budget: int) -> int:
    """Start a preempted request anew, if all its tokens have room."""
    pool, size = pool_of(state, w), state.plain.settings.block_tokens
    known = known_tokens(state, number)
    found, used = integer(0), integer(0)
    if state.plain.settings.caching:
        places = sequence_of(state, number).named
        found, used = match(state, pool, names_of(state, number), places)
        found = min(found, (known - 1) // size)
    if -(-known // size) - min(used, found) > available(state, pool):
        return NOTHING
    return _compute(state, w, number, found, budget)


@inner
def _give_up(state: PagedState, w: int) -> int:
    """Preempt a running request: its blocks go, and it waits before all others."""
    queue = state.decode[w]
    victim = remove_victim(state, queue)
    sequence = sequence_of(state, victim)
    if sequence.recomputing:
        sequence.recomputing = False
        queue.recomputing -= 1
    else:
        made = state.plain.decode_workers[w].steps - sequence.joined
        sequence.computed = known_tokens(state, victim) + made - (not sequence.continued)
        sequence.generated += made
    let_go(state, w, victim, boolean(True))
    sequence.computed = 0
    sequence.continued = False
    prepend(state, queue.waiting, victim)
    queue.tried = False
    return victim


@inner
def let_go(state: PagedState, w: int, number: int, named: bool) -> None:
    """Release the blocks of the computed tokens; whole ones stay cached, tail oldest.

    `named` if the request will look for them again.
    """
    sequence, size = sequence_of(state, number), state.plain.settings.block_tokens
    pool, names, held = pool_of(state, w), names_of(state, number), sequence.target
    count = state.lists[held].count
    whole = sequence.computed // size if state.plain.settings.caching else 0
    grown = -(-sequence.computed // size) - count
    if named:
        missing = max(0, known_tokens(state, number) // size - sequence.named)
        sequence.named += missing
        state.progress.next_number += missing
    kept = max(0, whole - count)
    state.pools[pool].free += grown - kept
    for place in range(count + kept - 1, count - 1, -1):
        keep(state, pool, name_at(names, place) if named else UNNAMED)
    if named:
        name_blocks(state, pool, names, held, integer(0), min(whole, count))
    else:
        for place in range(sequence.named, min(whole, count)):
            block = state.held[state.lists[held].start + place]
            if state.blocks[pool, block].name == UNNAMED:
                state.progress.next_number += 1
                name_one(state, pool, block, integer(ANONYMOUS))
    release(state, pool, held)
