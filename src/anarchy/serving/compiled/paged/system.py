"""The main loop of a system with paged memory: the mirror of `serving.paged`."""

from anarchy.serving.compiled.core.compile import compiled, inlined, inner, integer
from anarchy.serving.compiled.core.event_queue import drop_first, push
from anarchy.serving.compiled.core.events import (
    ARRIVE,
    BATCH_CHANGES,
    HANDED_OVER,
    KINDS,
    STEP_ENDS,
)
from anarchy.serving.compiled.core.records import (
    ARRIVED,
    BATCH,
    BLOCK_TOKENS,
    COMPLETIONS,
    DECODE_COUNT,
    DECODE_WORKER,
    DENSE,
    DRAINED,
    DUE,
    ENDS_ROOM,
    EVENT_KEYS,
    EVENT_TIMES,
    EVENTS,
    EVENTS_ROOM,
    FINISHED,
    FIRST_ROW,
    FIRST_TOKEN,
    FRESH,
    FRESH_NAME,
    FUEL,
    INDEXED,
    INPUT,
    MORE_CHANGES,
    MORE_ENDS,
    MORE_EVENTS,
    MORE_LISTS,
    MORE_NEWS,
    MORE_ROWS,
    NOBODY,
    NOW,
    OUTPUT,
    PAGED,
    PREFILL_COUNT,
    PREFILL_WORKER,
    REFILL,
    ROW_MASK,
    SEEN,
    SLOTS,
    START,
    TO_DECODE,
    TO_PREFILL,
    VALUE,
    Floats,
    Ints,
)
from anarchy.serving.compiled.core.rows import row_of, times_of
from anarchy.serving.compiled.paged import decode, prefill
from anarchy.serving.compiled.paged.block_pool import new_list
from anarchy.serving.compiled.paged.linked_lists import append, link_of
from anarchy.serving.compiled.paged.names import UNNUMBERED
from anarchy.serving.compiled.paged.prefix_index import hear_late, late_changes_are_short
from anarchy.serving.compiled.paged.records import (
    ACTION,
    ACTION_COUNT,
    ACTION_READ,
    ACTIONS,
    ACTIVATE,
    ANEW,
    CONTINUED,
    ENTERED,
    FOLLOWING,
    HANDOFF_IS_FIRST_TOKEN,
    HELD,
    LISTS_END,
    LISTS_LARGEST,
    LISTS_ROOM,
    NEXT_NUMBER,
    NUMBERED,
    PARTS,
    PLACE,
    PREFILLED,
    READY,
    SCHEDULED,
    SETTLING,
    SOURCE,
    TRANSFER,
)
from anarchy.serving.compiled.paged.reservation import accept, enter_pending, try_reservation
from anarchy.serving.compiled.paged.same_instant import decode_station, later, on_grid, ready
from anarchy.serving.compiled.plain.decode import clock_at as decode_clock
from anarchy.serving.compiled.plain.decode import worker_at as decode_at
from anarchy.serving.compiled.plain.system import (
    choose_decode,
    choose_prefill,
    complete,
    handoff_seconds,
    take_in,
)
from anarchy.serving.compiled.router.worker_loads import ended, news_are_short
from anarchy.serving.reference.core.same_instant import SETTLE, SETTLE_ARRIVALS, TRANSFER_END


