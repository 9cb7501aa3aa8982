"""What a router knows of the caches of a pool with paged memory.

The mirror of `serving.kvcache.PrefixIndex` and `serving.lagged_index.LaggedIndex`, told at the end
of each step. An index is a record of caches (see `kernel.caches`) with masks of holders and the
sizes of the caches, but without lists of blocks. Names of single requests only count there: nobody
asks for them.
"""

import numpy as np

from anarchy.serving.compiled.core.arena import Arena, put
from anarchy.serving.compiled.core.compile import inlined, inner, integer, small
from anarchy.serving.compiled.core.records import (
    BLOCK_COUNT,
    CACHE_WORKERS,
    LIST,
    LISTS,
    NOBODY,
    NOW,
    PAGED,
    SEEN,
    SIZE,
    TIERS,
    TO_DECODE,
    TO_PREFILL,
    WORDS,
    WORKERS,
    Floats,
    Ints,
)
from anarchy.serving.compiled.core.records import HOLDERS as HOLDER_MASKS
from anarchy.serving.compiled.kv_cache.prefix_cache import WORD
from anarchy.serving.compiled.paged.records import (
    BLOCKS,
    CHANGE,
    CHANGE_NAME,
    CHANGE_OF,
    CHANGE_SIZE,
    CHANGED,
    CHANGES_AT,
    CHANGES_ROOM,
    FOUND_AT,
    FOUND_BLOCK,
    INDEX,
    IS_CHANGED,
    IS_TOLD,
    KNOWLEDGE,
    LATE_AT,
    LATE_DUE,
    LATE_HEAD,
    LATE_LAG,
    LATE_ROOM,
    LATE_TAIL,
    NUMBER,
    OWN_CHANGE,
    STATION,
    STATIONS,
)

LATE_CHANGES = 1 << 12
"""Late changes that there is room for at first."""


@small
def _is_news(entry: int) -> bool:
    """Whether a name is there and the router thinks otherwise, or the other way round."""
    return ((entry & FOUND_BLOCK) > 0) != ((entry & IS_TOLD) > 0)


@inner
def _compact(ints: Ints, station: int) -> None:
    """Forget changes that have been undone: what is left is less than twice the memory."""
    changes, found, kept = ints[station + CHANGES_AT], ints[station + FOUND_AT], 0
    for place in range(ints[station + CHANGED]):
        name = ints[changes + place]
        if _is_news(ints[found + name]):
            ints[changes + kept] = name
            kept += 1
        else:
            ints[found + name] &= ~IS_CHANGED
    ints[station + CHANGED] = kept


@small
def note(ints: Ints, station: int, name: int, entry: int) -> None:
    """A shared name has appeared or disappeared on a worker; `entry` is where it is found."""
    if not ints[station + INDEX] or ints[entry] & IS_CHANGED:
        return
    if ints[station + CHANGED] == ints[station + CHANGES_ROOM]:
        _compact(ints, station)
    ints[entry] |= IS_CHANGED
    ints[ints[station + CHANGES_AT] + ints[station + CHANGED]] = name
    ints[station + CHANGED] += 1


@small
def _apply(ints: Ints, index: int, w: int, name: int, change: int) -> None:
    """Show a change of a worker's cache."""
    ints[ints[index + LISTS] + w * TIERS * LIST + SIZE] += change
    if name != NOBODY:
        word = ints[index + HOLDER_MASKS] + name * ints[index + WORDS] + (w >> 5)
        bit = 1 << (w & 31)
        ints[word] = ints[word] | bit if change > 0 else ints[word] & ~bit


@small
def _show(ints: Ints, reals: Floats, index: int, w: int, name: int, change: int) -> None:
    """Show a change now or, if the router hears late, later."""
    if not ints[index + LATE_ROOM]:
        _apply(ints, index, w, name, change)
        return
    place = ints[index + LATE_TAIL] % ints[index + LATE_ROOM]
    ints[index + LATE_TAIL] += 1
    entry = ints[index + LATE_AT] + place * CHANGE
    ints[entry + CHANGE_OF] = w
    ints[entry + CHANGE_NAME] = name
    ints[entry + CHANGE_SIZE] = change
    reals[ints[index + LATE_DUE] + place] = reals[NOW] + reals[ints[index + LATE_LAG]]


