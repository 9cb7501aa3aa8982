"""A worker's KV memory in blocks: the mirror of `serving.blockpool`.

Names stand side by side in the order of a prompt, and so do the blocks that are taken for it, so
that a prompt is followed through memory from one end to the other. Only names of single requests
lie in a hash table: there is no end to them.
"""

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import DENSE, NOBODY, PAGED, SHARED, START, Ints
from anarchy.serving.compiled.core.rows import row_of
from anarchy.serving.compiled.paged.prefix_index import note
from anarchy.serving.compiled.paged.records import (
    ANONYMOUS,
    BLOCK,
    BLOCKS_AT,
    COUNT,
    ENTRIES,
    FOUND_AT,
    FOUND_BLOCK,
    FREE,
    HAS_TWINS,
    HOLDERS,
    IDLE,
    LEAST_RECENT,
    LISTS_AT,
    LISTS_END,
    LISTS_SPARE,
    MOST_RECENT,
    NAME,
    NEWER,
    NEXT_LIST,
    OLDER,
    ORDER,
    OWN_AT,
    OWN_CHANGE,
    OWN_MASK,
    PLACES,
    SHARED_NAMES,
    TWINS_AT,
    UNNAMED,
    UNTOUCHED,
    UNUSED,
)

SCATTER = integer(0x1E3779B97F4A7C15)
"""Odd; its multiples scatter neighbouring names over a hash table."""


# Lists of blocks.


@inner
def new_list(ints: Ints, blocks: int) -> int:
    """An empty list with room for so many blocks."""
    paged = ints[PAGED]
    order = 3
    while 1 << order < blocks + ENTRIES:
        order += 1
    spare = ints[paged + LISTS_SPARE] + order
    found = ints[spare]
    if found:
        ints[spare] = ints[ints[paged + LISTS_AT] + found + NEXT_LIST]
    else:
        found = ints[paged + LISTS_END]
        ints[paged + LISTS_END] += 1 << order
    address = ints[paged + LISTS_AT] + found
    ints[address + COUNT] = 0
    ints[address + ORDER] = order
    return found


@small
def list_at(ints: Ints, blocks: int) -> int:
    """The address of a list."""
    return ints[ints[PAGED] + LISTS_AT] + blocks


@small
def drop_list(ints: Ints, blocks: int) -> None:
    """Give the room of a list back."""
    address = list_at(ints, blocks)
    spare = ints[ints[PAGED] + LISTS_SPARE] + ints[address + ORDER]
    ints[address + NEXT_LIST] = ints[spare]
    ints[spare] = blocks


# Names.


@small
def own_name(ints: Ints, request: int) -> int:
    """The name of a request's first block if nobody shares it."""
    return ints[ints[PAGED] + SHARED_NAMES] + request * ints[ints[PAGED] + PLACES]


@small
def name_of(ints: Ints, request: int, place: int) -> int:
    """The name of one of a request's blocks."""
    row = row_of(ints, request)
    if place < ints[row + SHARED]:
        return ints[ints[DENSE] + ints[row + START] + place]
    return own_name(ints, request) + place


@small
def _scattered(name: int, mask: int) -> int:
    return ((name * SCATTER) >> 24) & mask


@inner
def _own_entry(ints: Ints, station: int, name: int) -> int:
    """The address of an own name's entry, or of the empty one where it belongs."""
    mask, own, blocks = (
        ints[ints[PAGED] + OWN_MASK],
        ints[station + OWN_AT],
        ints[station + BLOCKS_AT],
    )
    place = _scattered(name, mask)
    while True:
        block = (ints[own + place] & FOUND_BLOCK) - 1
        if block < 0 or ints[blocks + block * BLOCK + NAME] == name:
            return own + place
        place = (place + 1) & mask


@inner
def _clear_own_entry(ints: Ints, station: int, entry: int) -> None:
    """Empty an entry and move up those that it kept from their places."""
    mask, own, blocks = (
        ints[ints[PAGED] + OWN_MASK],
        ints[station + OWN_AT],
        ints[station + BLOCKS_AT],
    )
    hole = place = entry - own
    while True:
        place = (place + 1) & mask
        moved = ints[own + place]
        if not moved:
            break
        name = ints[blocks + ((moved & FOUND_BLOCK) - 1) * BLOCK + NAME]
        if ((place - _scattered(name, mask)) & mask) >= ((place - hole) & mask):
            ints[own + hole] = moved
            hole = place
    ints[own + hole] = 0


