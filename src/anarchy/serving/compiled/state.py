"""The state at the beginning of a run, made from a scenario."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop
from anarchy.serving.compiled.core import records
from anarchy.serving.compiled.core.asks import AskSource, no_asks
from anarchy.serving.compiled.core.router_records import Dispatcher, PrefixCaches
from anarchy.serving.compiled.core.service_times import make_service_times
from anarchy.serving.compiled.core.tables import NOBODY, Ints, Record, dtype_of, record, zeros
from anarchy.serving.compiled.kv_cache.prefix_cache import make_caches, make_index
from anarchy.serving.compiled.router.choices import STREAMS
from anarchy.serving.compiled.router.dispatch import make_dispatcher
from anarchy.serving.rules import feasibility
from anarchy.serving.service_times.table import LatencyTable
from anarchy.serving.service_times.worker_speeds import scaled, speeds_known
from anarchy.workload.demand import Demand

ROOM = 1 << 12
"""Requests and events that there is room for at first; a power of two."""

COMPLETIONS = 16
"""Requests of a decode batch that there is room for at first."""

ACTIONS_OF_ONE = 5
"""Things to do for a request at one instant, at most: one of each kind."""

LISTS, HELD = 1 << 10, 1 << 14
"""Lists of blocks that there is room for at first, and blocks in them."""

ORDERS = 40
"""More powers of two than lists have lengths."""


def make_state(
    scenario: Scenario,
    table: LatencyTable,
    demand: Demand,
    asks: AskSource,
    blocks: int,
    log_costs: bool,
    plan: Ints,
) -> records.State:
    """The state before anything has happened; `blocks` is the paged memory of a worker, or 0."""
    topology, workload = scenario.topology, scenario.workload
    clients = workload.clients if isinstance(workload, ClosedLoop) else 0
    room = max(ROOM, 1 << (2 * clients).bit_length())
    width = topology.prefill + 2 * topology.decode if log_costs else 0
    speeds = [1.0, *sorted({*topology.prefill_speed, *topology.decode_speed} - {1.0})]
    tables = [table if speed == 1.0 else scaled(table, speed) for speed in speeds]
    workers = partial(_workers, speeds)
    prefills = workers(records.PrefillWorker, topology.prefill, topology.prefill_speed)
    decodes = workers(records.DecodeWorker, topology.decode, topology.decode_speed)
    decodes["due"] = math.inf
    prefill_caches, to_prefill = _pool(scenario, asks, True, log_costs)
    decode_caches, to_decode = _pool(scenario, asks, False, log_costs)
    indexed = [to_prefill.rule.indexed] * len(prefills) + [to_decode.rule.indexed] * len(decodes)
    slots = min(COMPLETIONS, scenario.engine.decode.slots)
    return records.State(
        settings=_settings(scenario, table, demand, asks, blocks, clients, log_costs),
        progress=record(records.Progress),
        events=zeros(records.Entry, room),
        requests=zeros(records.Request, room),
        costs=np.zeros((room, width), np.float64),
        plan=plan,
        asks=no_asks(0),
        times=np.zeros(0),
        draws=np.zeros((len(STREAMS), 0)),
        draws_read=np.zeros(len(STREAMS), np.int64),
        next_asks=no_asks(max(1, clients)),
        blocks=asks.blocks,
        names=asks.names,
        service=make_service_times(tables),
        prefill_workers=prefills,
        decode_workers=decodes,
        completions=zeros(records.Entry, topology.decode, slots),
        to_prefill=to_prefill,
        to_decode=to_decode,
        prefill_caches=prefill_caches,
        decode_caches=decode_caches,
        **_paged_memory(scenario, len(asks.names), blocks, indexed, room),
    )


def _workers(speeds: list[float], kind: type[Record], count: int, given: Sequence[float]) -> Any:
    """Idle workers without requests."""
    workers = zeros(kind, count)
    workers["speed"] = [speeds.index(speed) for speed in given or [1.0] * count]
    for name, (layout, _) in workers.dtype.fields.items():
        if layout == dtype_of(records.LinkedList):
            workers[name]["first"] = workers[name]["last"] = NOBODY
    return workers


def _pool(
    scenario: Scenario, asks: AskSource, prefill: bool, log_costs: bool
) -> tuple[PrefixCaches, Dispatcher]:
    """A pool's caches and its dispatcher, which sees these or, if it hears late, others.

    Of paged memory, which has the workers' blocks, there is only what the dispatcher sees.
    """
    topology, router, cache = scenario.topology, scenario.router, scenario.engine.cache
    pool, workers = "prefill" if prefill else "decode", topology.decode
    own = topology.decode_cache
    if prefill:
        workers, own = topology.prefill, []
    indexed = cache.enabled and (prefill or router.decode_overlap)
    paged = scenario.engine.memory.paged
    if paged:
        indexed = indexed and router.policy != "round-robin"
    blocks = len(asks.names) if indexed else 0
    if paged:
        caches = seen = make_index(workers, blocks)
    else:
        tokens = asks.block_tokens
        hbm = [capacity // tokens for capacity in own or [cache.capacity_tokens] * workers]
        host = cache.host.capacity_tokens // tokens if prefill else 0
        caches = seen = make_caches(workers, blocks, hbm, host)
        if indexed and router.tracking.cache_lag > 0:
            seen = make_caches(workers, blocks, hbm, host)
    price_all = log_costs or scenario.controller is not None
    names = len(asks.names)
    to = make_dispatcher(router, prefill, workers, names, seen, indexed, price_all)
    known = speeds_known(scenario, pool, workers)
    to.views["speed"] = 1.0 if known is None else known
    return caches, to


def _paged_memory(
    scenario: Scenario, names: int, blocks: int, indexed: list[bool], requests: int
) -> dict[str, Any]:
    """The tables of paged memory, of workers without any if there is none."""
    workers = len(indexed) if blocks else 0
    pools = zeros(records.BlockPool, workers)
    pools["free"], pools["untouched"] = blocks, 1
    pools["indexed"] = indexed[:workers]
    size = scenario.engine.cache.block_tokens if blocks else 0
    return {
        "sequences": zeros(records.Sequence, requests if blocks else 1),
        "pools": pools,
        "phases": np.zeros((scenario.topology.decode, size), np.int64),
        "actions": zeros(records.Action, ACTIONS_OF_ONE * requests if blocks else 0),
        "memory": zeros(records.Block, workers, blocks + 1),
        "found": zeros(records.Found, workers, names),
        "own": np.zeros((workers, 1 << (2 * blocks).bit_length()), np.int64),
        "changed": np.zeros((workers, names * any(indexed)), np.int64),
        "lists": zeros(records.BlockList, LISTS if blocks else 0),
        "held": np.zeros(HELD if blocks else 0, np.int64),
        "spare_lists": np.zeros(ORDERS, np.int64),
    }


def _settings(
    scenario: Scenario,
    table: LatencyTable,
    demand: Demand,
    asks: AskSource,
    blocks: int,
    clients: int,
    log_costs: bool,
) -> records.Settings:
    engine, cache, host = scenario.engine, scenario.engine.cache, scenario.engine.cache.host
    each, size = scenario.model.kv_bytes_per_token, asks.block_tokens
    prompt, whole = (-(-tokens // size) for tokens in (demand.largest[0], sum(demand.largest)))
    return record(
        records.Settings,
        demand.extent,
        scenario.model,
        scenario.router.tracking,
        engine.prefill,
        engine.decode,
        engine.memory,
        cache,
        clients=clients,
        block_tokens=size,
        largest_batch=table.itl.batch[-1],
        last_context=table.itl.context[-1],
        log_costs=log_costs,
        caching=cache.enabled,
        tiered=cache.enabled and host.capacity_tokens > 0,
        serial=cache.onboarding == "serial",
        first_token=records.FIRST_TOKENS.index(engine.first_token),
        frontend_overhead=scenario.frontend.overhead,
        frontend_serial=scenario.frontend.serial,
        handoff_overhead=engine.handoff.overhead,
        handoff_bandwidth=engine.handoff.bandwidth or math.inf,
        fetch_latency=host.latency,
        fetch_seconds=size * each / host.bandwidth if host.bandwidth else 0.0,
        early=engine.memory.visible == "scheduled",
        numbered=scenario.router.policy == "two-choice-hashing",
        preempt=records.PREEMPT_RULES.index(engine.memory.preempt),
        most_preemptions=feasibility.MOST_PREEMPTIONS,
        memory_blocks=blocks,
        own_names=whole + 1,
        parts=demand.block_tokens // size,
        largest_lists=2 * (prompt + whole),  # their room is a power of two
    )
