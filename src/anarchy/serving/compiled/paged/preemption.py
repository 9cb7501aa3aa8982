"""What happens when a decode worker has no block left; see `serving.paged_decode`.

A running request gives up its blocks and computes its tokens again later, chunk by chunk beside the
steps of the others.
"""

from anarchy.serving.compiled.core.compile import boolean, inlined, inner, integer, small
from anarchy.serving.compiled.core.records import (
    BATCH_TOKENS,
    BLOCK_TOKENS,
    CACHING,
    INPUT,
    NOBODY,
    PAGED,
    STEPS,
    Ints,
)
from anarchy.serving.compiled.core.rows import row_of
from anarchy.serving.compiled.paged.block_pool import (
    available,
    grow,
    keep,
    list_at,
    match,
    name_blocks,
    name_of,
    name_one,
    release,
    take,
)
from anarchy.serving.compiled.paged.linked_lists import (
    following,
    link_of,
    next_served,
    prepend,
    remove,
)
from anarchy.serving.compiled.paged.records import (
    ADMITTED,
    ANEW,
    ANONYMOUS,
    BLOCK,
    BLOCKS_AT,
    CHANGES,
    COMPUTED,
    CONTINUED,
    COUNT,
    ENTRIES,
    FINAL,
    FIRST,
    FREE,
    HELD,
    JOINED,
    LAST_ADMITTED,
    LENGTH,
    MADE,
    NAME,
    NAMED_PLACES,
    NEXT_NUMBER,
    PREEMPT,
    PREEMPTIONS,
    QUEUED,
    RECOMPUTING,
    UNNAMED,
)
from anarchy.serving.compiled.paged.same_instant import decode_station
from anarchy.serving.compiled.plain.decode import worker_at

NOTHING = -1
"""Tokens that were computed for a request that has to wait."""


@small
def known_tokens(ints: Ints, request: int) -> int:
    """Tokens that a request had when it joined its batch."""
    return ints[row_of(ints, request) + INPUT] + ints[link_of(ints, request) + MADE]


@inlined
def continue_in_turn(ints: Ints, w: int) -> tuple[int, int, int]:
    """Give each running request its next block or chunk, in order of admission.

    Returns the tokens computed again, the tokens left to this step, and how many requests stand
    still because none are left.
    """
    station, size = decode_station(ints, w), ints[BLOCK_TOKENS]
    steps = ints[worker_at(ints, w) + STEPS]
    running, budget = station + ADMITTED, ints[BATCH_TOKENS]
    computed, skipped = integer(0), integer(0)
    request = ints[running + FIRST]
    while request != NOBODY:
        ints[link_of(ints, request) + CONTINUED] = 0
        request = following(ints, request)
    request = ints[running + FIRST]
    while request != NOBODY and budget > 0:
        link, victims, out = link_of(ints, request), ints[station + PREEMPTIONS], False
        if ints[link + ANEW]:
            tokens = _compute(ints, w, request, integer(0), budget)
            if tokens == NOTHING:
                break
            computed += tokens
            budget -= tokens
            out = tokens == 0
        else:
            known = known_tokens(ints, request) + steps - ints[link + JOINED]
            if (known - 1) % size == 0:
                while not out and not available(ints, station):
                    out = _give_up(ints, w) == request
                if not out:
                    grow(ints, station, integer(1))
            if not out:
                ints[link + CONTINUED] = 1
                budget -= 1
        victims = ints[station + PREEMPTIONS] - victims
        request = next_served(ints, running, request, victims, out)
    request = ints[running + FIRST]
    while request != NOBODY:
        link = link_of(ints, request)
        if not ints[link + CONTINUED] and not ints[link + ANEW]:
            ints[link + JOINED] += 1
            skipped += 1
        request = following(ints, request)
    return computed, budget, skipped


