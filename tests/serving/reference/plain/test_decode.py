"""The decode worker equals a token-by-token simulation and keeps its promises."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.plain.decode import DecodeWorker
from anarchy.serving.service_times.lookup import Latency, load_latency
from tests.sandbox import inputs
from tests.serving.decode_by_tokens import Job, decode_by_tokens

TIME_TOLERANCE = 1e-9  # seconds; what the two may differ by through rounding of sums

TABLES = [
    "llama31-70b-fp8-tp4-b200-trtllm",
    "llama31-70b-fp8-tp4-b200-vllm",  # not monotone in the batch
]


def decode(jobs: list[Job], slots: int, latency: Latency) -> list[Request]:
    events = EventQueue()
    done: list[Request] = []
    worker = DecodeWorker(events, slots, latency, done.append, first_token_is_step=True)
    requests = []
    for job in jobs:
        request = Request(0, job.input_tokens, job.output_tokens, (), 1)
        request.callbacks = (worker.submit,)
        events.at(job.submitted, request)
        requests.append(request)
    events.run()
    assert len(done) == len(jobs), "a request was lost"
    return requests


def assert_equal_to_tokens(jobs: list[Job], slots: int, name: str) -> None:
    requests = decode(jobs, slots, load_latency(paths.ROOT / paths.LATENCY, name))
    decode_by_tokens(jobs, slots, load_latency(paths.ROOT / paths.LATENCY, name))
    for job, request in zip(jobs, requests, strict=True):
        assert abs(request.decode_start - job.start) < TIME_TOLERANCE
        assert abs(request.first_token - job.first_step) < TIME_TOLERANCE
        assert abs(request.done - job.done) < TIME_TOLERANCE


jobs_strategy = st.lists(
    st.builds(
        Job,
        submitted=st.floats(0, 3),
        input_tokens=st.sampled_from([1, 128, 900, 1020, 4000, 9000]) | st.integers(1, 5000),
        output_tokens=st.integers(1, 200),
    ),
    min_size=1,
    max_size=25,
).map(lambda jobs: sorted(jobs, key=lambda job: job.submitted))


@pytest.mark.random
@inputs(0.75)
@given(jobs=jobs_strategy, slots=st.sampled_from([1, 2, 7, 256]), name=st.sampled_from(TABLES))
def test_equals_token_by_token_simulation(jobs: list[Job], slots: int, name: str) -> None:
    assert_equal_to_tokens(jobs, slots, name)


def test_lone_request_takes_one_step_per_token() -> None:
    latency = load_latency(paths.ROOT / paths.LATENCY, TABLES[0])
    request = decode([Job(1.0, 128, 100)], 256, latency)[0]
    assert abs(request.done - (1.0 + 100 * latency.itl(1, 128))) < TIME_TOLERANCE
    assert request.decode_start == 1.0


def test_arrival_exactly_at_a_boundary_joins_there() -> None:
    latency = load_latency(paths.ROOT / paths.LATENCY, TABLES[0])
    boundary = 3 * latency.itl(1, 128)
    requests = decode([Job(0.0, 128, 10), Job(boundary, 128, 10)], 256, latency)
    assert requests[1].decode_start == boundary


def test_full_worker_keeps_arrivals_waiting_in_order() -> None:
    latency = load_latency(paths.ROOT / paths.LATENCY, TABLES[0])
    requests = decode([Job(0.001 * i, 128, 50) for i in range(4)], 1, latency)
    for earlier, later in pairwise(requests):
        assert later.decode_start == earlier.done


def test_simultaneous_arrivals_share_the_first_step() -> None:
    latency = load_latency(paths.ROOT / paths.LATENCY, TABLES[0])
    requests = decode([Job(0.0, 128, 5) for _ in range(3)], 256, latency)
    assert {request.decode_start for request in requests} == {0.0}
    assert abs(requests[0].done - 5 * latency.itl(3, 128)) < TIME_TOLERANCE


def test_context_that_crosses_the_flat_part() -> None:
    assert_equal_to_tokens([Job(0.0, 1000, 100), Job(0.0, 1001, 100)], 256, TABLES[0])
    assert_equal_to_tokens([Job(0.0, 4000, 300), Job(0.5, 3000, 300)], 256, TABLES[0])
