"""Schedules of the requests of a log, whoever has served them.

A closed loop is run again from its draws. Where arrivals heed no completion the log itself says who
came when; which prompts begin alike its templates or its trace have to say.
"""

from collections.abc import Iterator

import numpy as np

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.workload import ClosedLoop, Prompts, Synthetic
from anarchy.measure.bracket.requests import check_recorded
from anarchy.measure.bracket.schedules.search import schedules
from anarchy.serving.log.request_log import RequestLog
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import Options
from anarchy.workload.traces import TraceData


class NothingToSearch(InputError):
    """Why no schedules of a log's requests can be replayed."""


def schedules_of(
    log: RequestLog,
    scenario: Scenario,
    latency: Latency,
    *,
    seed: int,
    replays: int,
    trace: TraceData | None = None,
) -> Iterator[RequestLog]:
    """As `search.schedules`, for the requests of a log of a whole run.

    `seed` is the run's, `trace` that of a recorded workload. Raises NothingToSearch before the
    first, and InputError for a log whose requests are not the trace's.
    """
    if scenario.topology.prefill == scenario.topology.decode == 1:
        raise NothingToSearch("there is one worker a pool, so all schedules are this one")
    if isinstance(scenario.workload, ClosedLoop):
        whole: Options = {"requests": len(log), "warmup_cycles": 0.0}
        return schedules(scenario, latency, seed=seed, replays=replays, **whole)
    replayed = with_fields(scenario, {"workload": {"kind": "trace", "trace": "log"}}, "bracket")
    requests = recorded(log, scenario, trace)
    return schedules(replayed, latency, seed=seed, replays=replays, trace=requests)


def recorded(log: RequestLog, scenario: Scenario, trace: TraceData | None) -> TraceData:
    """The requests of a log as the rows of a trace, with the blocks of their prompts."""
    cache = scenario.engine.cache
    blocks: list[tuple[int, ...]] = [()] * len(log)
    size: int | None = None
    if cache.enabled and isinstance(scenario.workload, Synthetic):
        size, blocks = cache.block_tokens, _template_blocks(log, scenario)
    elif cache.enabled and trace is None:
        raise NothingToSearch("which prompts begin alike is known from the scenario's trace alone")
    elif trace is not None:
        check_recorded(log, trace)
        size, blocks = trace.block_tokens, [trace.blocks[row] for row in log.prompt.tolist()]
    return TraceData(log.arrival, log.input_tokens, log.output_tokens, blocks, size)


def _template_blocks(log: RequestLog, scenario: Scenario) -> list[tuple[int, ...]]:
    """The whole blocks of each prompt: its template's, then some that nobody else has."""
    size = scenario.engine.cache.block_tokens
    assert isinstance(scenario.workload, Synthetic)
    parts: list[Prompts] = [*scenario.tenants] or [scenario.workload]
    most = [part.input_tokens // size for part in parts]
    firsts = np.cumsum([0, *(part.templates * k for part, k in zip(parts, most, strict=True))])
    fresh, blocks = int(firsts[-1]), []
    rows = zip(log.tenant.tolist(), log.prompt.tolist(), log.input_tokens.tolist(), strict=True)
    for tenant, template, tokens in rows:
        first, whole = int(firsts[tenant]) + template * most[tenant], tokens // size
        own = max(0, whole - most[tenant])
        shared = range(first, first + min(whole, most[tenant]))
        blocks.append((*shared, *range(fresh, fresh + own)))
        fresh += own
    return blocks
