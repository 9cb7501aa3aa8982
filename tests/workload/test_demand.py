"""What a workload asks of the system: how many requests, of which sizes, when they come."""

from itertools import islice

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.workload.demand import Demand, make_demand
from anarchy.workload.random_streams import split_streams, streams
from anarchy.workload.traces import TraceData

PUBLISHED = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
POISSON = {"kind": "poisson", "rate": 20.0, "input_tokens": 128, "output_tokens": 8}
TRACE = TraceData(
    np.array([0.0, 1.0, 5.0]), np.array([600, 100, 512]), np.array([4, 900, 4]), [()] * 3, 512
)


def scenario(**workload: object) -> Scenario:
    return with_fields(PUBLISHED, {"assumptions": {}, "workload": workload}, "test")


def demand(
    given: Scenario, trace: TraceData | None = None, seed: int = 1, unloaded: float = 2.0
) -> Demand:
    return make_demand(given, streams(seed, 0), 400, 3.0, trace, lambda *_: unloaded)


def test_clients_start_within_one_unloaded_cycle() -> None:
    found = demand(PUBLISHED)
    assert (found.extent.warmup, found.extent.measured) == (3 * 64, 400)
    assert len(found.starts) == 64
    assert 0 <= found.starts.min() < 0.2 < 1.8 < found.starts.max() < 2.0
    assert not list(found.arrivals)
    assert found.block_tokens == PUBLISHED.engine.cache.block_tokens


def test_an_open_workload_has_a_tenth_more_requests_for_its_warm_up() -> None:
    found = demand(scenario(**POISSON))
    assert (found.extent.warmup, found.extent.measured) == (40, 400)
    assert len(found.starts) == 0
    times = np.fromiter(islice(found.arrivals, 4000), float)
    assert (np.diff(times) >= 0).all()
    assert times[-1] == pytest.approx(200, rel=0.1)


def test_the_largest_request_is_the_longest_that_a_law_can_draw() -> None:
    law = {"kind": "quantiles", "levels": [0, 1], "values": [1, 3000]}
    assert demand(scenario(**POISSON)).largest == (128, 8)
    assert demand(scenario(**POISSON, input_lengths=law)).largest == (3000, 8)
    tenants = [
        POISSON | {"name": "a", "share": 1, "output_lengths": law},
        POISSON | {"name": "b", "share": 9, "input_tokens": 2000},
    ]
    for tenant in tenants:
        del tenant["kind"], tenant["rate"]
    assert demand(scenario(**POISSON, tenants=tenants)).largest == (128, 3000)


def test_a_trace_is_measured_whole_at_its_times_over_the_speed() -> None:
    found = demand(scenario(kind="trace", trace="x", speed=2.0), TRACE)
    assert (found.extent.warmup, found.extent.measured) == (0, 3)
    assert list(found.arrivals) == [0.0, 0.5, 2.5]
    assert found.largest == (100, 900)
    assert found.block_tokens == 512
    first = demand(scenario(kind="trace", trace="x", rows=1), TRACE)
    assert (first.extent.measured, list(first.arrivals), first.largest) == (1, [0.0], (600, 4))


def test_a_trace_that_is_not_there_or_too_short_is_refused() -> None:
    with pytest.raises(InputError, match=r"workload\.trace: the requests were not loaded"):
        demand(scenario(kind="trace", trace="x"))
    with pytest.raises(InputError, match=r"workload\.rows: 4 rows asked for, the trace has 3"):
        demand(scenario(kind="trace", trace="x", rows=4), TRACE)


def test_streams_of_what_is_asked_are_not_touched() -> None:
    """So that one set of streams serves the demand and the prompts."""
    generators, others = streams(1, 0), streams(1, 0)
    found = make_demand(scenario(**POISSON), generators, 400, 3.0, None, lambda *_: 2.0)
    list(islice(found.arrivals, 100))
    for name in generators.keys() - {"arrivals"}:
        assert generators[name].random() == others[name].random()


def test_a_single_tenant_has_the_streams_of_the_run() -> None:
    generators = streams(1, 0)
    assert split_streams(generators, 1) == [generators]
    parts = split_streams(generators, 3)
    assert len({part["prompts"].random() for part in parts}) == 3
