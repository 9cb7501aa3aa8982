"""A worker's KV memory in blocks: the mirror of `reference.core.block_pool`.

Names stand side by side in the order of a prompt, and so do the blocks that are taken for it, so
that a prompt is followed through memory from one end to the other. Only names of single requests
lie in a hash table: there is no end to them.
"""

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import ANONYMOUS, UNNAMED, Request, State
from anarchy.serving.compiled.paged.prefix_index import note

SCATTER = integer(0x1E3779B1)
"""Odd; its multiples scatter neighbouring names over a hash table."""


@small
def pool_of(state: State, w: int) -> int:
    """The block pool of a decode worker; that of a prefill worker has its number."""
    return len(state.prefill_workers) + w


# Lists of blocks.


@inner
def new_list(state: State, blocks: int) -> int:
    """An empty list with room for so many blocks."""
    progress, order = state.progress, 0
    while 1 << order < blocks:
        order += 1
    held = state.spare_lists[order]
    if held:
        state.spare_lists[order] = state.lists[held].following
    else:
        progress.lists_used += 1
        held = progress.lists_used
        state.lists[held].start = progress.held_used
        state.lists[held].order = order
        progress.held_used += 1 << order
    state.lists[held].count = 0
    return held


@small
def drop_list(state: State, held: int) -> None:
    """Give the room of a list back."""
    order = state.lists[held].order
    state.lists[held].following = state.spare_lists[order]
    state.spare_lists[order] = held


# Names.


@small
def name_at(state: State, request: Request, place: int) -> int:
    """The name of one of a request's blocks."""
    if place < request.shared_blocks:
        return state.blocks[request.first_shared + place]
    return request.first_name + place


@small
def _scattered(name: int, mask: int) -> int:
    return ((name * SCATTER) >> 24) & mask


@inner
def _own_place(state: State, pool: int, name: int) -> int:
    """The place of an own name in the hash table, or the empty one where it belongs."""
    own, blocks = state.own[pool], state.memory[pool]
    mask = len(own) - 1
    place = _scattered(name, mask)
    while own[place] and blocks[own[place]].name != name:
        place = (place + 1) & mask
    return place


@inner
def _clear_own_place(state: State, pool: int, place: int) -> None:
    """Empty a place and move up those that it kept from theirs."""
    own, blocks = state.own[pool], state.memory[pool]
    mask, hole = len(own) - 1, place
    while True:
        place = (place + 1) & mask
        if not own[place]:
            break
        home = _scattered(blocks[own[place]].name, mask)
        if ((place - home) & mask) >= ((place - hole) & mask):
            own[hole] = own[place]
            hole = place
    own[hole] = 0


@small
def _found(state: State, pool: int, name: int) -> int:
    """The block that is found under a name, or 0."""
    if name < len(state.names):
        return state.found[pool, name].block
    return state.own[pool, _own_place(state, pool, name)]


@inner
def name_one(state: State, pool: int, number: int, name: int) -> None:
    """Let others find a computed block."""
    blocks = state.memory[pool]
    blocks[number].name = name
    blocks[number].younger = 0
    if name == ANONYMOUS:
        state.pools[pool].own_change += 1
        return
    if name < len(state.names):
        last = integer(state.found[pool, name].block)
        if not last:
            state.found[pool, name].block = number
            note(state, pool, name)
            return
    else:
        place = _own_place(state, pool, name)
        last = state.own[pool, place]
        if not last:
            state.own[pool, place] = number
            state.pools[pool].own_change += 1
            return
    while blocks[last].younger:
        last = integer(blocks[last].younger)
    blocks[last].younger = number


@inner
def name_blocks(state: State, pool: int, request: Request, held: int, first: int, end: int) -> None:
    """Let others find a request's blocks from place `first` on, those without a name."""
    start = state.lists[held].start
    for place in range(first, end):
        block = state.held[start + place]
        if state.memory[pool, block].name == UNNAMED:
            name_one(state, pool, block, name_at(state, request, place))


