"""Prefix caches of a pool: who holds which shared block, and in what order each worker evicts.

Every worker has a list of its blocks from the least to the most recently used. A shared block is a
node of its own. Blocks that one request alone has are never found again and only take room, so
those next to each other in the list are one node that counts them: a *run*.

The list is in two parts, HBM and host memory: what leaves the first enters the second as its most
recently used block. The mirror of `serving.kvcache` and, for the two tiers, of `serving.tiers`.
"""

import numpy as np

from anarchy.serving.compiled.core.arena import Arena
from anarchy.serving.compiled.core.compile import inlined, inner, integer, small
from anarchy.serving.compiled.core.records import (
    BLOCK_COUNT,
    CACHE,
    CACHE_WORKERS,
    CAPACITY,
    CAPACITY_HOST,
    COUNT,
    DENSE,
    DEVICE,
    FIRST_RUN,
    FRESH,
    HOLDERS,
    HOST,
    LIST,
    LISTS,
    NEWER,
    NEWEST,
    NOBODY,
    NODE,
    NODES,
    OLDER,
    OLDEST,
    RUNS_ROOM,
    SHARED,
    SIZE,
    SPARE,
    SPARES,
    START,
    TIER,
    TIERS,
    WORDS,
    Ints,
)

WORD = 32
"""Workers of one word of a mask."""

RUNS = 64
"""Runs that there is room for at first."""