@inlined
def _arrive(ints: Ints, reals: Floats, client: int) -> None:
    request = take_in(ints, reals, client)
    row, link, size = row_of(ints, request), link_of(ints, request), ints[BLOCK_TOKENS]
    prompt, output = ints[row + INPUT], ints[row + OUTPUT]
    ints[link + SCHEDULED] = 0
    ints[link + ANEW] = 0
    ints[link + CONTINUED] = 0
    ints[link + SOURCE] = new_list(ints, -(-prompt // size))
    ints[link + HELD] = new_list(ints, -(-(prompt + output) // size))
    later(ints, reals, PLACE, request, SETTLE_ARRIVALS)


@inlined
def _number_names(ints: Ints, row: int) -> None:
    """Call the names of a prompt what the reference calls them: in order of arrival."""
    paged, parts = ints[PAGED], ints[ints[PAGED] + PARTS]
    number, first = ints[paged + NEXT_NUMBER], ints[DENSE] + ints[row + START]
    for chain in range(ints[row + FRESH_NAME]):
        value = ints[VALUE] + ints[first + chain * parts]
        if ints[value] == UNNUMBERED:
            for part in range(parts):
                ints[value + part] = number + part
            number += parts
    ints[row + FRESH_NAME] = number
    ints[paged + NEXT_NUMBER] = number + ints[row + FRESH]


@inlined
def _hear(ints: Ints, reals: Floats, leg: int) -> None:
    """Let a router know of the late changes of caches that it should have heard of."""
    if ints[leg + INDEXED]:
        hear_late(ints, reals, ints[leg + SEEN])


@inlined
def _place(ints: Ints, reals: Floats, request: int) -> None:
    if ints[ints[PAGED] + NUMBERED]:
        _number_names(ints, row_of(ints, request))
    _hear(ints, reals, ints[TO_PREFILL])
    prefill.submit(ints, reals, choose_prefill(ints, reals, request), request)


@inlined
def _prefilled(ints: Ints, reals: Floats, request: int) -> bool:
    """A prompt is computed: choose its decode worker; whether the run ends."""
    if ints[PREFILL_COUNT] > 1:
        row = row_of(ints, request)
        ended(ints, reals, ints[TO_PREFILL], row, ints[row + PREFILL_WORKER], integer(0))
    _hear(ints, reals, ints[TO_DECODE])
    w = choose_decode(ints, reals, request)
    worker, station = decode_at(ints, w), decode_station(ints, w)
    interrupts = enter_pending(ints, station, request)
    if ints[worker + BATCH] and interrupts and _meet_boundary(ints, reals, w):
        return True
    if not ints[worker + BATCH]:
        try_reservation(ints, reals, station)
        ready(ints, reals, station)
    return False


@inlined
def _transfer(ints: Ints, reals: Floats, request: int) -> bool:
    """A request has room at decode: send its KV; whether the run ends."""
    delay = handoff_seconds(ints, reals, row_of(ints, request))
    if delay > 0:
        end = on_grid(reals[NOW] + delay)
        push(ints, reals, end, integer(TRANSFER_END), HANDED_OVER + KINDS * request)
        return False
    return _activate(ints, reals, request)


@inner
def _activate(ints: Ints, reals: Floats, request: int) -> bool:
    """A prompt's KV is at decode: it joins at the next step; whether the run ends."""
    w = ints[row_of(ints, request) + DECODE_WORKER]
    worker, station = decode_at(ints, w), decode_station(ints, w)
    if ints[worker + BATCH] and _meet_boundary(ints, reals, w):
        return True
    if ints[worker + BATCH]:
        append(ints, station + ENTERED, request)
    else:
        accept(ints, reals, station, request)
    return False


@inlined
def _release(ints: Ints, reals: Floats, request: int) -> None:
    """Decode has taken a request over."""
    if ints[ints[PAGED] + HANDOFF_IS_FIRST_TOKEN]:
        reals[times_of(ints, request) + FIRST_TOKEN] = reals[NOW]
    prefill.let_go(ints, reals, request)


@inner
def _meet_boundary(ints: Ints, reals: Floats, w: int) -> bool:
    """Let a decode worker's steps end at the first boundary from now on; whether the run ends."""
    return decode.meets_boundary(ints, reals, w) and _end_steps(ints, reals, w)


@inner
def _end_steps(ints: Ints, reals: Floats, w: int) -> bool:
    """The due steps of a decode worker end; whether the run ends."""
    request = decode.make_due_steps(ints, reals, w)
    while request != NOBODY:
        row = row_of(ints, request)
        request = ints[link_of(ints, request) + FOLLOWING]
        if complete(ints, reals, row, w):
            return True
    decode.between_steps(ints, reals, w)
    return False


@inlined
def _act(ints: Ints, reals: Floats, action: int, request: int) -> bool:
    """Do what is due for a request; whether the run ends."""
    if action == PLACE:
        _place(ints, reals, request)
    elif action == PREFILLED:
        return _prefilled(ints, reals, request)
    elif action == TRANSFER:
        return _transfer(ints, reals, request)
    elif action == ACTIVATE:
        return _activate(ints, reals, request)
    else:
        _release(ints, reals, request)
    return False


@inlined
def _settle(ints: Ints, reals: Floats) -> bool:
    """Do all that is due at this instant; whether the run ends."""
    paged = ints[PAGED]
    more = True
    while more:
        while ints[paged + ACTION_READ] < ints[paged + ACTION_COUNT]:
            what = ints[ints[paged + ACTIONS] + ints[paged + ACTION_READ]]
            ints[paged + ACTION_READ] += 1
            if _act(ints, reals, what % ACTION, what // ACTION):
                return True
        more = False
        flag = ints[paged + READY]
        for w in range(ints[PREFILL_COUNT]):
            if ints[flag + w]:
                ints[flag + w] = 0
                more = prefill.begin(ints, reals, w) or more
        flag += ints[PREFILL_COUNT]
        for w in range(ints[DECODE_COUNT]):
            if ints[flag + w]:
                ints[flag + w] = 0
                more = decode.begin(ints, reals, w) or more
        more = more or ints[paged + ACTION_READ] < ints[paged + ACTION_COUNT]
    ints[paged + ACTION_READ] = ints[paged + ACTION_COUNT] = 0
    ints[paged + SETTLING] = 0
    return False


@inlined
def _short(ints: Ints) -> int:
    """What the driver has to supply before the next event, or FINISHED if nothing.

    At one event a request that is there makes two moves at most, and four events.
    """
    paged = ints[PAGED]
    there = ints[ARRIVED] - ints[COMPLETIONS]
    workers = ints[PREFILL_COUNT] + ints[DECODE_COUNT]
    if ints[FUEL] < 2 * there + 2:
        return REFILL
    if ints[ARRIVED] - ints[FIRST_ROW] > ints[ROW_MASK]:
        return MORE_ROWS
    if ints[EVENTS] + 4 * (there + workers) + 4 > ints[EVENTS_ROOM]:
        return MORE_EVENTS
    if min(ints[SLOTS], there + 1) > ints[ENDS_ROOM]:
        return MORE_ENDS
    if ints[paged + LISTS_END] + ints[paged + LISTS_LARGEST] > ints[paged + LISTS_ROOM]:
        return MORE_LISTS
    for leg in (ints[TO_PREFILL], ints[TO_DECODE]):
        if news_are_short(ints, leg, 2 * there + 2):
            return MORE_NEWS
    if late_changes_are_short(ints):
        return MORE_CHANGES
    return FINISHED


@compiled
def advance_paged(ints: Ints, reals: Floats) -> int:
    """Run until the last request is done or until something runs short: see `layout`."""
    while True:
        if ints[EVENTS] == 0:
            return DRAINED
        time, what = reals[ints[EVENT_TIMES]], ints[ints[EVENT_KEYS] + 1]
        kind, number = what % KINDS, what // KINDS
        if kind == BATCH_CHANGES and time != reals[decode_clock(ints, number) + DUE]:
            drop_first(ints, reals)  # superseded
            continue
        short = _short(ints)
        if short != FINISHED:
            return short
        reals[NOW] = time
        drop_first(ints, reals)
        if kind == BATCH_CHANGES:
            if _end_steps(ints, reals, number):
                return FINISHED
        elif kind == HANDED_OVER:
            later(ints, reals, ACTIVATE, number, SETTLE)
        elif kind == STEP_ENDS:
            prefill.end_step(ints, reals, number)
        elif kind == ARRIVE:
            _arrive(ints, reals, number)
        elif _settle(ints, reals):
            return FINISHED
