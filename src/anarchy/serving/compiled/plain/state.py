"""The state at the beginning of a run, made from a scenario."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop
from anarchy.serving.compiled.core import records
from anarchy.serving.compiled.core.asks import AskSource, no_asks
from anarchy.serving.compiled.core.service_times import make_service_times
from anarchy.serving.compiled.core.tables import Ints, Memory, Record
from anarchy.serving.compiled.router.choices import STREAMS
from anarchy.serving.compiled.router.dispatch import make_dispatcher
from anarchy.serving.service_times.table import LatencyTable
from anarchy.serving.service_times.worker_speeds import scaled, speeds_known
from anarchy.workload.demand import Extent

ROOM = 1 << 12
"""Requests and events that there is room for at first; a power of two."""

COMPLETIONS = 16
"""Requests of a decode batch that there is room for at first."""


def make_state(
    memory: Memory,
    scenario: Scenario,
    table: LatencyTable,
    asks: AskSource,
    extent: Extent,
    log_costs: bool,
    plan: Ints,
    prefill: tuple[records.PrefixCaches, records.PrefixCaches, bool],
    decode: tuple[records.PrefixCaches, records.PrefixCaches, bool],
) -> records.State:
    """The state before anything has happened.

    Of each pool come its caches, what the router sees of them, and whether it looks.
    """
    topology, workload = scenario.topology, scenario.workload
    clients = workload.clients if isinstance(workload, ClosedLoop) else 0
    room = max(ROOM, 1 << (2 * clients).bit_length())
    width = topology.prefill + 2 * topology.decode if log_costs else 0
    speeds = [1.0, *sorted({*topology.prefill_speed, *topology.decode_speed} - {1.0})]

    def dispatcher(
        is_prefill: bool, seen: records.PrefixCaches, indexed: bool
    ) -> records.Dispatcher:
        workers, names = topology.prefill if is_prefill else topology.decode, len(asks.names)
        router, price_all = scenario.router, log_costs or scenario.controller is not None
        to = make_dispatcher(memory, router, is_prefill, workers, names, seen, indexed, price_all)
        known = speeds_known(scenario, "prefill" if is_prefill else "decode", workers)
        to.views["speed"] = 1.0 if known is None else known
        return to

    def workers(kind: type[Record], count: int, given: Sequence[float]) -> Any:
        pool = memory.table(kind, count)
        pool["speed"] = [speeds.index(speed) for speed in given or [1.0] * count]
        return pool

    prefills = workers(records.PrefillWorker, topology.prefill, topology.prefill_speed)
    decodes = workers(records.DecodeWorker, topology.decode, topology.decode_speed)
    prefills["queue_head"], decodes["due"] = records.NOBODY, math.inf
    return records.State(
        settings=_settings(memory, scenario, table, asks, extent, clients, log_costs),
        progress=memory.record(records.Progress),
        events=memory.table(records.Entry, room),
        requests=memory.table(records.Request, room),
        costs=memory.zeros(np.float64, room, width),
        plan=plan,
        asks=no_asks(0),
        arrival_times=np.zeros(0),
        think_times=np.zeros(0),
        draws=np.zeros((len(STREAMS), 0)),
        draws_read=np.zeros(len(STREAMS), np.int64),
        next_asks=no_asks(max(1, clients)),
        blocks=asks.blocks,
        names=asks.names,
        service=make_service_times(
            memory, [table if speed == 1.0 else scaled(table, speed) for speed in speeds]
        ),
        prefill_workers=prefills,
        decode_workers=decodes,
        completions=memory.table(
            records.Entry, topology.decode, min(COMPLETIONS, scenario.engine.decode.slots)
        ),
        to_prefill=dispatcher(True, *prefill[1:]),
        to_decode=dispatcher(False, *decode[1:]),
        prefill_caches=prefill[0],
        decode_caches=decode[0],
    )


def _settings(
    memory: Memory,
    scenario: Scenario,
    table: LatencyTable,
    asks: AskSource,
    extent: Extent,
    clients: int,
    log_costs: bool,
) -> records.Settings:
    engine, cache, host = scenario.engine, scenario.engine.cache, scenario.engine.cache.host
    each = scenario.model.kv_bytes_per_token
    return memory.record(
        records.Settings,
        warmup=extent.warmup,
        measured=extent.measured,
        clients=clients,
        replicas=scenario.router.tracking.replicas,
        batch_requests=engine.prefill.batch_requests,
        batch_tokens=engine.prefill.batch_tokens,
        block_tokens=asks.block_tokens,
        kv_bytes_per_token=each,
        slots=engine.decode.slots,
        largest_batch=table.itl.batch[-1],
        last_context=table.itl.context[-1],
        log_costs=log_costs,
        caching=cache.enabled,
        whole_blocks=cache.whole_blocks,
        tiered=cache.enabled and host.capacity_tokens > 0,
        serial=cache.onboarding == "serial",
        recompute=cache.recompute,
        step_is_first_token=engine.first_token == "decode-step",
        frontend_overhead=scenario.frontend.overhead,
        frontend_serial=scenario.frontend.serial,
        handoff_overhead=engine.handoff.overhead,
        handoff_bandwidth=engine.handoff.bandwidth or math.inf,
        fetch_latency=host.latency,
        fetch_seconds=asks.block_tokens * each / host.bandwidth if host.bandwidth else 0.0,
    )
