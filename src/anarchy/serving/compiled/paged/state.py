"""The state of a system with paged memory at the beginning of a run, and room for more."""

from typing import Any, get_type_hints

import numpy as np

from anarchy.config.scenario import Scenario
from anarchy.serving.compiled.core.records import NOBODY, Ring, State
from anarchy.serving.compiled.core.request_ring import in_longer
from anarchy.serving.compiled.core.tables import Memory, Record, longer
from anarchy.serving.compiled.paged import records
from anarchy.serving.compiled.paged.records import PagedState
from anarchy.serving.rules import feasibility

ACTIONS_OF_ONE = 5
"""Things to do for a request at one instant, at most: one of each kind."""

CHANGES_OF_BLOCK = 4
"""Changes that there is room for; those that are to be told are two for each block at most."""

LISTS = 1 << 10
"""Lists of blocks that there is room for at first."""

HELD = 1 << 14
"""Blocks in them."""

ORDERS = 40
"""More powers of two than lists have lengths."""

LATE_CHANGES = 1 << 12
"""Late changes that there is room for at first."""


def make_paged_state(
    memory: Memory,
    plain: State,
    scenario: Scenario,
    parts: int,
    blocks: int,
    largest: tuple[int, int],
) -> PagedState:
    """Empty memories of so many blocks.

    `parts` engine blocks are one of the workload; the largest request has so many prompt and output
    tokens.
    """
    names = len(plain.names)
    prefills, decodes = len(plain.prefill_workers), len(plain.decode_workers)
    workers, dispatchers = prefills + decodes, (plain.to_prefill, plain.to_decode)
    indexed = any(dispatcher.rule.indexed for dispatcher in dispatchers)
    late = indexed and scenario.router.tracking.cache_lag > 0
    pools = memory.table(records.BlockPool, workers)
    pools["free"], pools["untouched"] = blocks, 1
    pools["side"] = [records.PREFILL] * prefills + [records.DECODE] * decodes
    pools["worker"] = [*range(prefills), *range(decodes)]
    pools["indexed"] = [dispatchers[side].rule.indexed for side in pools["side"]]
    return PagedState(
        plain=plain,
        settings=_settings(memory, scenario, names, parts, blocks, largest),
        progress=memory.record(records.PagedProgress),
        sequences=memory.table(records.Sequence, len(plain.requests)),
        prefill=_queues(memory, records.PrefillQueue, prefills),
        decode=_queues(memory, records.DecodeQueue, decodes),
        phases=memory.zeros(np.int64, decodes, scenario.engine.cache.block_tokens),
        actions=memory.table(records.Action, ACTIONS_OF_ONE * len(plain.requests)),
        pools=pools,
        blocks=memory.table(records.Block, workers, blocks + 1),
        found=memory.table(records.Found, workers, names),
        own=memory.zeros(np.int64, workers, 1 << (2 * blocks).bit_length()),
        changed=memory.zeros(np.int64, workers, indexed * (CHANGES_OF_BLOCK * blocks + 2)),
        lists=memory.table(records.BlockList, LISTS),
        held=memory.zeros(np.int64, HELD),
        spare_lists=memory.zeros(np.int64, ORDERS),
        rings=memory.table(Ring, len(dispatchers)),
        late_changes=memory.table(records.LateChange, len(dispatchers), late * LATE_CHANGES),
    )


def _settings(
    memory: Memory,
    scenario: Scenario,
    names: int,
    parts: int,
    blocks: int,
    largest: tuple[int, int],
) -> records.PagedSettings:
    engine, size = scenario.engine, scenario.engine.cache.block_tokens
    prompt, whole = (-(-tokens // size) for tokens in (largest[0], sum(largest)))
    return memory.record(
        records.PagedSettings,
        chunked=engine.prefill.chunked,
        early=engine.memory.visible == "scheduled",
        handoff_is_first_token=engine.first_token == "handoff",
        numbered=scenario.router.policy == "two-choice-hashing",
        preempt=records.PREEMPT_RULES.index(engine.memory.preempt),
        most_preemptions=feasibility.MOST_PREEMPTIONS,
        memory_blocks=blocks,
        shared_names=names,
        own_names=whole + 1,
        parts=parts,
        largest_lists=2 * (prompt + whole),  # their room is a power of two
    )


def _queues(memory: Memory, kind: type[Record], workers: int) -> Any:
    """Idle workers without requests."""
    queues = memory.table(kind, workers)
    for name, annotation in get_type_hints(kind).items():
        if annotation is records.LinkedList:
            queues[name]["first"] = queues[name]["last"] = NOBODY
    return queues


def with_longer_ring(state: PagedState, first: int, end: int, length: int) -> PagedState:
    """Room for the sequences of more requests, `first` to `end` - 1 being there, and for what is
    due for them."""
    return state._replace(
        sequences=in_longer(state.sequences, first, end, length),
        actions=longer(state.actions, ACTIONS_OF_ONE * length),
    )


def with_more_lists(state: PagedState) -> PagedState:
    """Room for more lists of blocks."""
    room = 2 * len(state.held) + state.settings.largest_lists
    return state._replace(lists=longer(state.lists), held=longer(state.held, room))


def with_more_changes(state: PagedState) -> PagedState:
    """Room for more late changes."""
    before: Any = state.late_changes
    room, most = before.shape[1], 6 * len(state.pools) * state.settings.memory_blocks
    changes = np.zeros((len(before), 2 * (room + most)), before.dtype).view(np.recarray)
    for side in (records.PREFILL, records.DECODE):
        ring = state.rings[side]
        places = np.arange(ring.head, ring.tail) % room
        changes[side, : len(places)] = before[side, places]
        ring.head, ring.tail = 0, len(places)
    return state._replace(late_changes=changes)
