"""Prefix caches of a pool: who holds which shared block, and in what order each worker evicts.

Every worker has a list of its blocks from the least to the most recently used. A shared block is a
node of its own. Blocks that one request alone has are never found again and only take room, so
those next to each other in the list are one node that counts them: a *run*.

The list is in two parts, HBM and host memory: what leaves the first enters the second as its most
recently used block.
"""

import numpy as np

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import (
    NOBODY,
    CacheList,
    CacheNode,
    CacheTotals,
    PrefixCaches,
    View,
)
from anarchy.serving.compiled.core.tables import Ints, Memory, Table, longer

HBM, HOST = map(integer, range(2))
TIERS = 2

WORD = 32
"""Workers of one word of a mask."""

NEVER_SHORT = 2**62
RUNS = 1 << 10
"""Runs that there is room for at first."""


def make_caches(
    memory: Memory, workers: int, blocks: int, hbm: int | list[int], host: int, runs: int = RUNS
) -> PrefixCaches:
    """Empty caches of so many shared blocks; capacities in blocks, `hbm` of all or of each.

    Without room for runs they are an index, which never asks for more.
    """
    nodes = workers * blocks
    caches = PrefixCaches(
        totals=memory.record(
            CacheTotals, host_blocks=host, first_run=nodes, spare_runs=runs or NEVER_SHORT
        ),
        holders=memory.zeros(np.int64, blocks, -(-workers // WORD)),
        nodes=memory.table(CacheNode, nodes + runs if runs else 0, clear=False),
        lists=memory.table(CacheList, workers, TIERS),
        runs=memory.zeros(np.int64, runs),
        spare=memory.zeros(np.int64, runs),
    )
    caches.lists["oldest"] = caches.lists["newest"] = NOBODY
    caches.lists["room"][:, HBM] = hbm
    caches.lists["room"][:, HOST] = host
    caches.spare[:] = np.arange(nodes, nodes + runs)
    return caches


def more_runs(caches: PrefixCaches) -> PrefixCaches:
    """Room for twice as many runs."""
    room, totals = len(caches.spare), caches.totals
    end, spare = len(caches.nodes), longer(caches.spare)
    spare[totals.spare_runs : totals.spare_runs + room] = np.arange(end, end + room)
    totals.spare_runs += room
    return caches._replace(
        nodes=longer(caches.nodes, end + room), runs=longer(caches.runs), spare=spare
    )


@inner
def find_overlaps(
    caches: PrefixCaches, blocks: Ints, first: int, end: int, views: Table[View]
) -> None:
    """Set how many of a prompt's leading blocks, from place `first` on, each worker holds.

    One pass for all workers of a word.
    """
    holders = caches.holders
    for word in range(holders.shape[1]):
        start = word * WORD
        mask = (1 << min(WORD, len(views) - start)) - 1
        place = first
        while mask and place < end:
            kept = mask & holders[blocks[place], word]
            if kept != mask:
                _set_overlap(views, start, mask ^ kept, place - first)
                mask = kept
            place += 1
        _set_overlap(views, start, mask, place - first)


@inner
def _set_overlap(views: Table[View], w: int, mask: int, overlap: int) -> None:
    """Set the overlap of the workers from `w` on whose bits are in the mask."""
    while mask:
        if mask & 1:
            views[w].overlap = overlap
        mask >>= 1
        w += 1


@inner
def find_overlap(caches: PrefixCaches, blocks: Ints, first: int, end: int, w: int) -> int:
    """The number of leading blocks that one worker holds."""
    word, bit = w >> 5, 1 << (w & 31)
    place = first
    while place < end and caches.holders[blocks[place], word] & bit:
        place += 1
    return place - first


@small
def node_of(caches: PrefixCaches, w: int, block: int) -> CacheNode:
    """A shared block's node on a worker."""
    return caches.nodes[w * len(caches.holders) + block]


@inner
def _unlink(caches: PrefixCaches, w: int, number: int) -> None:
    """Take a node out of its list."""
    nodes = caches.nodes
    node = nodes[number]
    blocks = caches.lists[w, node.tier]
    if node.older == NOBODY:
        blocks.oldest = node.newer
    else:
        nodes[node.older].newer = node.newer
    if node.newer == NOBODY:
        blocks.newest = node.older
    else:
        nodes[node.newer].older = node.older


@inner
def _append(caches: PrefixCaches, w: int, tier: int, number: int) -> None:
    """Make a node the most recently used one of a tier."""
    node, blocks = caches.nodes[number], caches.lists[w, tier]
    node.older = blocks.newest
    node.newer = NOBODY
    node.tier = tier
    if blocks.newest == NOBODY:
        blocks.oldest = number
    else:
        caches.nodes[blocks.newest].newer = number
    blocks.newest = number


@inner
def _append_run(caches: PrefixCaches, w: int, tier: int, blocks: int) -> None:
    """Keep blocks that nobody will ask for as the most recently used ones."""
    totals, last = caches.totals, caches.lists[w, tier].newest
    if last >= totals.first_run:
        caches.runs[last - totals.first_run] += blocks
        return
    totals.spare_runs -= 1
    number = caches.spare[totals.spare_runs]
    caches.runs[number - totals.first_run] = blocks
    _append(caches, w, tier, number)


@inner
def _take_oldest(caches: PrefixCaches, w: int, tier: int, most: int) -> tuple[int, int]:
    """Take the least recently used node's blocks, `most` at most: its shared block or NOBODY, and
    how many they are."""
    number = caches.lists[w, tier].oldest
    run = number - caches.totals.first_run
    if run < 0:
        _unlink(caches, w, number)
        return number - w * len(caches.holders), 1
    taken = min(caches.runs[run], most)
    caches.runs[run] -= taken
    if not caches.runs[run]:
        _unlink(caches, w, number)
        caches.spare[caches.totals.spare_runs] = number
        caches.totals.spare_runs += 1
    return NOBODY, taken


@inner
def _trim(caches: PrefixCaches, w: int) -> None:
    """Move what does not fit in HBM to host memory, and drop what does not fit there."""
    totals = caches.totals
    for tier in range(TIERS):
        held = caches.lists[w, tier]
        excess = held.blocks - held.room
        while excess > 0:
            block, taken = _take_oldest(caches, w, tier, excess)
            excess -= taken
            held.blocks -= taken
            if tier == HBM and totals.host_blocks:
                if block == NOBODY:
                    _append_run(caches, w, HOST, taken)
                else:
                    _append(caches, w, HOST, w * len(caches.holders) + block)
                caches.lists[w, HOST].blocks += taken
            elif block != NOBODY:
                caches.holders[block, w >> 5] &= ~(1 << (w & 31))


@inner
def insert(caches: PrefixCaches, w: int, blocks: Ints, first: int, end: int, own: int) -> None:
    """Hold the blocks of a prompt in HBM as the most recently used, its head last.

    Its shared blocks are at places `first` to `end` - 1, then come `own` that nobody shares.
    """
    hbm = caches.lists[w, HBM]
    if own:
        _append_run(caches, w, HBM, own)
        hbm.blocks += own
    word, bit = w >> 5, 1 << (w & 31)
    for place in range(end - 1, first - 1, -1):
        block = blocks[place]
        number = w * len(caches.holders) + block
        if caches.holders[block, word] & bit:
            if hbm.newest == number:
                continue
            caches.lists[w, caches.nodes[number].tier].blocks -= 1
            _unlink(caches, w, number)
        else:
            caches.holders[block, word] |= bit
        hbm.blocks += 1
        _append(caches, w, HBM, number)
    if hbm.blocks > hbm.room:
        _trim(caches, w)
