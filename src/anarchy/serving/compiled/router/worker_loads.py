"""What the replicas of a router know of one pool: the mirror of `serving.router_state`.

News lies in three rings, each in order of time: requests placed by other replicas, requests that
have ended as the replica that placed them hears of it, and as the others do. A fourth one holds
what workers have cached.
"""

import numpy as np

from anarchy.serving.compiled.core.arena import Arena
from anarchy.serving.compiled.core.compile import inlined, inner, small
from anarchy.serving.compiled.core.records import (
    ACCOUNT,
    ACTIVE,
    BY,
    DENSE,
    DISTINCT,
    ENDED,
    ENDED_ELSEWHERE,
    ENTRY,
    EVENT_LAG,
    FIRST_NAME,
    FOOTPRINT,
    IS_PREFILL,
    KEY,
    KNOWN,
    KNOWN_ACTIVE,
    KNOWN_BLOCKS,
    KNOWN_QUEUED,
    NAMED,
    NAMES,
    NEWS,
    NEWS_BLOCKS,
    NEWS_TOKENS,
    NOW,
    ON,
    PLACED,
    PROMISED,
    REGISTERED,
    REPLICA,
    REPLICA_LAG,
    REPLICAS,
    RING,
    RING_AT,
    RING_DUE,
    RING_FIELDS,
    RING_HEAD,
    RING_ROOM,
    RING_TAIL,
    RINGS,
    RULE,
    SHARED,
    SIMPLE,
    START,
    TREE,
    WORKERS,
    Floats,
    Ints,
)
from anarchy.serving.compiled.router.argmin_tree import set_key


def lay_rings(arena: Arena, leg: int, room: int) -> None:
    """Lay out empty rings of news."""
    arena.move(leg + RING, np.zeros(RINGS * RING_FIELDS))
    arena.move(leg + ENTRY, np.zeros(NEWS))
    for ring in range(RINGS):
        record = int(arena.ints[leg + RING]) + ring * RING_FIELDS
        arena.move(record + RING_AT, np.zeros(room * NEWS))
        arena.move_reals(record + RING_DUE, np.zeros(room))
        arena.ints[record + RING_ROOM] = room


def room_for_news(arena: Arena, leg: int, wanted: int) -> None:
    """Make room for `wanted` further pieces of news in each ring."""
    for ring in range(RINGS):
        record = int(arena.ints[leg + RING]) + ring * RING_FIELDS
        fields = (RING_ROOM, RING_HEAD, RING_TAIL)
        room, head, tail = (int(arena.ints[record + field]) for field in fields)
        if tail - head + wanted <= room:
            continue
        places = np.arange(head, tail) % room
        larger = 2 * (room + wanted)
        news, due = np.zeros((larger, NEWS), np.int64), np.zeros(larger)
        news[: len(places)] = arena.view(record + RING_AT, room, NEWS)[places]
        due[: len(places)] = arena.real_view(record + RING_DUE, room)[places]
        arena.move(record + RING_AT, news)
        arena.move_reals(record + RING_DUE, due)
        arena.ints[record + RING_ROOM] = larger
        arena.ints[record + RING_HEAD], arena.ints[record + RING_TAIL] = 0, len(places)


@inlined
def news_are_short(ints: Ints, leg: int, wanted: int) -> bool:
    """Whether some ring has no room for `wanted` pieces of news."""
    record = ints[leg + RING]
    for _ in range(RINGS):
        if ints[record + RING_TAIL] - ints[record + RING_HEAD] + wanted > ints[record + RING_ROOM]:
            return True
        record += RING_FIELDS
    return False


@inlined
def tell(ints: Ints, reals: Floats, leg: int, ring: int, due: float) -> int:
    """Add a piece of news that is due at a time; the address that it is written to."""
    record = ints[leg + RING] + ring * RING_FIELDS
    tail = ints[record + RING_TAIL]
    ints[record + RING_TAIL] = tail + 1
    place = tail % ints[record + RING_ROOM]
    reals[ints[record + RING_DUE] + place] = due
    return ints[record + RING_AT] + place * NEWS


@inlined
def next_news(ints: Ints, reals: Floats, leg: int, ring: int) -> int:
    """Take the next piece of news out if it is due now: its address, or 0."""
    record = ints[leg + RING] + ring * RING_FIELDS
    head = ints[record + RING_HEAD]
    if head == ints[record + RING_TAIL]:
        return 0
    place = head % ints[record + RING_ROOM]
    if reals[ints[record + RING_DUE] + place] > reals[NOW]:
        return 0
    ints[record + RING_HEAD] = head + 1
    return ints[record + RING_AT] + place * NEWS


@small
def account_of(ints: Ints, leg: int, replica: int, worker: int) -> int:
    """The address of what a replica knows of a worker."""
    return ints[leg + KNOWN] + (replica * ints[leg + WORKERS] + worker) * ACCOUNT


@small
def holds_of(ints: Ints, leg: int, replica: int, worker: int) -> int:
    """The address of how many of a worker's requests hold each shared block."""
    return ints[leg + DISTINCT] + (replica * ints[leg + WORKERS] + worker) * ints[leg + NAMES]