@inner
def tell(ints: Ints, reals: Floats, station: int) -> None:
    """A worker's step has ended: the router hears what has changed."""
    index, w, found = ints[station + INDEX], ints[station + NUMBER], ints[station + FOUND_AT]
    if not index:
        return
    changes = ints[station + CHANGES_AT]
    for place in range(ints[station + CHANGED]):
        name = ints[changes + place]
        entry = ints[found + name] & ~IS_CHANGED
        if _is_news(entry):
            entry ^= IS_TOLD
            _show(ints, reals, index, w, name, 1 if entry & IS_TOLD else -1)
        ints[found + name] = entry
    ints[station + CHANGED] = 0
    if ints[station + OWN_CHANGE]:
        _show(ints, reals, index, w, integer(NOBODY), ints[station + OWN_CHANGE])
        ints[station + OWN_CHANGE] = 0


@inner
def hear_late(ints: Ints, reals: Floats, index: int) -> None:
    """Show all late changes that are due by now."""
    head = ints[index + LATE_HEAD]
    while head < ints[index + LATE_TAIL]:
        place = head % ints[index + LATE_ROOM]
        if reals[ints[index + LATE_DUE] + place] > reals[NOW]:
            break
        entry = ints[index + LATE_AT] + place * CHANGE
        _apply(
            ints,
            index,
            ints[entry + CHANGE_OF],
            ints[entry + CHANGE_NAME],
            ints[entry + CHANGE_SIZE],
        )
        head += 1
    ints[index + LATE_HEAD] = head


@inlined
def late_changes_are_short(ints: Ints) -> bool:
    """Whether there is no room for all the late changes that one event may tell of."""
    station = ints[ints[PAGED] + STATIONS]
    for leg in (ints[TO_PREFILL], ints[TO_DECODE]):
        index = ints[leg + SEEN]
        most = ints[index + LATE_TAIL] - ints[index + LATE_HEAD]
        for _ in range(ints[leg + WORKERS]):
            most += ints[station + CHANGED] + ints[ints[PAGED] + BLOCKS] + 1
            station += STATION
        if ints[index + LATE_ROOM] and most > ints[index + LATE_ROOM]:
            return True
    return False


def lay_index(arena: Arena, workers: int, names: int, lag: float) -> int:
    """Knowledge of the empty caches of a pool; its address."""
    index = arena.integers(np.zeros(KNOWLEDGE))
    words = -(-workers // WORD)
    fields = [(CACHE_WORKERS, workers), (BLOCK_COUNT, names), (WORDS, words)]
    put(arena.ints, index, [*fields, (LATE_ROOM, LATE_CHANGES if lag else 0)])
    arena.move(index + HOLDER_MASKS, np.zeros(names * words))
    arena.move(index + LISTS, np.zeros((workers, TIERS, LIST)))
    if lag:
        arena.move(index + LATE_AT, np.zeros((LATE_CHANGES, CHANGE)))
        arena.move_reals(index + LATE_DUE, np.zeros(LATE_CHANGES))
        arena.move_reals(index + LATE_LAG, [lag])
    return index


def more_late_changes(arena: Arena, index: int, wanted: int) -> None:
    """Make room for `wanted` further late changes."""
    ints = arena.ints
    room, head, tail = (int(ints[index + field]) for field in (LATE_ROOM, LATE_HEAD, LATE_TAIL))
    places, larger = np.arange(head, tail) % room, 2 * (room + wanted)
    changes, due = np.zeros((larger, CHANGE), np.int64), np.zeros(larger)
    changes[: len(places)] = arena.view(index + LATE_AT, room, CHANGE)[places]
    due[: len(places)] = arena.real_view(index + LATE_DUE, room)[places]
    arena.move(index + LATE_AT, changes)
    arena.move_reals(index + LATE_DUE, due)
    put(arena.ints, index, [(LATE_ROOM, larger), (LATE_HEAD, 0), (LATE_TAIL, len(places))])
