"""Prefix caches of a pool: who holds which shared block, and in what order each worker evicts.

Every worker has a list of its blocks from the least to the most recently used. A shared block is a
node of it. Blocks that one request alone has are never found again and only take room, so they are
counted: a node knows how many of them lie between it and the next older one, the list how many are
newer than its newest node.

The list is in two parts, HBM and host memory: what leaves the first enters the second as its most
recently used block.
"""

from typing import Any

import numpy as np

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import Request
from anarchy.serving.compiled.core.router_records import (
    CacheList,
    CacheNode,
    PrefixCaches,
    View,
)
from anarchy.serving.compiled.core.tables import NOBODY, Ints, Table, dtype_of, zeros

HBM, HOST = map(integer, range(2))
TIERS = 2

WORD = 32
"""Workers of one word of a mask."""


MOST_KEPT = 1 << 25
"""Nodes that are kept at most."""

_released: dict[int, Any] = {}
"""Nodes of a run that is over, by their number. Of memory that has been given back the system makes
small pages, and then it takes a tenth longer to find blocks of a long trace."""


def make_caches(workers: int, blocks: int, hbm: int | list[int], host: int) -> PrefixCaches:
    """Empty caches of so many shared blocks; capacities in blocks, `hbm` of all or of each."""
    caches = make_index(workers, blocks)
    caches.lists["room"][:, HBM] = hbm
    caches.lists["room"][:, HOST] = host
    nodes = _released.pop(workers * blocks, None)
    if nodes is None:  # each is written before it is read
        nodes = np.empty(workers * blocks, dtype_of(CacheNode)).view(np.recarray)
    return caches._replace(nodes=nodes)


def release(caches: PrefixCaches) -> None:
    """Leave the nodes of a run that is over to the next one of as many."""
    _released.clear()
    if len(caches.nodes) <= MOST_KEPT:
        _released[len(caches.nodes)] = caches.nodes


