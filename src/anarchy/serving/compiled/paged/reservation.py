"""From prefill to a decode batch: how requests get room and enter; see `serving.paged_decode`.

Room is reserved for one request at a time, between two steps and in order of arrival.
"""

from anarchy.serving.compiled.core.compile import inlined, inner, integer, small
from anarchy.serving.compiled.core.records import (
    BLOCK_TOKENS,
    CACHING,
    INPUT,
    NOBODY,
    OUTPUT,
    PAGED,
    SLOTS,
    Floats,
    Ints,
)
from anarchy.serving.compiled.core.rows import row_of
from anarchy.serving.compiled.paged.block_pool import match, name_blocks, take
from anarchy.serving.compiled.paged.linked_lists import append, following, insert, link_of, remove
from anarchy.serving.compiled.paged.records import (
    ADMITTED,
    ARRIVED_AS,
    BLOCKS,
    CHANGES,
    COMPUTED,
    FIRST,
    HELD,
    LENGTH,
    MADE,
    NAMED_PLACES,
    NEVER,
    PENDING,
    PREEMPT,
    PROMISED_BLOCKS,
    QUEUED,
    RELEASE,
    TRANSFER,
    TRIED,
    TURNS_GIVEN,
)
from anarchy.serving.compiled.paged.same_instant import later, ready
from anarchy.serving.reference.core.same_instant import SETTLE


@small
def whole_blocks(ints: Ints, request: int) -> int:
    """Blocks of the prompt and all its output."""
    row = row_of(ints, request)
    return -(-(ints[row + INPUT] + ints[row + OUTPUT]) // ints[BLOCK_TOKENS])


@inlined
def enter_pending(ints: Ints, station: int, request: int) -> bool:
    """Queue a request for room; whether the running steps should end for it."""
    ints[station + TURNS_GIVEN] += 1
    ints[link_of(ints, request) + ARRIVED_AS] = ints[station + TURNS_GIVEN]
    waits = ints[station + PENDING + LENGTH] > 0
    append(ints, station + PENDING, request)
    return not (waits and ints[station + TRIED] == ints[station + CHANGES])


@inner
def try_reservation(ints: Ints, reals: Floats, station: int) -> None:
    """Give the first pending request its room, if it has not been tried in vain already."""
    pending = station + PENDING
    if not ints[pending + LENGTH] or ints[station + TRIED] == ints[station + CHANGES]:
        return
    request = ints[pending + FIRST]
    slots_left = ints[station + ADMITTED + LENGTH] < ints[SLOTS]
    if not slots_left or not _reserve_room(ints, station, request):
        ints[station + TRIED] = ints[station + CHANGES]
        return
    remove(ints, pending, request)
    later(ints, reals, TRANSFER, request, SETTLE)


@inlined
def _reserve_room(ints: Ints, station: int, request: int) -> bool:
    size, whole = ints[BLOCK_TOKENS], whole_blocks(ints, request)
    promised = ints[station + PROMISED_BLOCKS] + whole
    if ints[ints[PAGED] + PREEMPT] == NEVER and promised > ints[ints[PAGED] + BLOCKS]:
        return False
    prompt, found = ints[row_of(ints, request) + INPUT], 0
    if ints[CACHING]:
        found, _ = match(ints, station, request, prompt // size)
    fresh = -(-prompt // size) - found
    if not take(ints, station, request, ints[link_of(ints, request) + HELD], found, fresh):
        return False
    ints[station + PROMISED_BLOCKS] = promised
    return True


@inner
def accept(ints: Ints, reals: Floats, station: int, request: int) -> None:
    """A request may join the batch from now on."""
    link = link_of(ints, request)
    prompt = ints[row_of(ints, request) + INPUT]
    whole = prompt // ints[BLOCK_TOKENS]
    ints[link + NAMED_PLACES] = whole
    if ints[CACHING]:
        name_blocks(ints, station, request, ints[link + HELD], integer(0), whole)
    ints[link + MADE] = 0
    ints[link + COMPUTED] = prompt
    ahead = 0
    other = ints[station + QUEUED + FIRST]
    while other != NOBODY:
        ahead += ints[link_of(ints, other) + ARRIVED_AS] < ints[link + ARRIVED_AS]
        other = following(ints, other)
    other = ints[station + QUEUED + FIRST]
    for _ in range(ahead):
        other = following(ints, other)
    insert(ints, station + QUEUED, other, request)
    later(ints, reals, RELEASE, request, SETTLE)
    try_reservation(ints, reals, station)
    ready(ints, reals, station)
