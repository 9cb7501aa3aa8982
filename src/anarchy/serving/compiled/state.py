"""The state at the beginning of a run, made from a scenario."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from anarchy.config.router import Router
from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop
from anarchy.serving.compiled.core import records, router_records
from anarchy.serving.compiled.core.asks import AskSource
from anarchy.serving.compiled.core.router_records import Dispatcher, PrefixCaches, Rule, TreeNode
from anarchy.serving.compiled.core.service_times import make_service_times
from anarchy.serving.compiled.core.tables import (
    NOBODY,
    Ints,
    Record,
    Table,
    dtype_of,
    record,
    zeros,
)
from anarchy.serving.compiled.kv_cache.prefix_cache import make_caches, make_index
from anarchy.serving.compiled.router import policies
from anarchy.serving.compiled.router.argmin_tree import make_tree
from anarchy.serving.compiled.router.choices import STREAMS
from anarchy.serving.compiled.router.worker_loads import RINGS
from anarchy.serving.rules import feasibility
from anarchy.serving.service_times.table import LatencyTable
from anarchy.serving.service_times.worker_speeds import scaled, speeds_known
from anarchy.workload.demand import Demand

ROOM = 1 << 12
"""Requests and events that there is room for at first; a power of two."""

COMPLETIONS = 16
"""Requests of a decode batch that there is room for at first."""

FEW = 16
"""Workers that are compared faster one by one than in a tree."""

UPDATES = 1 << 8
"""Updates that a router hears late that there is room for at first; a power of two."""

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
    names = len(asks.names)
    prefill_caches, seen, indexed = _caches(scenario, asks, prefill=True)
    to_prefill = _dispatcher(scenario, True, names, seen, indexed, log_costs)
    decode_caches, seen, indexed = _caches(scenario, asks, prefill=False)
    to_decode = _dispatcher(scenario, False, names, seen, indexed, log_costs)
    looked_at = [to_prefill.rule.indexed] * len(prefills) + [to_decode.rule.indexed] * len(decodes)
    slots = min(COMPLETIONS, scenario.engine.decode.slots)
    return records.State(
        settings=_settings(scenario, table, demand, asks, blocks, clients, log_costs),
        progress=record(records.Progress),
        events=zeros(records.Entry, room),
        requests=zeros(records.Request, room),
        costs=np.zeros((room, width), np.float64),
        plan=plan,
        asks=zeros(records.Ask, 0),
        times=np.zeros(0),
        draws=np.zeros((len(STREAMS), 0)),
        draws_read=np.zeros(len(STREAMS), np.int64),
        next_asks=zeros(records.Ask, max(1, clients)),
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
        **_paged_memory(scenario, names, blocks, looked_at, room),
    )


def _workers(speeds: list[float], kind: type[Record], count: int, given: Sequence[float]) -> Any:
    """Idle workers without requests."""
    workers = zeros(kind, count)
    workers["speed"] = [speeds.index(speed) for speed in given or [1.0] * count]
    for name, (layout, _) in workers.dtype.fields.items():
        if layout == dtype_of(records.LinkedList):
            workers[name]["first"] = workers[name]["last"] = NOBODY
    return workers


def _caches(
    scenario: Scenario, asks: AskSource, prefill: bool
) -> tuple[PrefixCaches, PrefixCaches, bool]:
    """The caches of a pool, what its router sees of them, and whether it looks.

    Of paged memory, which has the workers' blocks, there is only what the router sees.
    """
    topology, router, cache = scenario.topology, scenario.router, scenario.engine.cache
    workers = topology.prefill if prefill else topology.decode
    indexed = cache.enabled and (prefill or router.decode_overlap)
    if scenario.engine.memory.paged:
        indexed = indexed and router.policy != "round-robin"
        index = make_index(workers, len(asks.names) if indexed else 0)
        return index, index, indexed
    tokens, own = asks.block_tokens, [] if prefill else topology.decode_cache
    hbm = [capacity // tokens for capacity in own or [cache.capacity_tokens] * workers]
    host = cache.host.capacity_tokens // tokens if prefill else 0
    make = partial(make_caches, workers, len(asks.names) if indexed else 0, hbm, host)
    real, late = make(), indexed and router.tracking.cache_lag > 0
    return real, make() if late else real, indexed


def _dispatcher(
    scenario: Scenario, prefill: bool, names: int, seen: PrefixCaches, indexed: bool, costs: bool
) -> Dispatcher:
    """A pool's dispatcher; so many blocks have names, and costs of all workers may be logged."""
    router, replicas = scenario.router, scenario.router.tracking.replicas
    pool = "prefill" if prefill else "decode"
    workers = scenario.topology.prefill if prefill else scenario.topology.decode
    rule = policies.make_rule(router, prefill)
    rule.indexed = indexed
    rule.tie_stream = STREAMS.index(f"{pool}-ties")
    rule.softmax_stream = STREAMS.index(f"{pool}-softmax")
    if prefill and workers == 1:
        rule.cache_lag = 0.0  # nobody chooses, so nobody listens
    to = Dispatcher(
        rule=rule,
        views=zeros(router_records.View, workers),
        costs=np.zeros(workers),
        pair=np.zeros(2),
        turns=np.zeros(replicas, np.int64),
        loads=zeros(router_records.Load, replicas, workers),
        holds=np.zeros((replicas * workers, names if rule.distinct else 0), np.int64),
        placement=record(router_records.Update),
        rings=zeros(router_records.Ring, RINGS),
        updates=zeros(router_records.Update, RINGS, UPDATES),
        tree=_tree(router, rule, workers, costs or scenario.controller is not None),
        seen=seen,
    )
    known = speeds_known(scenario, pool, workers)
    to.views["speed"] = 1.0 if known is None else known
    return to


def _tree(router: Router, rule: Rule, workers: int, price_all: bool) -> Table[TreeNode]:
    """Where the least of many workers is found, empty if that would not do.

    `price_all` says that somebody wants to know what each worker costs, or that the way to decide
    may change.
    """
    rule.price_all = price_all or rule.policy not in policies.BLIND
    by_requests, rule.by_blocks = policies.compares(router, rule.is_prefill, rule.indexed)
    compared = not price_all and rule.immediate and (by_requests or rule.by_blocks)
    if not compared or workers < FEW:
        tree: Table[TreeNode] = zeros(TreeNode, 0)
        return tree
    rule.price_all = False
    return make_tree(workers)


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
