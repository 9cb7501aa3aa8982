"""The clairvoyant assignment: by hand, and against routers that do not know what comes."""

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.measure.bracket.schedules.clairvoyant import clairvoyant_workers
from anarchy.measure.bracket.schedules.search import ROUTERS, schedules
from anarchy.measure.bracket.service_limits import ServiceLimits
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.table import LatencyTable
from anarchy.serving.service_times.table_files import load_table
from anarchy.serving.simulate import simulate
from anarchy.workload.traces import TraceData

BLOCK = 10


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    base = load_scenario(paths.ROOT / paths.SCENARIOS, "mooncake-8p8d")
    few = {"topology.prefill": 2, "topology.decode": 1, "engine.prefill.batch_requests": 1}
    return with_fields(base, few | {"assumptions": {}}, "test")


@pytest.fixture(scope="module")
def latency() -> Latency:
    """A millisecond a token."""
    table = load_table(paths.ROOT / paths.LATENCY, "fixed-100ms-8ms").model_dump()
    table["prefill"]["tokens"] = [1, 501, 1001]
    table["prefill"]["seconds"] = [0.001, 0.501, 1.001]
    return Latency(LatencyTable.model_validate(table))


def trace_of(arrival: list[float], tokens: list[int], blocks: list[tuple[int, ...]]) -> TraceData:
    outputs = np.ones(len(tokens), dtype=int)
    return TraceData(np.array(arrival), np.array(tokens), outputs, blocks, BLOCK)


def chosen(scenario: Scenario, latency: Latency, trace: TraceData) -> list[int]:
    log = simulate(scenario, latency, seed=1, trace=trace).log
    return clairvoyant_workers(ServiceLimits(scenario, latency, len(log)), log, trace).tolist()


def test_a_prompt_waits_for_its_prefix_only_if_that_pays(scenario, latency) -> None:
    """The second prompt would compute 100 of 500 tokens where it has to wait for 450 others."""
    cached, other = tuple(range(40)), tuple(range(100, 150))
    prompts = [cached, other, (*cached, *range(200, 210)), (*cached, *range(300, 310))]
    trace = trace_of([0.0, 0.0, 0.41, 0.42], [400, 500, 500, 500], prompts)
    assert chosen(scenario, latency, trace) == [0, 1, 0, 0]
    late = trace_of([0.0, 0.0, 0.0, 0.51], [400, 500, 900, 500], [cached, other, (), ()])
    assert chosen(scenario, latency, late) == [0, 1, 0, 1]


def test_who_takes_long_heeds_those_who_come(scenario, latency) -> None:
    """The third prompt's prefix is on worker 0, where it ends 40 ms later than on worker 1.

    Where it has to be computed it would keep the worker busy for those who come meanwhile.
    """
    prefix = tuple(range(30))
    prompts = [(*prefix, *range(40, 50)), tuple(range(100, 120)), prefix]
    alone = trace_of([0.0, 0.0, 0.01], [400, 90, 300], prompts)
    assert chosen(scenario, latency, alone)[2] == 1
    crowd = [0.01 + 0.001 * k for k in range(1, 9)]
    crowded = trace_of(
        [0.0, 0.0, 0.01, *crowd], [400, 90, 300, *[5] * 8], [*prompts, *[()] * len(crowd)]
    )
    assert chosen(scenario, latency, crowded)[2] == 0


def test_it_beats_the_routers_where_prefixes_are_shared(scenario, latency) -> None:
    rng = np.random.default_rng(4)
    count, families = 400, rng.integers(0, 12, 400)
    blocks = [tuple(range(100 * f, 100 * f + rng.integers(5, 30))) for f in families]
    tokens = [BLOCK * len(prompt) for prompt in blocks]
    trace = trace_of(np.cumsum(rng.exponential(0.03, count)).tolist(), tokens, blocks)
    changed = {"engine.cache.capacity_tokens": 1000, "topology.prefill": 3}
    tight = with_fields(scenario, changed, "test")
    logs = list(schedules(tight, latency, seed=1, trace=trace))
    assert logs[-1].ttft.mean() < min(log.ttft.mean() for log in logs[: len(ROUTERS)])
