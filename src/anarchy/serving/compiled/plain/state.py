"""The state at the beginning of a run, laid out from a scenario."""

import math

import numpy as np

from anarchy.config.router import Router
from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop
from anarchy.serving.compiled.core.arena import Arena, put
from anarchy.serving.compiled.core.records import (
    ACCOUNT,
    ACTIVE,
    ACTIVE_BLOCKS,
    ADDED,
    ALLOWED,
    BATCH_REQUESTS,
    BATCH_TOKENS,
    BLOCK_TOKENS,
    BYTES_PER_TOKEN,
    CACHING,
    CARD,
    CARDS,
    CLIENTS,
    COSTS,
    DECODE,
    DECODE_CACHE,
    DECODE_COUNT,
    DECODE_REALS,
    DECODE_SOFTMAX,
    DECODE_TABLE,
    DECODE_TIES,
    DECODE_TIMES,
    DECODES,
    DENSE,
    DISTINCT,
    DRAW,
    DRAW_AT,
    DRAWS,
    DUE,
    DUES,
    END,
    ENDS,
    ENDS_ROOM,
    EVENT_KEYS,
    EVENT_TIMES,
    EVENTS_ROOM,
    FETCH_LATENCY,
    FETCH_SECONDS,
    GENERATED,
    HANDOFF_BANDWIDTH,
    HANDOFF_OVERHEAD,
    INDEXED,
    IS_PREFILL,
    KEY,
    KNOWN,
    LARGEST_BATCH,
    LEG,
    LOG_COSTS,
    LOOK_AT_LEAST,
    METERS,
    NAMES,
    NOBODY,
    ON_HOST,
    OVERLAPS,
    PENALTY,
    PENDING,
    PREFILL,
    PREFILL_CACHE,
    PREFILL_COUNT,
    PREFILL_REALS,
    PREFILL_SOFTMAX,
    PREFILL_TABLE,
    PREFILL_TIES,
    PREFILL_TIMES,
    PREFILLS,
    QUEUE_HEAD,
    QUICK,
    RECOMPUTE,
    REPLICAS,
    ROW,
    ROW_COSTS,
    ROW_MASK,
    ROW_TIMES,
    ROWS,
    SEEN,
    SERIAL,
    SIMPLE,
    SLOTS,
    SOFTMAX,
    STEP_IS_FIRST_TOKEN,
    STREAMS,
    THINKS,
    TIERED,
    TIES,
    TIMES,
    TO_DECODE,
    TO_PREFILL,
    TURNS,
    VALUE,
    WANTED,
    WARMUP,
    WORKERS,
)
from anarchy.serving.compiled.core.requests import Supply
from anarchy.serving.compiled.core.service_times import lay_tables
from anarchy.serving.compiled.kv_cache.prefix_cache import lay_cache
from anarchy.serving.compiled.paged.prefix_index import lay_index
from anarchy.serving.compiled.router.argmin_tree import lay_tree
from anarchy.serving.compiled.router.policies import lay_rule, quick_decision
from anarchy.serving.compiled.router.worker_loads import lay_rings
from anarchy.serving.reference.core.clients import Extent
from anarchy.serving.service_times.table import LatencyTable
from anarchy.serving.service_times.worker_speeds import scaled

FEW = 16
"""Workers that are compared faster one by one than in a tournament."""

ROOM = 1 << 12
"""Rows, events and pieces of news that there is room for at first; a power of two."""