@inner
def _add(ints: Ints, leg: int, replica: int, news: int) -> None:
    """Account for a request."""
    account = account_of(ints, leg, replica, ints[news + ON])
    ints[account + KNOWN_ACTIVE] += 1
    ints[account + KNOWN_QUEUED] += ints[news + NEWS_TOKENS]
    ints[account + KNOWN_BLOCKS] += ints[news + NEWS_BLOCKS]
    ints[account + REGISTERED] = 1
    if ints[leg + NAMES]:
        held = holds_of(ints, leg, replica, ints[news + ON])
        first = ints[DENSE] + ints[news + FIRST_NAME]
        for place in range(first, first + ints[news + NAMED]):
            ints[account + KNOWN_BLOCKS] -= ints[held + ints[place]] > 0
            ints[held + ints[place]] += 1


@inner
def _remove(ints: Ints, leg: int, replica: int, news: int) -> None:
    """Undo `_add`."""
    account = account_of(ints, leg, replica, ints[news + ON])
    ints[account + KNOWN_ACTIVE] -= 1
    ints[account + KNOWN_QUEUED] -= ints[news + NEWS_TOKENS]
    ints[account + KNOWN_BLOCKS] -= ints[news + NEWS_BLOCKS]
    if ints[leg + NAMES]:
        held = holds_of(ints, leg, replica, ints[news + ON])
        first = ints[DENSE] + ints[news + FIRST_NAME]
        for place in range(first, first + ints[news + NAMED]):
            ints[held + ints[place]] -= 1
            ints[account + KNOWN_BLOCKS] += ints[held + ints[place]] > 0


@inner
def hear(ints: Ints, reals: Floats, leg: int) -> None:
    """Account for all news that has come in by now."""
    for ring in (PLACED, ENDED, ENDED_ELSEWHERE):
        while True:
            news = next_news(ints, reals, leg, ring)
            if not news:
                break
            if ring == ENDED:
                _remove(ints, leg, ints[news + BY], news)
                continue
            for replica in range(ints[REPLICAS]):
                if replica == ints[news + BY]:
                    continue
                if ring == PLACED:
                    _add(ints, leg, replica, news)
                else:
                    _remove(ints, leg, replica, news)


@inlined
def _describe(ints: Ints, leg: int, row: int, worker: int, news: int) -> None:
    """Write what a request adds to a worker's account."""
    ints[news + BY] = ints[row + REPLICA]
    ints[news + ON] = worker
    ints[news + NEWS_TOKENS] = ints[row + PROMISED] if ints[leg + IS_PREFILL] else 0
    ints[news + NEWS_BLOCKS] = ints[row + FOOTPRINT]
    ints[news + FIRST_NAME] = ints[row + START]
    ints[news + NAMED] = ints[row + SHARED]


@inlined
def _change(ints: Ints, leg: int, row: int, worker: int, sign: int) -> None:
    """Bring a simple account up to date."""
    ints[ints[leg + ACTIVE] + worker] += sign
    account = account_of(ints, leg, 0, worker)
    ints[account + KNOWN_ACTIVE] += sign
    ints[account + KNOWN_BLOCKS] += sign * ints[row + FOOTPRINT]
    if ints[leg + IS_PREFILL]:
        ints[account + KNOWN_QUEUED] += sign * ints[row + PROMISED]
    if ints[leg + TREE]:
        set_key(ints, leg, worker, ints[account + ints[leg + KEY]])


@inner
def placed(ints: Ints, reals: Floats, leg: int, row: int, worker: int) -> None:
    """The request's replica sends it to a worker."""
    if ints[leg + SIMPLE]:
        _change(ints, leg, row, worker, 1)
        return
    ints[ints[leg + ACTIVE] + worker] += 1
    _describe(ints, leg, row, worker, ints[leg + ENTRY])
    _add(ints, leg, ints[row + REPLICA], ints[leg + ENTRY])
    if ints[REPLICAS] > 1:
        due = reals[NOW] + reals[ints[leg + RULE] + REPLICA_LAG]
        _describe(ints, leg, row, worker, tell(ints, reals, leg, PLACED, due))


@inner
def ended(ints: Ints, reals: Floats, leg: int, row: int, worker: int, grown: int) -> None:
    """The worker is done with the request, whose output stays on the account with `grown` blocks
    until the replica hears of it."""
    if ints[leg + SIMPLE]:
        _change(ints, leg, row, worker, -1)
        return
    ints[ints[leg + ACTIVE] + worker] -= 1
    rule = ints[leg + RULE]
    heard = reals[NOW] + reals[rule + EVENT_LAG]
    if ints[REPLICAS] > 1:
        due = heard + reals[rule + REPLICA_LAG]
        _describe(ints, leg, row, worker, tell(ints, reals, leg, ENDED_ELSEWHERE, due))
    ints[account_of(ints, leg, ints[row + REPLICA], worker) + KNOWN_BLOCKS] += grown
    news = tell(ints, reals, leg, ENDED, heard)
    _describe(ints, leg, row, worker, news)
    ints[news + NEWS_BLOCKS] += grown
