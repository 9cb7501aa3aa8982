"""The frontend: what it adds to a request, who waits in it, and what it does to a closed loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.config.scenario import Frontend, Scenario
from anarchy.serving.log.request_log import Run
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.frontend import FrontendProcess
from anarchy.serving.reference.core.request import Request
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import simulate
from tests.serving.conftest import changed

OVERHEAD = 0.04


def passed(arrivals: list[float], until: float, **fields: float) -> tuple[list[float], float]:
    """When each request is through, and how long the frontend was at work up to some time."""
    events, through = EventQueue(), [float("nan")] * len(arrivals)

    def deliver(request: Request) -> None:
        through[request.prompt] = events.now

    frontend = FrontendProcess(events, Frontend.model_validate(fields), deliver)
    busy = []
    clock = Request(0, 1, 1, (), 1)
    clock.callbacks = (lambda _: busy.append(frontend.busy_until(events.now)),)
    for number, time in enumerate(arrivals):
        request = Request(number, 1, 1, (), 1)
        request.callbacks = (frontend.receive,)
        events.at(time, request)
    events.at(until, clock)
    events.run()
    return through, busy[0]


times = st.lists(st.floats(0, 1), min_size=1, max_size=20).map(sorted)


@given(times, st.floats(0, 2))
def test_a_serial_frontend_is_a_queue(arrivals: list[float], until: float) -> None:
    """Lindley's recursion, and the time that it is at work by adding up its services."""
    through, busy = passed(arrivals, until, overhead=OVERHEAD, serial=True)
    begins, free = [], 0.0
    for arrival in arrivals:
        begins.append(max(arrival, free))
        free = begins[-1] + OVERHEAD
    np.testing.assert_allclose(through, np.array(begins) + OVERHEAD)
    at_work = np.clip(until - np.array(begins), 0, OVERHEAD).sum()
    assert busy == pytest.approx(at_work, abs=1e-9)


@given(times)
def test_requests_pass_side_by_side_otherwise(arrivals: list[float]) -> None:
    through, busy = passed(arrivals, 1.0, overhead=OVERHEAD)
    np.testing.assert_array_equal(through, np.array(arrivals) + OVERHEAD)
    assert busy == 0
    assert passed(arrivals, 1.0)[0] == arrivals


def run(scenario: Scenario, latency: Latency, clients: int, **fields: float) -> Run:
    values = {f"frontend__{name}": value for name, value in fields.items()}
    scenario = changed(scenario, workload__clients=clients, **values)
    return simulate(scenario, latency, seed=1, requests=600)


def test_latencies_count_from_before_it(published: Scenario, latency: Latency) -> None:
    """With one client nobody waits, so that all that it adds is its overhead."""
    without, behind = (run(published, latency, 1, overhead=o).log for o in (0.0, OVERHEAD))
    np.testing.assert_allclose(behind.ttft, without.ttft + OVERHEAD)
    np.testing.assert_allclose(behind.e2e, without.e2e + OVERHEAD)


def test_a_serial_one_bounds_throughput(published: Scenario, latency: Latency) -> None:
    saturated = run(published, latency, 128, overhead=OVERHEAD, serial=True)
    length = saturated.end - saturated.start
    assert saturated.frontend_busy == pytest.approx(length)
    assert saturated.measured.sum() / length == pytest.approx(1 / OVERHEAD, rel=0.01)
    delayed = run(published, latency, 128, overhead=OVERHEAD)
    assert delayed.measured.sum() / (delayed.end - delayed.start) > 2 / OVERHEAD
