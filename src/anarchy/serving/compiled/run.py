"""A run on the compiled kernel: makes its state, supplies what runs short, takes requests out."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, get_type_hints

import numpy as np

from anarchy.common.garbage_collection import gc_paused
from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop, Synthetic
from anarchy.control.controller import ControlLoop
from anarchy.serving.compiled.core import records
from anarchy.serving.compiled.core.asks import AskSource, SyntheticAsks, TraceAsks, take
from anarchy.serving.compiled.core.event_queue import SCHEDULED
from anarchy.serving.compiled.core.records import Request
from anarchy.serving.compiled.core.requests import first_open, in_longer, parts
from anarchy.serving.compiled.core.tables import Floats, Ints, Table, longer, raw
from anarchy.serving.compiled.kv_cache.prefix_cache import release
from anarchy.serving.compiled.paged.system import advance_paged
from anarchy.serving.compiled.pauses import Pauses, idle_clients, tell
from anarchy.serving.compiled.plain.system import advance, begin, read_totals
from anarchy.serving.compiled.router.choices import STREAMS
from anarchy.serving.compiled.router.worker_loads import with_room
from anarchy.serving.compiled.state import make_state
from anarchy.serving.log import sinks
from anarchy.serving.log.request_log import LoggedRequest, RequestLog, Run
from anarchy.serving.rules.feasibility import (
    all_wait,
    blocks_of_memory,
    check_backlog,
    check_done,
    ends_early,
    thrashing,
)
from anarchy.serving.rules.plan import NO_PLAN
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.unloaded import unloaded_seconds, unloaded_ttft
from anarchy.workload.demand import make_demand
from anarchy.workload.random_streams import streams
from anarchy.workload.traces import TraceData

CHUNK = 1 << 13
"""Requests, and half as many draws, that are supplied at a time; fewer if a run is short."""

LEAST_CHUNK = 1 << 9

SPARE_EVENTS = 2**26
"""A run is refused when fewer events than this can still be counted."""

COLUMNS = tuple(get_type_hints(LoggedRequest))
"""Fields of requests that are columns of the log."""


class CompiledSystem:
    """One run of a scenario that the kernel covers (see `coverage`)."""

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
        plan: Ints = NO_PLAN,
    ) -> None:
        """Arguments as those of `simulate`; without `costs` the log has no columns of what the
        routers saw."""
        self._scenario = scenario
        self._table = latency.table
        self._costs = costs
        self._generators = streams(seed, replication)
        self._demand = make_demand(
            scenario,
            self._generators,
            requests,
            warmup_cycles,
            trace,
            lambda prompt, output: unloaded_seconds(scenario, latency, prompt, output),
        )
        self._paged = scenario.engine.memory.paged
        blocks = blocks_of_memory(scenario, self._demand) if self._paged else 0
        self._asks = self._make_asks(trace)
        self._times = partial(take, self._demand.arrivals)
        if isinstance(scenario.workload, ClosedLoop):
            thinks = self._generators["think"]
            self._times = partial(thinks.exponential, scenario.workload.think_time)
        self._wanted = self._demand.extent.warmup + self._demand.extent.measured
        self._chunk = min(max(LEAST_CHUNK, 1 << self._wanted.bit_length()), CHUNK)
        self._state = make_state(
            scenario,
            self._table,
            self._demand,
            self._asks,
            blocks,
            costs,
            np.ascontiguousarray(plan),
        )
        self._pauses = Pauses(self._demand, self._make_loop(latency))
        self._finished = False

    def _make_asks(self, trace: TraceData | None) -> AskSource:
        """What the requests ask.

        With paged memory a trace's blocks are cut into the engine's. What the name of a block is
        makes no difference to most policies; those who look at them are told the reference's, in
        order of arrival.
        """
        workload, tokens = self._scenario.workload, self._demand.block_tokens
        asks: AskSource
        if isinstance(workload, Synthetic):
            asks = SyntheticAsks(workload, tokens, self._generators)
        else:
            assert trace is not None  # the demand has refused it otherwise
            engine_tokens = self._scenario.engine.cache.block_tokens if self._paged else None
            asks = TraceAsks(trace, self._demand.extent.measured, tokens, engine_tokens)
        if self._paged:
            asks.names = np.full(len(asks.names), records.UNNUMBERED)
        return asks

    def _make_loop(self, latency: Latency) -> ControlLoop | None:
        scenario = self._scenario
        if scenario.controller is None:
            return None
        prompt, _ = self._demand.typical or self._demand.largest
        return ControlLoop(scenario.controller, unloaded_ttft(scenario, latency, prompt))

    @property
    def progress(self) -> tuple[int, int]:
        """Requests done, and how many have to be; milliseconds where time ends the run."""
        progress = self._state.progress
        if self._demand.until < math.inf:
            end = int(1000 * self._demand.until)
            return end if self._finished else int(1000 * progress.now), end
        return (self._wanted if self._finished else int(progress.completions)), self._wanted

    def run(self) -> Run:
        """All of it, the log in memory."""
        memory = sinks.Memory()
        measures = self.stream(memory)
        return Run(log=memory.log(), measured=memory.measured(), **measures)

    def stream(self, sink: sinks.Sink) -> dict[str, Any]:
        """Run and give the rows to `sink` as they come out; the other fields of `log.Run`."""
        with gc_paused():
            self._begin()
            while (short := self._advance()) != records.FINISHED:
                if short != records.PAUSED:
                    self._supply_more(short, sink)
                elif self._ends_here():
                    break
        return self._finish(sink)

    def _begin(self) -> None:
        """Every client of a closed loop asks at once."""
        starts, progress = self._demand.starts, self._state.progress
        progress.clients = len(starts)
        progress.pause_at = self._pauses.next
        loop = self._pauses.loop
        if loop is not None and not loop.settings.dry_run:
            tell(self._state, loop.start)
        self._refill_asks(len(starts))
        self._refill()
        begin(self._state, np.arange(len(starts)), starts)
        self._refill()

    def _join(self, clients: Ints, starts: Floats) -> None:
        """More clients ask, without what was supplied for the others."""
        self._refill_asks(int(self._state.progress.lookahead) + len(clients))
        while self._state.progress.events + len(clients) > len(self._state.events):
            self._state = self._state._replace(events=longer(self._state.events))
        begin(self._state, clients, starts)

    def _ends_here(self) -> bool:
        """Do what is due at a pause; whether the run ends with it."""
        progress = self._state.progress
        now = float(progress.pause_at)
        self._pauses.poll(self._state)
        step = self._pauses.step_due(now)
        if step is not None:
            new = np.arange(step.clients - len(step.starts), step.clients)
            idle = idle_clients(self._state, new)
            progress.clients = step.clients
            self._join(new[idle], step.starts[idle])
        if self._pauses.until <= now:
            progress.now = now
            return True
        progress.pause_at = self._pauses.next
        return False

    def _advance(self) -> int:
        short = advance_paged(self._state) if self._paged else advance(self._state)
        return records.THRASHES if self._state.progress.thrashes else short

    # What runs short.

    def _supply_more(self, short: int, sink: sinks.Sink) -> None:
        state = self._state
        if short == records.REFILL:
            if state.progress.lookahead > self._chunk // 2:  # one event needs more than that
                self._chunk *= 4
            self._refill()
        elif short == records.GROW_REQUESTS:
            self._grow_requests(sink)
        elif short == records.GROW_EVENTS:
            self._state = state._replace(events=longer(state.events))
        elif short == records.GROW_COMPLETIONS:
            self._state = state._replace(completions=longer(state.completions, axis=1))
        elif short == records.GROW_UPDATES:
            self._state = state._replace(
                to_prefill=with_room(state.to_prefill), to_decode=with_room(state.to_decode)
            )
        elif short == records.GROW_LISTS:
            room = 2 * len(state.held) + state.settings.largest_lists
            self._state = state._replace(lists=longer(state.lists), held=longer(state.held, room))
        elif short == records.THRASHES:
            raise thrashing()
        else:
            raise all_wait(*self.progress) if self._paged else ends_early(*self.progress)

    def _refill(self) -> None:
        """Supply requests, times and draws for `chunk` further moves of a request."""
        progress = self._state.progress
        if self._demand.endless:
            check_backlog(int(progress.arrived), int(progress.completions), self._wanted)
        if progress.events_ever > SCHEDULED - SPARE_EVENTS:
            raise RuntimeError("the run has more events than the kernel can count")
        self._refill_asks(self._chunk)
        self._fill("times", "times_read", self._chunk + 1, self._times)  # the end is read, too
        self._refill_draws()
        progress.lookahead = self._chunk

    def _refill_asks(self, least: int) -> None:
        self._fill("asks", "asks_read", least, self._asks.next)

    def _fill(self, name: str, read: str, least: int, supply: Callable[[int], Any]) -> None:
        """Fill a buffer up of which fewer than `least` entries are left to read."""
        values, place = getattr(self._state, name), getattr(self._state.progress, read)
        left = len(values) - place
        if left >= least:
            return
        rest = raw(values)[place:].copy()
        if len(values) < 2 * least:
            values = longer(values, 2 * least)
        new: Any = supply(len(values) - left)
        raw(values)[:left] = rest
        raw(values)[left : left + len(new)] = raw(new)  # fewer where a trace ends
        setattr(self._state.progress, read, 0)
        self._state = self._state._replace(**{name: values})

    def _refill_draws(self) -> None:
        state, least = self._state, 2 * self._chunk
        draws, old = state.draws, state.draws
        if draws.shape[1] < 2 * least:
            draws = np.empty((len(STREAMS), 2 * least))
        for row, name in enumerate(STREAMS):
            rest = old[row, state.draws_read[row] :]
            if draws is not old or len(rest) < least:
                rest = rest.copy()
                draws[row, : len(rest)] = rest
                draws[row, len(rest) :] = self._generators[name].random(draws.shape[1] - len(rest))
                state.draws_read[row] = 0
        self._state = state._replace(draws=draws)

    # What comes out.

    def _grow_requests(self, sink: sinks.Sink) -> None:
        """Let requests go that are done; if few are, make the ring longer."""
        state, first = self._state, self._state.progress.first_request
        self._emit(sink, first_open(state))
        length, progress = len(state.requests), state.progress
        if progress.first_request - first < length // 2:
            place = (int(progress.first_request), int(progress.arrived), 2 * length)
            self._state = state._replace(
                requests=in_longer(state.requests, *place),
                costs=in_longer(state.costs, *place),
                sequences=in_longer(state.sequences, *place) if self._paged else state.sequences,
                actions=longer(state.actions),
            )

    def _emit(self, sink: sinks.Sink, end: int) -> None:
        """Hand over the requests before number `end` that are done."""
        state = self._state
        first, state.progress.first_request = int(state.progress.first_request), end
        for part in parts(len(state.requests), first, end):
            requests, costs = state.requests[part], state.costs[part]
            self._pauses.leave(requests)
            done = requests["completion"] > 0
            if not done.all():
                requests, costs = requests[done], costs[done]
            if len(requests):
                measured = requests["completion"] > state.settings.warmup
                sink.take(self._log(requests, costs), measured)

    def _log(self, requests: Table[Request], costs: Floats) -> RequestLog:
        fields = np.asarray(requests)
        columns = {name: fields[name].copy() for name in COLUMNS}
        topology = self._scenario.topology
        prefill, decode = (topology.prefill, topology.decode) if self._costs else (0, 0)
        return RequestLog(
            **columns,
            prefill_cost=costs[:, :prefill].copy(),
            decode_cost=costs[:, prefill : prefill + decode].copy(),
            decode_active=costs[:, prefill + decode :].copy(),
            cached_by_tier=_by_tier(requests) if self._state.settings.tiered else None,
        )

    def _finish(self, sink: sinks.Sink) -> dict[str, Any]:
        check_done(int(self._state.progress.completions), float(self._state.progress.now))
        before = self._totals()
        read_totals(self._state)
        after = self._totals()
        self._emit(sink, int(self._state.progress.arrived))
        release(self._state.prefill_caches)
        self._finished = True
        totals = {name: after[name] - before[name] for name in before if name != "time"}
        return {
            "start": before["time"],
            "end": after["time"],
            **totals,
            "table_context": self._table.itl.context[-1],
            "control": self._pauses.history(self._scenario.router),
        }

    def _totals(self) -> dict[str, Any]:
        """The last reading of what the workers have done."""
        state = self._state
        return {
            "time": float(state.progress.read_at),
            "frontend_busy": float(state.progress.frontend_read),
            "prefill_busy": state.prefill_workers["busy_read"].copy(),
            "prefill_work": state.prefill_workers["work_read"].copy(),
            "decode_busy": state.decode_workers["busy_read"].copy(),
            "extrapolated": int(state.progress.beyond_read),
        }


def _by_tier(requests: Table[Request]) -> Ints:
    """Cached tokens in G1 to G4, of which the kernel has the first two; n x 4."""
    fetched = requests["fetched_tokens"]
    nothing = np.zeros_like(fetched)
    return np.stack([requests["cached_tokens"] - fetched, fetched, nothing, nothing], axis=1)