def lay_state(
    scenario: Scenario,
    table: LatencyTable,
    supply: Supply,
    extent: Extent,
    costs: bool,
    more: int = 0,
) -> Arena:
    """The state before anything has happened; `costs` keeps what the routers see.

    `more` integers are to be laid out behind it.
    """
    arena = Arena(more)
    topology, workload = scenario.topology, scenario.workload
    clients = workload.clients if isinstance(workload, ClosedLoop) else 0
    fields = [(WARMUP, extent.warmup), (WANTED, extent.measured), (CLIENTS, clients)]
    fields += [(LOG_COSTS, costs), (REPLICAS, scenario.router.tracking.replicas)]
    fields += [(PREFILL_COUNT, topology.prefill), (DECODE_COUNT, topology.decode)]
    put(arena.ints, 0, fields)
    room = max(ROOM, 1 << (2 * clients).bit_length())
    lay_rows(arena, np.zeros((room, ROW)), np.zeros((room, TIMES)), _costs(scenario, costs, room))
    arena.ints[EVENTS_ROOM] = room
    arena.move(EVENT_KEYS, np.zeros(2 * room))
    arena.move_reals(EVENT_TIMES, np.zeros(room))
    arena.move(CARDS, np.zeros(CARD))
    arena.move(PENDING, np.zeros(max(1, clients) * CARD))
    arena.move_reals(DUES, [math.inf])
    arena.move_reals(THINKS, [0.0])
    arena.move(DRAWS, np.zeros(len(STREAMS) * DRAW))
    for stream in range(len(STREAMS)):
        arena.move_reals(int(arena.ints[DRAWS]) + stream * DRAW + DRAW_AT, [0.0])
    arena.move(DENSE, supply.dense)
    arena.move(VALUE, supply.value)
    speeds = [1.0, *sorted({*topology.prefill_speed, *topology.decode_speed} - {1.0})]
    lay_tables(arena, [table if s == 1.0 else scaled(table, s) for s in speeds])
    _lay_prefill(arena, scenario, speeds, supply.block_tokens)
    _lay_decode(arena, scenario, speeds, table.itl.batch[-1])
    _lay_routers(arena, scenario, supply)
    arena.move_reals(METERS, np.zeros(2 * topology.prefill + topology.decode))
    return arena


def lay_rows(arena: Arena, ints: np.ndarray, times: np.ndarray, costs: np.ndarray) -> None:
    """Lay out the ring of rows anew; its length is a power of two."""
    arena.move(ROWS, ints)
    arena.move_reals(ROW_TIMES, times)
    arena.move_reals(ROW_COSTS, costs)
    arena.ints[ROW_MASK] = len(ints) - 1


def _costs(scenario: Scenario, costs: bool, room: int) -> np.ndarray:
    width = scenario.topology.prefill + 2 * scenario.topology.decode
    return np.zeros((room, width if costs else 0))


def _lay_prefill(arena: Arena, scenario: Scenario, speeds: list[float], block_tokens: int) -> None:
    engine, workers = scenario.engine, scenario.topology.prefill
    cache, host = engine.cache, engine.cache.host
    each = scenario.model.kv_bytes_per_token
    put(
        arena.ints,
        0,
        [
            (BATCH_REQUESTS, engine.prefill.batch_requests),
            (BATCH_TOKENS, engine.prefill.batch_tokens),
            (BLOCK_TOKENS, block_tokens),
            (CACHING, cache.enabled),
            (TIERED, cache.enabled and host.capacity_tokens > 0),
            (SERIAL, cache.onboarding == "serial"),
            (RECOMPUTE, cache.recompute),
            (BYTES_PER_TOKEN, each),
        ],
    )
    arena.reals[HANDOFF_OVERHEAD] = engine.handoff.overhead
    arena.reals[HANDOFF_BANDWIDTH] = engine.handoff.bandwidth or math.inf
    arena.reals[FETCH_LATENCY] = host.latency
    arena.reals[FETCH_SECONDS] = block_tokens * each / host.bandwidth if host.bandwidth else 0.0
    records = np.zeros((workers, PREFILL))
    records[:, QUEUE_HEAD] = NOBODY
    records[:, PREFILL_TABLE] = _tables(speeds, scenario.topology.prefill_speed, workers)
    arena.move(PREFILLS, records)
    arena.move_reals(PREFILL_TIMES, np.zeros((workers, PREFILL_REALS)))


def _lay_decode(arena: Arena, scenario: Scenario, speeds: list[float], largest: int) -> None:
    engine, workers = scenario.engine, scenario.topology.decode
    room = min(16, engine.decode.slots)
    put(
        arena.ints,
        0,
        [
            (SLOTS, engine.decode.slots),
            (LARGEST_BATCH, largest),
            (STEP_IS_FIRST_TOKEN, engine.first_token == "decode-step"),
            (ENDS_ROOM, room),
        ],
    )
    records = np.zeros((workers, DECODE))
    records[:, DECODE_TABLE] = _tables(speeds, scenario.topology.decode_speed, workers)
    clocks = np.zeros((workers, DECODE_REALS))
    clocks[:, DUE] = math.inf
    arena.move(DECODES, records)
    arena.move_reals(DECODE_TIMES, clocks)
    arena.move(ENDS, np.zeros((workers, room, END)))