def lay_cache(arena: Arena, workers: int, blocks: int, device: int, host: int) -> int:
    """Empty caches of so many shared blocks; capacities in blocks. Their address."""
    cache = arena.integers(np.zeros(CACHE))
    nodes = workers * blocks
    words = -(-workers // WORD)
    arena.ints[cache + CACHE_WORKERS] = workers
    arena.ints[cache + BLOCK_COUNT] = blocks
    arena.ints[cache + WORDS] = words
    arena.ints[cache + FIRST_RUN] = nodes
    arena.ints[cache + RUNS_ROOM] = arena.ints[cache + SPARE] = RUNS
    arena.ints[cache + CAPACITY] = device
    arena.ints[cache + CAPACITY_HOST] = host
    arena.move(cache + HOLDERS, np.zeros(blocks * words))
    arena.move(cache + NODES, np.zeros((nodes + RUNS) * NODE))
    arena.move(cache + SPARES, np.arange(nodes, nodes + RUNS))
    lists = np.full((workers, TIERS, LIST), NOBODY)
    lists[:, :, SIZE] = 0
    arena.move(cache + LISTS, lists)
    return cache


def more_runs(arena: Arena, cache: int) -> None:
    """Make room for twice as many runs."""
    ints = arena.ints
    room, first, spare = (int(ints[cache + f]) for f in (RUNS_ROOM, FIRST_RUN, SPARE))
    nodes = arena.view(cache + NODES, first + room, NODE)
    arena.move(cache + NODES, np.concatenate([nodes, np.zeros((room, NODE), np.int64)]))
    spares = np.zeros(2 * room, np.int64)
    spares[:spare] = arena.view(cache + SPARES, spare)
    spares[spare : spare + room] = np.arange(first + room, first + 2 * room)
    arena.move(cache + SPARES, spares)
    arena.ints[cache + RUNS_ROOM] = 2 * room
    arena.ints[cache + SPARE] = spare + room


@inner
def find_overlaps(ints: Ints, cache: int, start: int, shared: int, depths: int) -> None:
    """Set how many of a prompt's leading blocks each worker holds: one pass for all workers.

    `start` is the address of the blocks, `depths` that of the answers.
    """
    holders, words = ints[cache + HOLDERS], ints[cache + WORDS]
    workers = ints[cache + CACHE_WORKERS]
    for word in range(words):
        first = word * WORD
        mask = (1 << min(WORD, workers - first)) - 1
        depth = 0
        while mask and depth < shared:
            kept = mask & ints[holders + ints[start + depth] * words + word]
            if kept != mask:
                _set(ints, depths + first, mask ^ kept, depth)
                mask = kept
            depth += 1
        _set(ints, depths + first, mask, depth)


@inlined
def _set(ints: Ints, place: int, mask: int, depth: int) -> None:
    """Set the depth of the workers whose bits are in the mask."""
    while mask:
        if mask & 1:
            ints[place] = depth
        mask >>= 1
        place += 1


@small
def _holds(ints: Ints, cache: int, worker: int, block: int) -> int:
    """1 if a worker has a shared block."""
    word = ints[cache + HOLDERS] + block * ints[cache + WORDS] + (worker >> 5)
    return (ints[word] >> (worker & 31)) & 1


@inner
def find_overlap(ints: Ints, cache: int, start: int, shared: int, worker: int) -> int:
    """The number of leading blocks that one worker holds."""
    depth = 0
    while depth < shared and _holds(ints, cache, worker, ints[start + depth]):
        depth += 1
    return depth


@small
def node_of(ints: Ints, cache: int, worker: int, block: int) -> int:
    """The address of a shared block's node on a worker."""
    return ints[cache + NODES] + (worker * ints[cache + BLOCK_COUNT] + block) * NODE


@small
def _list_of(ints: Ints, cache: int, worker: int, tier: int) -> int:
    return ints[cache + LISTS] + (worker * TIERS + tier) * LIST


@inlined
def _unlink(ints: Ints, cache: int, worker: int, number: int) -> None:
    """Take a node out of its list."""
    nodes = ints[cache + NODES]
    node = nodes + number * NODE
    older, newer = ints[node + OLDER], ints[node + NEWER]
    of = _list_of(ints, cache, worker, ints[node + TIER])
    if older == NOBODY:
        ints[of + OLDEST] = newer
    else:
        ints[nodes + older * NODE + NEWER] = newer
    if newer == NOBODY:
        ints[of + NEWEST] = older
    else:
        ints[nodes + newer * NODE + OLDER] = older


@inlined
def _append(ints: Ints, cache: int, worker: int, tier: int, number: int) -> None:
    """Make a node the most recently used one of a tier."""
    nodes = ints[cache + NODES]
    of = _list_of(ints, cache, worker, tier)
    before = ints[of + NEWEST]
    node = nodes + number * NODE
    ints[node + OLDER] = before
    ints[node + NEWER] = NOBODY
    ints[node + TIER] = tier
    ints[of + NEWEST] = number
    if before == NOBODY:
        ints[of + OLDEST] = number
    else:
        ints[nodes + before * NODE + NEWER] = number


@inner
def _append_run(ints: Ints, cache: int, worker: int, tier: int, count: int) -> None:
    """Keep blocks that nobody will ask for as the most recently used ones."""
    last = ints[_list_of(ints, cache, worker, tier) + NEWEST]
    if last >= ints[cache + FIRST_RUN]:
        ints[ints[cache + NODES] + last * NODE + COUNT] += count
        return
    free = ints[cache + SPARE] - 1
    ints[cache + SPARE] = free
    number = ints[ints[cache + SPARES] + free]
    ints[ints[cache + NODES] + number * NODE + COUNT] = count
    _append(ints, cache, worker, tier, number)


@inlined
def _take_oldest(ints: Ints, cache: int, worker: int, tier: int, most: int) -> tuple[int, int]:
    """Take the least recently used node's blocks, `most` at most: its shared block or NOBODY, and
    how many they are."""
    number = ints[_list_of(ints, cache, worker, tier) + OLDEST]
    if number < ints[cache + FIRST_RUN]:
        _unlink(ints, cache, worker, number)
        return number - worker * ints[cache + BLOCK_COUNT], 1
    count = ints[cache + NODES] + number * NODE + COUNT
    taken = min(ints[count], most)
    ints[count] -= taken
    if not ints[count]:
        _unlink(ints, cache, worker, number)
        ints[ints[cache + SPARES] + ints[cache + SPARE]] = number
        ints[cache + SPARE] += 1
    return NOBODY, taken


@inner
def _trim(ints: Ints, cache: int, worker: int) -> None:
    """Move what does not fit in HBM to host memory, and drop what does not fit there."""
    for tier in range(TIERS):
        size = _list_of(ints, cache, worker, tier) + SIZE
        excess = ints[size] - ints[cache + CAPACITY + tier]
        while excess > 0:
            block, taken = _take_oldest(ints, cache, worker, tier, excess)
            excess -= taken
            ints[size] -= taken
            if tier == DEVICE and ints[cache + CAPACITY_HOST]:
                if block == NOBODY:
                    _append_run(ints, cache, worker, integer(HOST), taken)
                else:
                    number = worker * ints[cache + BLOCK_COUNT] + block
                    _append(ints, cache, worker, HOST, number)
                ints[_list_of(ints, cache, worker, HOST) + SIZE] += taken
            elif block != NOBODY:
                word = ints[cache + HOLDERS] + block * ints[cache + WORDS] + (worker >> 5)
                ints[word] &= ~(1 << (worker & 31))


@inner
def insert(ints: Ints, cache: int, prompt: int, worker: int) -> None:
    """Hold the blocks of a prompt in HBM as the most recently used, its head last.

    `prompt` is the address of its card.
    """
    device = _list_of(ints, cache, worker, DEVICE)
    if ints[prompt + FRESH]:
        _append_run(ints, cache, worker, integer(DEVICE), ints[prompt + FRESH])
        ints[device + SIZE] += ints[prompt + FRESH]
    words, bit = ints[cache + WORDS], 1 << (worker & 31)
    holders = ints[cache + HOLDERS] + (worker >> 5)
    start = ints[DENSE] + ints[prompt + START]
    for place in range(start + ints[prompt + SHARED] - 1, start - 1, -1):
        block = ints[place]
        number = worker * ints[cache + BLOCK_COUNT] + block
        if ints[holders + block * words] & bit:
            if ints[device + NEWEST] == number:
                continue
            node = ints[cache + NODES] + number * NODE
            ints[_list_of(ints, cache, worker, ints[node + TIER]) + SIZE] -= 1
            _unlink(ints, cache, worker, number)
        else:
            ints[holders + block * words] |= bit
        ints[device + SIZE] += 1
        _append(ints, cache, worker, DEVICE, number)
    if ints[device + SIZE] > ints[cache + CAPACITY]:
        _trim(ints, cache, worker)