@small
def _entry_of(ints: Ints, station: int, name: int) -> int:
    """The address of what is found under a name."""
    if name < ints[ints[PAGED] + SHARED_NAMES]:
        return ints[station + FOUND_AT] + name
    return _own_entry(ints, station, name)


@inner
def _add_twin(ints: Ints, station: int, entry: int, block: int) -> None:
    """Append a block to the copies of one that is found."""
    twins = ints[station + TWINS_AT]
    last = (ints[entry] & FOUND_BLOCK) - 1
    if ints[entry] & HAS_TWINS:
        while ints[twins + last] != NOBODY:
            last = ints[twins + last]
    ints[entry] |= HAS_TWINS
    ints[twins + last] = block
    ints[twins + block] = NOBODY


@inner
def _drop_twin(ints: Ints, station: int, entry: int, block: int) -> None:
    """Forget one of several copies; if it was found, the next younger one is now."""
    twins = ints[station + TWINS_AT]
    found = (ints[entry] & FOUND_BLOCK) - 1
    if found == block:
        found = ints[twins + block]
        ints[entry] = (ints[entry] & ~FOUND_BLOCK) | (found + 1)
    else:
        before = found
        while ints[twins + before] != block:
            before = ints[twins + before]
        ints[twins + before] = ints[twins + block]
    if ints[twins + found] == NOBODY:
        ints[entry] &= ~HAS_TWINS


@small
def _name(ints: Ints, station: int, block: int, name: int) -> None:
    """Let others find a computed block."""
    ints[ints[station + BLOCKS_AT] + block * BLOCK + NAME] = name
    if name == ANONYMOUS:
        ints[station + OWN_CHANGE] += 1
        return
    entry = _entry_of(ints, station, name)
    if ints[entry] & FOUND_BLOCK:
        _add_twin(ints, station, entry, block)
        return
    ints[entry] |= block + 1
    if name < ints[ints[PAGED] + SHARED_NAMES]:
        note(ints, station, name, entry)
    else:
        ints[station + OWN_CHANGE] += 1


@inner
def name_one(ints: Ints, station: int, block: int, name: int) -> None:
    """Let others find a block."""
    _name(ints, station, block, name)


@inner
def name_blocks(ints: Ints, station: int, request: int, blocks: int, first: int, end: int) -> None:
    """Let others find a request's blocks from place `first` on, those without a name."""
    row, held = row_of(ints, request), list_at(ints, blocks) + ENTRIES
    shared, own = ints[row + SHARED], own_name(ints, request)
    dense = ints[DENSE] + ints[row + START]
    memory = ints[station + BLOCKS_AT]
    for place in range(first, end):
        block = ints[held + place]
        if ints[memory + block * BLOCK + NAME] == UNNAMED:
            name = ints[dense + place] if place < shared else own + place
            _name(ints, station, block, name)


# Room.


@small
def available(ints: Ints, station: int) -> int:
    """Blocks that can be taken: free ones and cached ones that nobody holds."""
    return ints[station + FREE] + ints[station + IDLE]


@small
def _unlink(ints: Ints, station: int, block: int) -> None:
    """Take a block out of the idle ones."""
    blocks = ints[station + BLOCKS_AT]
    record = blocks + block * BLOCK
    older, newer = ints[record + OLDER], ints[record + NEWER]
    if older == NOBODY:
        ints[station + LEAST_RECENT] = newer
    else:
        ints[blocks + older * BLOCK + NEWER] = newer
    if newer == NOBODY:
        ints[station + MOST_RECENT] = older
    else:
        ints[blocks + newer * BLOCK + OLDER] = older
    ints[station + IDLE] -= 1


@small
def _rest(ints: Ints, station: int, block: int) -> None:
    """Make a block the most recently used of the idle ones."""
    blocks = ints[station + BLOCKS_AT]
    record, last = blocks + block * BLOCK, ints[station + MOST_RECENT]
    ints[record + OLDER] = last
    ints[record + NEWER] = NOBODY
    ints[station + MOST_RECENT] = block
    if last == NOBODY:
        ints[station + LEAST_RECENT] = block
    else:
        ints[blocks + last * BLOCK + NEWER] = block
    ints[station + IDLE] += 1


@small
def _give_back(ints: Ints, station: int, block: int) -> None:
    """Let a block be taken again."""
    ints[ints[station + BLOCKS_AT] + block * BLOCK + NEWER] = ints[station + UNUSED]
    ints[station + UNUSED] = block
    ints[station + FREE] += 1