@inner
def _forget(state: State, pool: int, number: int) -> None:
    """Let a block no longer be found; the next younger copy of it is found instead."""
    blocks, counts = state.memory[pool], state.pools[pool]
    name, younger = blocks[number].name, blocks[number].younger
    if name == UNNAMED:
        return
    if name == ANONYMOUS:
        counts.own_change -= 1
        return
    shared, place = name < len(state.names), integer(0)
    if shared:
        first = integer(state.found[pool, name].block)
    else:
        place = _own_place(state, pool, name)
        first = state.own[pool, place]
    if first != number:
        while blocks[first].younger != number:
            first = integer(blocks[first].younger)
        blocks[first].younger = younger
    elif shared:
        state.found[pool, name].block = younger
        if not younger:
            note(state, pool, name)
    elif younger:
        state.own[pool, place] = younger
    else:
        _clear_own_place(state, pool, place)
        counts.own_change -= 1


# Room.


@small
def available(state: State, pool: int) -> int:
    """Blocks that can be taken: free ones and cached ones that nobody holds."""
    return state.pools[pool].free + state.pools[pool].idle


@small
def _occupy(state: State, pool: int, number: int) -> None:
    """Take a block out of the idle ones."""
    blocks = state.memory[pool]
    older, newer = blocks[number].older, blocks[number].newer
    blocks[older].newer = newer
    blocks[newer].older = older
    state.pools[pool].idle -= 1


@small
def rest(state: State, pool: int, number: int) -> None:
    """Make a block the most recently used of the idle ones."""
    blocks = state.memory[pool]
    last = blocks[0].older
    blocks[number].older = last
    blocks[number].newer = 0
    blocks[last].newer = number
    blocks[0].older = number
    state.pools[pool].idle += 1


@small
def _give_back(state: State, pool: int, number: int) -> None:
    """Let a block be taken again."""
    counts = state.pools[pool]
    state.memory[pool, number].newer = counts.returned
    counts.returned = number
    counts.free += 1


@small
def fresh_block(state: State, pool: int, holders: int) -> int:
    """A block without a name; its room has been taken already."""
    counts, blocks = state.pools[pool], state.memory[pool]
    number = counts.returned
    if number:
        counts.returned = blocks[number].newer
    else:
        number = counts.untouched
        counts.untouched = number + 1
    blocks[number].name = UNNAMED
    blocks[number].holders = holders
    return number


@inner
def grow(state: State, pool: int, fresh: int) -> None:
    """Take room for blocks that the caller accounts for by number."""
    state.pools[pool].free -= fresh
    while state.pools[pool].free < 0:
        oldest = integer(state.memory[pool, 0].newer)
        _occupy(state, pool, oldest)
        _give_back(state, pool, oldest)
        _forget(state, pool, oldest)


@inner
def match(state: State, pool: int, request: Request, places: int) -> tuple[int, int]:
    """How many leading blocks of a request are found, and how many of those somebody holds."""
    held = 0
    for place in range(places):
        block = _found(state, pool, name_at(state, request, place))
        if not block:
            return place, held
        held += state.memory[pool, block].holders > 0
    return places, held


@inner
def take(state: State, pool: int, request: Request, held: int, found: int, fresh: int) -> bool:
    """Hold a request's first `found` blocks and `fresh` new ones, if there is room."""
    blocks, of, idle = state.held, state.lists[held], 0
    end = of.start + of.count
    for place in range(found):
        block = _found(state, pool, name_at(state, request, place))
        blocks[end + place] = block
        idle += state.memory[pool, block].holders == 0
    if fresh > available(state, pool) - idle:
        return False
    for place in range(end, end + found):
        if not state.memory[pool, blocks[place]].holders:
            _occupy(state, pool, blocks[place])
        state.memory[pool, blocks[place]].holders += 1
    grow(state, pool, fresh)
    for place in range(end + found, end + found + fresh):
        blocks[place] = fresh_block(state, pool, integer(1))
    of.count += found + fresh
    return True


@inner
def release(state: State, pool: int, held: int) -> None:
    """Let go of a list of blocks; the tail of a prefix becomes older than its head."""
    blocks, of = state.held, state.lists[held]
    for place in range(of.start + of.count - 1, of.start - 1, -1):
        block = state.memory[pool, blocks[place]]
        block.holders -= 1
        if not block.holders:
            if block.name == UNNAMED:
                _give_back(state, pool, blocks[place])
            else:
                rest(state, pool, blocks[place])
    of.count = 0