def _lay_routers(arena: Arena, scenario: Scenario, supply: Supply) -> None:
    cache, tokens = scenario.engine.cache, supply.block_tokens
    device, host = cache.capacity_tokens // tokens, cache.host.capacity_tokens // tokens
    for prefill in (True, False):
        workers = scenario.topology.prefill if prefill else scenario.topology.decode
        used = cache.enabled and (prefill or scenario.router.decode_overlap)
        blocks = len(supply.value) if used else 0
        lower, lag = host if prefill else 0, scenario.router.tracking.cache_lag
        if scenario.engine.memory.paged:
            used = used and scenario.router.policy != "round-robin"
            real = seen = lay_index(arena, workers, blocks if used else 0, lag if used else 0.0)
        else:
            real = seen = lay_cache(arena, workers, blocks, device, lower)
            if used and lag:
                seen = lay_cache(arena, workers, blocks, device, lower)
        arena.ints[PREFILL_CACHE if prefill else DECODE_CACHE] = real
        leg = _lay_leg(arena, scenario, prefill, workers, len(supply.value))
        arena.ints[leg + INDEXED] = used
        arena.ints[leg + SEEN] = seen
        if not arena.ints[LOG_COSTS]:
            _lay_quick_decisions(arena, leg, scenario.router)
        arena.ints[TO_PREFILL if prefill else TO_DECODE] = leg


def _lay_leg(arena: Arena, scenario: Scenario, prefill: bool, workers: int, blocks: int) -> int:
    tracking = scenario.router.tracking
    generated = tracking.generated_blocks and not prefill
    penalty = tracking.unregistered_penalty and not prefill
    distinct = tracking.active_blocks == "distinct"
    late = tracking.replicas > 1 or tracking.event_lag > 0
    simple = not (late or generated or penalty or distinct)
    names = blocks if distinct else 0
    leg = arena.integers(np.zeros(LEG))
    put(
        arena.ints,
        leg,
        [
            (WORKERS, workers),
            (IS_PREFILL, prefill),
            (TIES, PREFILL_TIES if prefill else DECODE_TIES),
            (SOFTMAX, PREFILL_SOFTMAX if prefill else DECODE_SOFTMAX),
            (GENERATED, generated),
            (PENALTY, penalty),
            (SIMPLE, simple),
            (NAMES, names),
        ],
    )
    lay_rule(arena, leg, scenario.router)
    for field in (ACTIVE_BLOCKS, ADDED, OVERLAPS, ON_HOST, ACTIVE):
        arena.move(leg + field, np.zeros(workers))
    arena.move_reals(leg + COSTS, np.zeros(workers))
    arena.move_reals(leg + ALLOWED, np.zeros(max(2, workers)))
    arena.move(leg + TURNS, np.zeros(tracking.replicas))
    arena.move(leg + KNOWN, np.zeros((tracking.replicas, workers, ACCOUNT)))
    arena.move(leg + DISTINCT, np.zeros(tracking.replicas * workers * names))
    lay_rings(arena, leg, ROOM if not simple or tracking.cache_lag else 64)
    return leg


def _lay_quick_decisions(arena: Arena, leg: int, router: Router) -> None:
    """Let a leg decide without the costs of all workers if its policy allows it."""
    prefill = bool(arena.ints[leg + IS_PREFILL])
    kind, key = quick_decision(router, prefill, bool(arena.ints[leg + INDEXED]))
    if kind == LOOK_AT_LEAST:
        if not arena.ints[leg + SIMPLE] or arena.ints[leg + WORKERS] < FEW:
            return
        arena.ints[leg + KEY] = key
        lay_tree(arena, leg)
    arena.ints[leg + QUICK] = kind


def _tables(speeds: list[float], given: list[float], workers: int) -> list[int]:
    """The table of each worker."""
    return [speeds.index(speed) for speed in given or [1.0] * workers]