@small
def _fresh_block(ints: Ints, station: int, holders: int) -> int:
    """A block without a name; its room has been taken already."""
    block = ints[station + UNUSED]
    blocks = ints[station + BLOCKS_AT]
    if block == NOBODY:
        block = ints[station + UNTOUCHED]
        ints[station + UNTOUCHED] = block + 1
    else:
        ints[station + UNUSED] = ints[blocks + block * BLOCK + NEWER]
    record = blocks + block * BLOCK
    ints[record + NAME] = UNNAMED
    ints[record + HOLDERS] = holders
    return block


@inner
def grow(ints: Ints, station: int, fresh: int) -> None:
    """Take room for blocks that the caller accounts for by number."""
    ints[station + FREE] -= fresh
    while ints[station + FREE] < 0:
        block = ints[station + LEAST_RECENT]
        _unlink(ints, station, block)
        _give_back(ints, station, block)
        name = ints[ints[station + BLOCKS_AT] + block * BLOCK + NAME]
        if name == UNNAMED:
            continue
        if name == ANONYMOUS:
            ints[station + OWN_CHANGE] -= 1
            continue
        entry = _entry_of(ints, station, name)
        if ints[entry] & HAS_TWINS:
            _drop_twin(ints, station, entry, block)
        elif name < ints[ints[PAGED] + SHARED_NAMES]:
            ints[entry] &= ~FOUND_BLOCK
            note(ints, station, name, entry)
        else:
            _clear_own_entry(ints, station, entry)
            ints[station + OWN_CHANGE] -= 1


@inner
def match(ints: Ints, station: int, request: int, places: int) -> tuple[int, int]:
    """How many leading blocks of a request are found, and how many of those somebody holds."""
    row, blocks = row_of(ints, request), ints[station + BLOCKS_AT]
    shared, own = ints[row + SHARED], own_name(ints, request)
    dense, found = ints[DENSE] + ints[row + START], ints[station + FOUND_AT]
    held = 0
    for place in range(places):
        if place < shared:
            block = (ints[found + ints[dense + place]] & FOUND_BLOCK) - 1
        else:
            block = (ints[_own_entry(ints, station, own + place)] & FOUND_BLOCK) - 1
        if block < 0:
            return place, held
        held += ints[blocks + block * BLOCK + HOLDERS] > 0
    return places, held


@inner
def take(ints: Ints, station: int, request: int, blocks: int, found: int, fresh: int) -> bool:
    """Hold a request's first `found` blocks and `fresh` new ones, if there is room."""
    row, memory = row_of(ints, request), ints[station + BLOCKS_AT]
    shared, own = ints[row + SHARED], own_name(ints, request)
    dense, at = ints[DENSE] + ints[row + START], list_at(ints, blocks)
    held = at + ENTRIES + ints[at + COUNT]
    idle = 0
    for place in range(found):
        name = ints[dense + place] if place < shared else own + place
        block = (ints[_entry_of(ints, station, name)] & FOUND_BLOCK) - 1
        ints[held + place] = block
        idle += ints[memory + block * BLOCK + HOLDERS] == 0
    if fresh > available(ints, station) - idle:
        return False
    for place in range(found):
        block = ints[held + place]
        record = memory + block * BLOCK
        if not ints[record + HOLDERS]:
            _unlink(ints, station, block)
        ints[record + HOLDERS] += 1
    grow(ints, station, fresh)
    held += found
    for place in range(fresh):
        ints[held + place] = _fresh_block(ints, station, 1)
    ints[at + COUNT] += found + fresh
    return True


@inner
def keep(ints: Ints, station: int, name: int) -> None:
    """Turn one grown block into a cached one that nobody holds, the most recently used."""
    block = _fresh_block(ints, station, 0)
    if name != UNNAMED:
        name_one(ints, station, block, name)
    _rest(ints, station, block)


@inner
def release(ints: Ints, station: int, blocks: int) -> None:
    """Let go of a list of blocks; the tail of a prefix becomes older than its head."""
    at, memory = list_at(ints, blocks), ints[station + BLOCKS_AT]
    for place in range(at + ENTRIES + ints[at + COUNT] - 1, at + ENTRIES - 1, -1):
        block = ints[place]
        record = memory + block * BLOCK
        ints[record + HOLDERS] -= 1
        if not ints[record + HOLDERS]:
            if ints[record + NAME] == UNNAMED:
                _give_back(ints, station, block)
            else:
                _rest(ints, station, block)
    ints[at + COUNT] = 0