def make_index(workers: int, blocks: int) -> PrefixCaches:
    """Who holds which block, and how many blocks each holds, without their order."""
    lists = zeros(CacheList, workers, TIERS)
    lists["oldest"] = lists["newest"] = NOBODY
    return PrefixCaches(
        holders=np.zeros((blocks, -(-workers // WORD)), np.int64),
        nodes=zeros(CacheNode, 0),
        lists=lists,
    )


@inner
def find_overlaps(caches: PrefixCaches, blocks: Ints, request: Request, views: Table[View]) -> None:
    """Set how many of a prompt's leading blocks each worker holds, and how many in host memory.

    One pass for all workers of a word.
    """
    holders, first = caches.holders, request.first_shared
    for word in range(holders.shape[1]):
        start = word * WORD
        mask = (1 << min(WORD, len(views) - start)) - 1
        place, end = first, first + request.shared_blocks
        while mask and place < end:
            kept = mask & holders[blocks[place], word]
            if kept != mask:
                _set_overlap(views, start, mask ^ kept, place - first)
                mask = kept
            place += 1
        _set_overlap(views, start, mask, place - first)
    if caches.lists[0, HOST].room:
        for w in range(len(views)):
            views[w].on_host = 0
            for place in range(first, first + views[w].overlap):
                views[w].on_host += node_of(caches, w, blocks[place]).tier == HOST


@inner
def _set_overlap(views: Table[View], w: int, mask: int, overlap: int) -> None:
    """Set the overlap of the workers from `w` on whose bits are in the mask."""
    while mask:
        if mask & 1:
            views[w].overlap = overlap
        mask >>= 1
        w += 1


@inner
def find_overlap(caches: PrefixCaches, blocks: Ints, request: Request, w: int) -> int:
    """The number of a prompt's leading blocks that one worker holds."""
    word, bit = w >> 5, 1 << (w & 31)
    place, end = request.first_shared, request.first_shared + request.shared_blocks
    while place < end and caches.holders[blocks[place], word] & bit:
        place += 1
    return place - request.first_shared


@small
def node_of(caches: PrefixCaches, w: int, block: int) -> CacheNode:
    """A shared block's node on a worker."""
    return caches.nodes[w * len(caches.holders) + block]


@inner
def _unlink(caches: PrefixCaches, w: int, number: int) -> None:
    """Take a node out of its list, in which the blocks that it counts stay."""
    nodes = caches.nodes
    node = nodes[number]
    blocks = caches.lists[w, node.tier]
    if node.older == NOBODY:
        blocks.oldest = node.newer
    else:
        nodes[node.older].newer = node.newer
    if node.newer == NOBODY:
        blocks.newest = node.older
        blocks.own += node.own
    else:
        nodes[node.newer].older = node.older
        nodes[node.newer].own += node.own


@inner
def _append(caches: PrefixCaches, w: int, tier: int, number: int) -> None:
    """Make a node the most recently used one of a tier."""
    node, blocks = caches.nodes[number], caches.lists[w, tier]
    node.older = blocks.newest
    node.newer = NOBODY
    node.tier = tier
    node.own = blocks.own
    blocks.own = 0
    if blocks.newest == NOBODY:
        blocks.oldest = number
    else:
        caches.nodes[blocks.newest].newer = number
    blocks.newest = number


@inner
def _take_oldest(caches: PrefixCaches, w: int, tier: int, most: int) -> tuple[int, int]:
    """Take the least recently used blocks, `most` at most: a shared one, or NOBODY and how many
    that no others share."""
    held = caches.lists[w, tier]
    number = held.oldest
    if number == NOBODY:
        taken = min(held.own, most)
        held.own -= taken
        return NOBODY, taken
    node = caches.nodes[number]
    taken = min(node.own, most)
    if taken == 0:
        _unlink(caches, w, number)
        return number - w * len(caches.holders), 1
    node.own -= taken
    return NOBODY, taken


@inner
def _trim(caches: PrefixCaches, w: int) -> None:
    """Move what does not fit in HBM to host memory, and drop what does not fit there."""
    host = caches.lists[w, HOST]
    for tier in range(TIERS):
        held = caches.lists[w, tier]
        excess = held.blocks - held.room
        while excess > 0:
            block, taken = _take_oldest(caches, w, tier, excess)
            excess -= taken
            held.blocks -= taken
            if tier == HBM and host.room:
                if block == NOBODY:
                    host.own += taken
                else:
                    _append(caches, w, HOST, w * len(caches.holders) + block)
                host.blocks += taken
            elif block != NOBODY:
                caches.holders[block, w >> 5] &= ~(1 << (w & 31))


@inner
def insert(caches: PrefixCaches, w: int, blocks: Ints, first: int, shared: int, own: int) -> None:
    """Hold the blocks of a prompt in HBM as the most recently used, its head last.

    So many shared blocks lie from place `first` on, then come `own` that nobody shares.
    """
    hbm = caches.lists[w, HBM]
    hbm.own += own
    hbm.blocks += own
    word, bit = w >> 5, 1 << (w & 31)
    for place in range(first + shared - 1, first - 1, -1):
        block = blocks[place]
        number = w * len(caches.holders) + block
        if caches.holders[block, word] & bit:
            if hbm.newest == number and hbm.own == 0:
                continue
            caches.lists[w, caches.nodes[number].tier].blocks -= 1
            _unlink(caches, w, number)
        else:
            caches.holders[block, word] |= bit
        hbm.blocks += 1
        _append(caches, w, HBM, number)
    if hbm.blocks > hbm.room:
        _trim(caches, w)


@inner
def count(index: PrefixCaches, w: int, name: int, growth: int) -> None:
    """A worker's paged memory has got a shared block (growth 1) or lost one (-1).

    Or it has got so many, or lost them, that only one request has; `name` is NOBODY then.
    """
    index.lists[w, HBM].blocks += growth
    if name != NOBODY:
        word, bit = w >> 5, 1 << (w & 31)
        mask = index.holders[name, word]
        index.holders[name, word] = mask | bit if growth > 0 else mask & ~bit
