"""What a system with paged memory has at the beginning of a run beside the plain one's state."""

import numpy as np

from anarchy.config.scenario import Scenario
from anarchy.serving.compiled.core.arena import Arena, put
from anarchy.serving.compiled.core.records import (
    INDEXED,
    NOBODY,
    PAGED,
    ROW_MASK,
    SEEN,
    TO_DECODE,
    TO_PREFILL,
)
from anarchy.serving.compiled.paged.records import (
    ACTIONS,
    ADMITTED,
    BLOCK,
    BLOCKS,
    BLOCKS_AT,
    CHANGES_AT,
    CHANGES_ROOM,
    CHUNKED,
    EARLY,
    ENTERED,
    ENTRIES,
    FINAL,
    FIRST,
    FOUND_AT,
    FREE,
    HANDOFF_IS_FIRST_TOKEN,
    INDEX,
    LEAST_RECENT,
    LINK,
    LINKS,
    LISTS_AT,
    LISTS_END,
    LISTS_LARGEST,
    LISTS_ROOM,
    LISTS_SPARE,
    MOST_RECENT,
    NUMBER,
    NUMBERED,
    ORDERS,
    OWN_AT,
    OWN_MASK,
    PAGED_HEADER,
    PARTS,
    PENDING,
    PHASES,
    PLACES,
    PREEMPT,
    PREEMPT_RULES,
    QUEUED,
    READY,
    SHARED_NAMES,
    STATION,
    STATIONS,
    TRIED,
    TWINS_AT,
    UNUSED,
)

ACTIONS_OF_ONE = 5
"""Things to do for a request at one instant, at most: one of each kind."""

CHANGES_OF_BLOCK = 4
"""Changes that there is room for; those that are news are two for each block at most."""

LISTS = 1 << 14
"""Entries of lists of blocks that there is room for at first."""


def paged_entries(scenario: Scenario, names: int, blocks: int) -> int:
    """About how many integers a system with paged memory has; what is missing is laid out later."""
    workers = scenario.topology.prefill + scenario.topology.decode
    memory = blocks * (BLOCK + 1) + _table(blocks) + names
    return workers * (memory + CHANGES_OF_BLOCK * blocks) + 4 * names


def lay_paged(
    arena: Arena, scenario: Scenario, names: int, parts: int, blocks: int, largest: tuple[int, int]
) -> None:
    """Lay out empty memories of so many blocks.

    `names` are shared between prompts, `parts` engine blocks are one of the workload; the largest
    request has so many prompt and output tokens.
    """
    memory, cache, prefill = scenario.engine.memory, scenario.engine.cache, scenario.engine.prefill
    prompt, whole = (-(-tokens // cache.block_tokens) for tokens in (largest[0], sum(largest)))
    workers = scenario.topology.prefill + scenario.topology.decode
    table = _table(blocks)
    paged = arena.integers(np.zeros(PAGED_HEADER))
    arena.ints[PAGED] = paged
    put(
        arena.ints,
        paged,
        [
            (BLOCKS, blocks),
            (CHUNKED, prefill.chunked),
            (EARLY, memory.visible == "scheduled"),
            (PREEMPT, PREEMPT_RULES.index(memory.preempt)),
            (HANDOFF_IS_FIRST_TOKEN, scenario.engine.first_token == "handoff"),
            (SHARED_NAMES, names),
            (PLACES, whole + 1),
            (NUMBERED, scenario.router.policy == "two-choice-hashing"),
            (PARTS, parts),
            (OWN_MASK, table - 1),
            (LISTS_END, 1),  # place 0 is no list
            (LISTS_ROOM, LISTS),
            (LISTS_LARGEST, _power(prompt + ENTRIES) + _power(whole + ENTRIES)),
        ],
    )
    arena.move(paged + LISTS_AT, np.zeros(LISTS))
    arena.move(paged + LISTS_SPARE, np.zeros(ORDERS))
    arena.move(paged + READY, np.zeros(workers))
    lay_ring(arena, np.zeros((int(arena.ints[ROW_MASK]) + 1, LINK)))
    arena.move(paged + STATIONS, np.zeros((workers, STATION)))
    for number in range(workers):
        _lay_station(arena, scenario, number, blocks)
    for number in range(workers):
        station = int(arena.ints[paged + STATIONS]) + number * STATION
        for field, size in (
            (BLOCKS_AT, blocks * BLOCK),
            (TWINS_AT, blocks),
            (OWN_AT, table),
            (FOUND_AT, names),
        ):
            address = arena.blank(size)
            arena.ints[station + field] = address


def lay_ring(arena: Arena, links: np.ndarray) -> None:
    """Lay out the further fields of the rows, and room for what is to be done for them."""
    paged = int(arena.ints[PAGED])
    arena.move(paged + LINKS, links)
    actions = np.zeros(ACTIONS_OF_ONE * len(links), np.int64)
    if arena.ints[paged + ACTIONS]:
        before = arena.view(paged + ACTIONS, len(actions) // 2)
        actions[: len(before)] = before
    arena.move(paged + ACTIONS, actions)


def more_lists(arena: Arena) -> None:
    """Make room for more lists of blocks."""
    paged = int(arena.ints[PAGED])
    room, largest = (int(arena.ints[paged + field]) for field in (LISTS_ROOM, LISTS_LARGEST))
    grown = np.zeros(2 * room + largest, np.int64)
    grown[:room] = arena.view(paged + LISTS_AT, room)
    arena.move(paged + LISTS_AT, grown)
    arena.ints[paged + LISTS_ROOM] = len(grown)


def _lay_station(arena: Arena, scenario: Scenario, number: int, blocks: int) -> None:
    """An idle worker, counted over both pools."""
    ints, prefills = arena.ints, scenario.topology.prefill
    prefill = number < prefills
    leg = int(ints[TO_PREFILL if prefill else TO_DECODE])
    station = int(ints[ints[PAGED] + STATIONS]) + number * STATION
    fields = [(FREE, blocks), (NUMBER, number if prefill else number - prefills)]
    fields += [(field, NOBODY) for field in (LEAST_RECENT, MOST_RECENT, UNUSED, TRIED)]
    for chain in (QUEUED, ADMITTED, PENDING, ENTERED):
        fields += [(chain + FIRST, NOBODY), (chain + FINAL, NOBODY)]
    put(ints, station, fields)
    if ints[leg + INDEXED]:
        room = CHANGES_OF_BLOCK * blocks + 2
        put(ints, station, [(INDEX, ints[leg + SEEN]), (CHANGES_ROOM, room)])
        arena.ints[station + CHANGES_AT] = arena.blank(room)
    if not prefill:
        arena.move(station + PHASES, np.zeros(scenario.engine.cache.block_tokens))


def _table(blocks: int) -> int:
    """Entries of a hash table that is not more than half full."""
    return 1 << (2 * blocks).bit_length()


def _power(entries: int) -> int:
    """The least power of two that is not less than `entries`, and at least 8."""
    return max(8, 1 << (entries - 1).bit_length())