@inner
def _compute(ints: Ints, w: int, request: int, found: int, budget: int) -> int:
    """Compute a chunk of old tokens again: how many, 0 if the request had to give up."""
    station, size, link = decode_station(ints, w), ints[BLOCK_TOKENS], link_of(ints, request)
    blocks, known = ints[link + HELD], known_tokens(ints, request)
    before = ints[link + COMPUTED] + found * size
    after = min(known, before + budget)
    if after <= before:
        return NOTHING
    fresh = -(-after // size) - ints[list_at(ints, blocks) + COUNT] - found
    while not take(ints, station, request, blocks, found, fresh):
        if not ints[station + ADMITTED + LENGTH]:
            return NOTHING
        if _give_up(ints, w) == request:
            return 0
    if ints[CACHING]:
        name_blocks(ints, station, request, blocks, before // size, after // size)
    ints[link + COMPUTED] = after
    if after == known:
        ints[link + JOINED] = ints[worker_at(ints, w) + STEPS]
        if ints[link + ANEW]:
            ints[link + ANEW] = 0
            ints[station + RECOMPUTING] -= 1
            ints[link + CONTINUED] = 1
    return after - before


@inlined
def readmit(ints: Ints, w: int, request: int, budget: int) -> int:
    """Start a preempted request anew, if all its tokens have room."""
    station, size, known = decode_station(ints, w), ints[BLOCK_TOKENS], known_tokens(ints, request)
    found, held = integer(0), integer(0)
    if ints[CACHING]:
        found, held = match(ints, station, request, ints[link_of(ints, request) + NAMED_PLACES])
        found = min(found, (known - 1) // size)
    if -(-known // size) - min(held, found) > available(ints, station):
        return NOTHING
    return _compute(ints, w, request, found, budget)


@inner
def _give_up(ints: Ints, w: int) -> int:
    """Preempt a running request: its blocks go, and it waits before all others."""
    station = decode_station(ints, w)
    end = FINAL if ints[ints[PAGED] + PREEMPT] == LAST_ADMITTED else FIRST
    victim = ints[station + ADMITTED + end]
    remove(ints, station + ADMITTED, victim)
    link = link_of(ints, victim)
    if ints[link + ANEW]:
        ints[link + ANEW] = 0
        ints[station + RECOMPUTING] -= 1
    else:
        made = ints[worker_at(ints, w) + STEPS] - ints[link + JOINED]
        ints[link + COMPUTED] = known_tokens(ints, victim) + made - (not ints[link + CONTINUED])
        ints[link + MADE] += made
    let_go(ints, station, victim, boolean(True))
    ints[link + COMPUTED] = 0
    ints[link + CONTINUED] = 0
    prepend(ints, station + QUEUED, victim)
    ints[station + PREEMPTIONS] += 1
    ints[station + CHANGES] += 1
    return victim


@inner
def let_go(ints: Ints, station: int, request: int, named: bool) -> None:
    """Release the blocks of the computed tokens; whole ones stay cached, tail oldest.

    `named` if the request will look for them again.
    """
    paged, size, link = ints[PAGED], ints[BLOCK_TOKENS], link_of(ints, request)
    blocks = ints[link + HELD]
    count = ints[list_at(ints, blocks) + COUNT]
    held = list_at(ints, blocks) + ENTRIES
    whole = ints[link + COMPUTED] // size if ints[CACHING] else 0
    grown = -(-ints[link + COMPUTED] // size) - count
    if named:
        missing = max(0, known_tokens(ints, request) // size - ints[link + NAMED_PLACES])
        ints[link + NAMED_PLACES] += missing
        ints[paged + NEXT_NUMBER] += missing
    kept = max(0, whole - count)
    ints[station + FREE] += grown - kept
    for place in range(count + kept - 1, count - 1, -1):
        keep(ints, station, name_of(ints, request, place) if named else UNNAMED)
    if named:
        name_blocks(ints, station, request, blocks, integer(0), min(whole, count))
    else:
        for place in range(ints[link + NAMED_PLACES], min(whole, count)):
            block = ints[held + place]
            if ints[ints[station + BLOCKS_AT] + block * BLOCK + NAME] == UNNAMED:
                ints[paged + NEXT_NUMBER] += 1
                name_one(ints, station, block, integer(ANONYMOUS))
    release(ints, station, blocks)
