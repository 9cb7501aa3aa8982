"""A run on the compiled kernel: it lays out the state, supplies what runs short, takes rows out."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from anarchy.common.garbage_collection import no_collection
from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop, Synthetic
from anarchy.serving.compiled.core import records
from anarchy.serving.compiled.core.arena import Arena
from anarchy.serving.compiled.core.event_queue import ORDERS
from anarchy.serving.compiled.core.records import CARD, COMPLETION, ROW, TIMES, Floats, Ints
from anarchy.serving.compiled.core.requests import Supply, SyntheticSupply, TraceSupply, take
from anarchy.serving.compiled.kv_cache.prefix_cache import more_runs
from anarchy.serving.compiled.plain.state import lay_rows, lay_state
from anarchy.serving.compiled.plain.system import advance, begin, read_meters
from anarchy.serving.compiled.router.worker_loads import room_for_news
from anarchy.serving.log.request_log import RequestLog, Run
from anarchy.serving.log.sinks import Memory, Sink
from anarchy.serving.reference.core.clients import Context, make_workload
from anarchy.serving.reference.core.event_queue import Clock
from anarchy.serving.reference.plain.system import unloaded_seconds
from anarchy.serving.service_times.lookup import Latency
from anarchy.workload.random_streams import streams
from anarchy.workload.traces import TraceData

CHUNK = 1 << 14
"""Requests, and half as many draws of each stream, that are supplied at a time; fewer if a run is
short."""

LEAST_CHUNK = 1 << 9

SPARE_EVENTS = 2**26
"""A run is refused when fewer events than this can still be counted."""


class CompiledSystem:
    """One run of a scenario that the kernel covers (see `coverage`)."""

    _loop = staticmethod(advance)
    _first_tokens: ClassVar = {
        "prefill": records.PREFILL_END,
        "handoff": records.ROUTED,
        "decode-step": records.FIRST_TOKEN,
    }

    def __init__(
        self,
        scenario: Scenario,
        latency: Latency,
        seed: int,
        replication: int,
        requests: int,
        warmup_cycles: float,
        trace: TraceData | None,
        costs: bool = True,
    ) -> None:
        """Arguments as those of `serving.system.System`; without `costs` the log has no columns of
        what the routers saw."""
        self._scenario = scenario
        self._table = latency.table
        self._costs = costs
        self._generators = streams(seed, replication)
        # The reference's own workload knows how much is measured, and when requests come.
        self._workload: Any = make_workload(
            Context(
                Clock(),
                _nothing,
                scenario,
                streams(seed, replication),
                requests,
                warmup_cycles,
                trace,
                lambda prompt, output: unloaded_seconds(scenario, latency, prompt, output),
            )
        )
        self._supply = self._make_supply(trace)
        workload = scenario.workload
        self._closed = isinstance(workload, ClosedLoop)
        self._think_time = workload.think_time if isinstance(workload, ClosedLoop) else 0.0
        extent = self._workload.extent
        total = extent.warmup + extent.measured
        self._chunk = min(max(LEAST_CHUNK, 1 << total.bit_length()), CHUNK)
        self._room: dict[int, int] = {}  # of the buffers that are filled up, by their field
        self._arena = self._lay_state()
        self._finished = False

    def _lay_state(self, more: int = 0) -> Arena:
        extent = self._workload.extent
        return lay_state(self._scenario, self._table, self._supply, extent, self._costs, more)

    @property
    def progress(self) -> tuple[int, int]:
        """Requests done, and how many have to be."""
        extent = self._workload.extent
        wanted = extent.warmup + extent.measured
        return wanted if self._finished else int(self._arena.ints[records.COMPLETIONS]), wanted

    def run(self) -> Run:
        """All of it, the log in memory."""
        memory = Memory()
        measures = self.stream(memory)
        return Run(log=memory.log(), measured=memory.measured(), **measures)

    def stream(self, sink: Sink) -> dict[str, Any]:
        """Run and give the rows to `sink` as they come out; the other fields of `log.Run`."""
        arena = self._arena
        self._refill()
        starts = self._workload.starts if self._closed else np.empty(0)
        with no_collection():
            begin(arena.ints, arena.reals, starts)
            while (short := self._loop(arena.ints, arena.reals)) != records.FINISHED:
                self._supply_more(short, sink)
        return self._finish(sink)

    # What runs short.

    def _supply_more(self, short: int, sink: Sink) -> None:
        arena, ints = self._arena, self._arena.ints
        if short == records.REFILL:
            self._refill()
        elif short == records.MORE_ROWS:
            self._make_room(sink)
        elif short == records.MORE_EVENTS:
            _double_events(arena)
        elif short == records.MORE_ENDS:
            _double_ends(arena)
        elif short == records.MORE_NEWS:
            for leg in (int(ints[records.TO_PREFILL]), int(ints[records.TO_DECODE])):
                room_for_news(arena, leg, self._chunk)
        elif short == records.MORE_RUNS:
            for cache in _caches(ints):
                more_runs(arena, cache)
        else:
            raise RuntimeError("the run stops although requests are to come")

    def _refill(self) -> None:
        """Supply requests, times and draws for `chunk` further moves of a request."""
        ints = self._arena.ints
        if ints[records.EVENTS_EVER] > ORDERS - SPARE_EVENTS:
            raise RuntimeError("the run has more events than the kernel can count")
        if ints[records.FUEL] > self._chunk // 2:  # one event needs more than that
            self._chunk *= 4
        self._refill_cards()
        if self._closed:
            self._refill_reals(records.THINKS, records.THINK_READ, self._chunk, self._next_thinks)
        else:
            # One more than cards, as the end of all arrivals is read too.
            self._refill_reals(records.DUES, records.DUE_READ, self._chunk + 1, self._next_dues)
        for stream, name in enumerate(records.STREAMS):
            record = int(self._arena.ints[records.DRAWS]) + stream * records.DRAW
            at, read = record + records.DRAW_AT, record + records.DRAW_READ
            self._refill_reals(at, read, 2 * self._chunk, self._generators[name].random)
        self._arena.ints[records.FUEL] = self._chunk

    def _next_thinks(self, count: int) -> Floats:
        return self._generators["think"].exponential(self._think_time, count)

    def _next_dues(self, count: int) -> Floats:
        return take(self._workload.arrivals, count)

    def _refill_cards(self) -> None:
        """Fill the buffer of cards up, if fewer than a chunk are left."""
        arena, room = self._arena, self._room.get(records.CARDS, 0)
        read = int(arena.ints[records.CARD_READ])
        if room - read >= self._chunk:
            return
        left = arena.view(records.CARDS, room, CARD)[read:].copy()
        if room < 2 * self._chunk:
            room = self._room[records.CARDS] = 2 * self._chunk
            arena.move(records.CARDS, np.zeros((room, CARD), np.int64))
        cards = arena.view(records.CARDS, room, CARD)
        cards[: len(left)] = left
        new = self._supply.cards(room - len(left))  # fewer where a trace ends
        cards[len(left) : len(left) + len(new)] = new
        arena.ints[records.CARD_READ] = 0

    def _refill_reals(
        self, at: int, read_at: int, least: int, draw: Callable[[int], Floats]
    ) -> None:
        """Fill a buffer of reals up, if fewer than `least` are left."""
        arena, room = self._arena, self._room.get(at, 0)
        read = int(arena.ints[read_at])
        if room - read >= least:
            return
        left = arena.real_view(at, room)[read:].copy()
        if room < 2 * least:
            room = self._room[at] = 2 * least
            arena.move_reals(at, np.zeros(room))
        buffer = arena.real_view(at, room)
        buffer[: len(left)] = left
        buffer[len(left) :] = draw(room - len(left))
        arena.ints[read_at] = 0

    # What comes out.

    def _make_room(self, sink: Sink) -> None:
        """Let finished rows go; if few are, make the ring larger."""
        arena = self._arena
        first = int(arena.ints[records.FIRST_ROW])
        self._emit(sink, self._first_open())
        size = int(arena.ints[records.ROW_MASK]) + 1
        if arena.ints[records.FIRST_ROW] - first >= size // 2:
            return
        numbers = np.arange(arena.ints[records.FIRST_ROW], arena.ints[records.ARRIVED])
        lay_rows(arena, *(in_ring(part, numbers, 2 * size) for part in self._rows()))

    def _rows(self) -> tuple[Ints, Floats, Floats]:
        """The ring of rows: integers, times, and what the routers saw."""
        arena, topology = self._arena, self._scenario.topology
        size = int(arena.ints[records.ROW_MASK]) + 1
        width = topology.prefill + 2 * topology.decode if self._costs else 0
        return (
            arena.view(records.ROWS, size, ROW),
            arena.real_view(records.ROW_TIMES, size, TIMES),
            arena.real_view(records.ROW_COSTS, size, width),
        )

    def _first_open(self) -> int:
        """The number of the first request that is not done."""
        ints = self._rows()[0]
        first, arrived = self._arena.ints[records.FIRST_ROW], self._arena.ints[records.ARRIVED]
        done = np.concatenate([ints[part, COMPLETION] for part in self._parts(arrived)]) > 0
        return int(arrived if done.all() else first + np.argmin(done))

    def _parts(self, upto: int) -> list[slice]:
        """Where the rows before number `upto` lie in the ring."""
        first, mask = self._arena.ints[records.FIRST_ROW], self._arena.ints[records.ROW_MASK]
        start, count = int(first & mask), int(upto - first)
        end = min(start + count, int(mask) + 1)
        return [slice(start, end), slice(0, count - (end - start))]

    def _emit(self, sink: Sink, upto: int) -> None:
        """Hand over the rows before number `upto` that are done."""
        parts = self._parts(upto)
        self._arena.ints[records.FIRST_ROW] = upto
        for part in parts:
            rows = self._rows()
            ints, times, costs = rows[0][part], rows[1][part], rows[2][part]
            done = ints[:, COMPLETION] > 0
            if not done.all():
                ints, times, costs = ints[done], times[done], costs[done]
            if len(ints):
                measured = ints[:, COMPLETION] > self._workload.extent.warmup
                sink.take(self._log(ints, times, costs), measured)

    def _log(self, ints: Ints, times: Floats, costs: Floats) -> RequestLog:
        topology = self._scenario.topology
        prefill, decode = (topology.prefill, topology.decode) if self._costs else (0, 0)
        first_token = self._first_tokens[self._scenario.engine.first_token]
        ints, times = ints.T.copy(), times.T.copy()
        return RequestLog(
            arrival=times[records.ARRIVAL],
            prefill_start=times[records.PREFILL_START],
            prefill_end=times[records.PREFILL_END],
            routed=times[records.ROUTED],
            first_token=times[first_token],
            decode_start=times[records.DECODE_START],
            done=times[records.DONE],
            prefill_worker=ints[records.PREFILL_WORKER],
            decode_worker=ints[records.DECODE_WORKER],
            prompt=ints[records.PROMPT],
            tenant=ints[records.TENANT],
            input_tokens=ints[records.INPUT],
            output_tokens=ints[records.OUTPUT],
            cached_tokens=ints[records.CACHED],
            prefill_cost=costs[:, :prefill].copy(),
            decode_cost=costs[:, prefill : prefill + decode].copy(),
            decode_active=costs[:, prefill + decode :].copy(),
            cached_by_tier=_by_tier(ints) if self._arena.ints[records.TIERED] else None,
        )

    def _finish(self, sink: Sink) -> dict[str, Any]:
        arena = self._arena
        before = self._meters()
        read_meters(arena.ints, arena.reals)
        after = self._meters()
        self._emit(sink, int(arena.ints[records.ARRIVED]))
        self._finished = True
        arena.release()
        totals = {name: after[name] - before[name] for name in before if name != "time"}
        return {
            "start": before["time"],
            "end": after["time"],
            **totals,
            "table_context": self._table.itl.context[-1],
        }

    def _meters(self) -> dict[str, Any]:
        """The last reading of the running totals."""
        arena, topology = self._arena, self._scenario.topology
        meters = arena.real_view(records.METERS, 2 * topology.prefill + topology.decode).copy()
        busy, work, decode = np.split(meters, [topology.prefill, 2 * topology.prefill])
        return {
            "time": float(arena.reals[records.METERS_TIME]),
            "prefill_busy": busy,
            "prefill_work": work,
            "decode_busy": decode,
            "extrapolated": int(arena.ints[records.METERS_BEYOND]),
        }

    def _make_supply(self, trace: TraceData | None) -> Supply:
        workload, tokens = self._scenario.workload, self._workload.block_tokens
        if isinstance(workload, Synthetic):
            return SyntheticSupply(workload, tokens, self._generators)
        assert trace is not None  # the workload has refused it otherwise
        return TraceSupply(trace, self._workload.extent.measured, tokens)


def _nothing(_: Any) -> None:
    """The compiled system has no use for single requests."""


def _caches(ints: Ints) -> set[int]:
    """The addresses of all caches."""
    real = {int(ints[field]) for field in (records.PREFILL_CACHE, records.DECODE_CACHE)}
    legs = (records.TO_PREFILL, records.TO_DECODE)
    return real | {int(ints[ints[leg] + records.SEEN]) for leg in legs}


def _by_tier(rows: Ints) -> Ints:
    """Cached tokens in G1 to G4, of which the kernel has the first two; n x 4."""
    fetched = rows[records.FETCHED]
    nothing = np.zeros_like(fetched)
    return np.stack([rows[records.CACHED] - fetched, fetched, nothing, nothing], axis=1)


def in_ring(values: Any, numbers: Ints, size: int) -> Any:
    """The rows of some requests in a larger ring."""
    grown = np.zeros((size, values.shape[1]), values.dtype)
    grown[numbers & (size - 1)] = values[numbers & (len(values) - 1)]
    return grown


def _double_events(arena: Arena) -> None:
    room = int(arena.ints[records.EVENTS_ROOM])
    keys = arena.view(records.EVENT_KEYS, 2 * room)
    times = arena.real_view(records.EVENT_TIMES, room)
    arena.move(records.EVENT_KEYS, np.append(keys, np.zeros(2 * room, np.int64)))
    arena.move_reals(records.EVENT_TIMES, np.append(times, np.zeros(room)))
    arena.ints[records.EVENTS_ROOM] = 2 * room


def _double_ends(arena: Arena) -> None:
    workers, room = int(arena.ints[records.DECODE_COUNT]), int(arena.ints[records.ENDS_ROOM])
    ends = arena.view(records.ENDS, workers, room, records.END)
    arena.move(records.ENDS, np.concatenate([ends, np.zeros_like(ends)], axis=1))
    arena.ints[records.ENDS_ROOM] = 2 * room
