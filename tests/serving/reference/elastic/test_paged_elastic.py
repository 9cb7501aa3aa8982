"""Paged memory and workers that come and go: nothing is lost for good, no block stays behind.

Prefill steps take 100 ms, decode steps 8 ms, whatever is in them.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.serving.log.request_log import Run
from anarchy.serving.service_times.lookup import load_latency
from anarchy.workload.traces import TraceData
from tests.sandbox import inputs
from tests.serving.audit import audited
from tests.serving.conftest import changed
from tests.serving.reference.elastic.test_failures import outage
from tests.serving.reference.paged.test_system import ORACLE, Row, ids, ms
from tests.serving.reference.paged.test_system import run as undisturbed

LATENCY = load_latency(paths.ROOT / paths.LATENCY, ORACLE.model.latency)


def scenario(rows: list[Row], blocks: int = 1000, **fields: object) -> Scenario:
    """One worker of each kind with so many blocks of 64, unless other fields are given."""
    small: dict[str, object] = {"workload__rows": len(rows)}
    small["engine__cache__capacity_tokens"] = blocks * 64
    if "topology" not in fields:
        small |= {"topology__prefill": 1, "topology__decode": 1}
    return changed(ORACLE, **{**small, **fields})


def run(
    *rows: Row, times: list[float] | None = None, blocks: int = 1000, **fields: object
) -> tuple[Run, list[int]]:
    """The run, and the requests in the system at these times."""
    arrival, prompts, outputs, blocks_of = zip(*rows, strict=True)
    trace = TraceData(
        np.array(arrival) / 1000, np.array(prompts), np.array(outputs), list(blocks_of), 512
    )
    given = scenario(list(rows), blocks, **fields)
    return audited(given, LATENCY, times or [], seed=1, trace=trace)


def test_an_outage_after_the_end_changes_nothing() -> None:
    rows = [(40 * k, 700 + 64 * k, 30, ids(k % 3, 700 + 64 * k)) for k in range(20)]
    fields = {"topology__prefill": 2, "topology__decode": 2, "router__policy": "kv"}
    fields["engine__handoff__bandwidth"] = 1e9
    still = undisturbed(*rows, **fields)
    late, _ = run(*rows, **fields, outages=[outage("decode", 0, 1e6, 2e6)])
    for column in ("prefill_start", "prefill_end", "routed", "done", "cached_tokens"):
        assert np.array_equal(getattr(still, column), getattr(late.log, column)), column


# Where a request is when its worker fails, by hand: prefill, transfer (10.48576 ms a block at
# 1 GB/s), decode.


def test_a_prompt_in_prefill_begins_anew() -> None:
    found, _ = run((0, 64, 5, ids(1, 64)), outages=[outage("prefill", 0, 0.05, 0.07)])
    assert found.restarts == 1
    assert ms(found.log.prefill_start) == [70]
    assert ms(found.log.done) == [70 + 100 + 5 * 8]


@pytest.mark.parametrize("pool", ["prefill", "decode"])
def test_a_transfer_dies_with_either_end(pool: str) -> None:
    """The prompt is computed again: its cached block is lost, or its last token never is."""
    found, _ = run(
        (0, 64, 5, ids(1, 64)),
        engine__handoff__bandwidth=1e9,
        outages=[outage(pool, 0, 0.105, 0.106)],
    )
    start = {"prefill": 106, "decode": 105}[pool]
    assert found.restarts == 1
    assert ms(found.log.prefill_start) == [start]
    assert ms(found.log.done) == [start + 100 + 10.48576 + 5 * 8]


def test_what_decode_has_taken_over_outlives_its_prefill_worker() -> None:
    found, _ = run((0, 64, 5, ids(1, 64)), outages=[outage("prefill", 0, 0.101, 0.2)])
    assert found.restarts == 0
    assert ms(found.log.done) == [140]


def test_a_failure_comes_last_of_all_that_happens_at_its_moment() -> None:
    found, _ = run((100, 64, 5, ids(1, 64)), outages=[outage("prefill", 0, 0.1, 0.2)])
    assert found.restarts == 1, "it had just been sent there"
    assert ms(found.log.prefill_end) == [300]


def test_blocks_that_wait_for_the_end_of_a_step_go_with_their_worker() -> None:
    """Decode takes the first prompt over within a step of prefill, and then both workers fail."""
    found, _ = run(
        (0, 64, 60, ids(1, 64)),
        (50, 64, 60, ids(2, 64)),
        engine__handoff__bandwidth=1e9,
        outages=[outage("prefill", 0, 0.15, 0.155), outage("decode", 0, 0.16, 0.165)],
    )
    assert found.restarts == 2
    assert ms(found.log.prefill_end) == [355, 255]


def test_a_failed_decode_worker_takes_output_and_reservations_with_it() -> None:
    """Room for one request: it runs, and the next one waits for it, its prompt computed."""
    rows = [(0, 576, 20, ids(1, 576)), (0, 576, 20, ids(2, 576))]
    fields = {"engine__memory__preempt": "never"}
    found, _ = run(*rows, blocks=18, **fields, outages=[outage("decode", 0, 0.15, 0.16)])
    assert found.restarts == 2
    assert ms(found.log.prefill_start) == [150, 150]
    assert ms(found.log.decode_start) == [250, 250 + 20 * 8]


def test_a_request_with_room_reserved_gives_it_to_the_next() -> None:
    """Its prefill worker fails in its transfer: the other's prompt, which waited, has room."""
    rows = [(0, 512, 10, ids(1, 512)), (5, 512, 10, ids(2, 512))]
    fields = {"topology__prefill": 2, "engine__handoff__bandwidth": 1e9}
    transfer = 512 * 163840 / 1e6
    calm = undisturbed(*rows, blocks=12, **fields)
    assert ms(calm.decode_start)[1] == pytest.approx(100 + transfer + 10 * 8 + transfer)
    found, _ = run(*rows, blocks=12, **fields, outages=[outage("prefill", 0, 0.13, 9.0)])
    assert found.restarts == 1
    assert ms(found.log.decode_start)[1] == pytest.approx(130 + transfer)


def test_a_worker_returns_with_empty_memory() -> None:
    rows = [(400 * k, 1024, 1, (1, 2)) for k in range(4)]
    found, _ = run(*rows, outages=[outage("prefill", 0, 0.6, 0.7)])
    assert found.log.cached_tokens.tolist() == [0, 960, 0, 960]


def test_what_a_preempted_request_had_made_is_forgotten() -> None:
    """It names its output when it gives up its blocks; its next life begins with the prompt."""
    rows = [(0, 256, 100, ids(1, 256)), (0, 256, 100, ids(2, 256))]
    found, _ = run(*rows, blocks=10, outages=[outage("decode", 0, 0.75, 0.8)])
    assert found.restarts == 2
    steps = np.round((found.log.done - found.log.decode_start) / 0.008)
    assert (found.log.prefill_start >= 0.75).all()
    assert sorted(steps.tolist()) == [100, 135], "one of them is preempted once more"


def test_a_planner_keeps_no_run_alive_whose_requests_wait_for_each_other() -> None:
    rows = [(0, 192, 4, ids(8, 192))]
    rows += [(50, 448, 146, ids(9, 448)), (50, 384, 100, ids(5, 384)), (50, 576, 4, ids(8, 576))]
    for values in ({}, {"planner": {"rule": "load", "interval": 0.2}}):
        with pytest.raises(InputError, match="after 2 of 4 requests all others wait for memory"):
            (run if values else undisturbed)(*rows, blocks=14, hardware__gpus=2, **values)


# What holds whatever fails when.

ROWS = st.lists(
    st.builds(
        lambda gap, blocks, last, output, prefix: (gap, blocks * 64 + last, output, prefix),
        st.sampled_from([0, 1, 8, 50, 100]),
        st.integers(0, 20),
        st.integers(1, 64),
        st.integers(1, 80),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=25,
)
# Some failures at ends of steps, where things coincide.
MOMENTS = st.one_of(st.floats(0, 2), st.integers(0, 250).map(lambda steps: steps * 0.008))
FAILURES = st.lists(
    st.tuples(
        st.sampled_from(["prefill", "decode"]),
        st.integers(0, 2),
        MOMENTS,
        st.sampled_from([0.001, 0.1, 0.5]),
    ),
    max_size=8,
)


# A router that is told at once, and two replicas that hear late and count in another way.
TRACKING: list[dict[str, object]] = [
    {},
    {
        "replicas": 2,
        "event_lag": 0.02,
        "replica_lag": 0.01,
        "active_blocks": "distinct",
        "generated_blocks": True,
        "unregistered_penalty": True,
    },
]


def schedule(
    drawn: list[tuple[str, int, float, float]], sizes: dict[str, int]
) -> list[dict[str, object]]:
    """Outages that do not overlap on any worker."""
    free: dict[tuple[str, int], float] = {}
    found = []
    for pool, number, at, duration in sorted(drawn, key=lambda item: item[2]):
        worker = (pool, number % sizes[pool])
        if at >= free.get(worker, 0.0):
            free[worker] = at + duration
            found.append(outage(*worker, at, at + duration))
    return found


def served(drawn: list[tuple[int, int, int, int]]) -> list[Row]:
    time, rows = 0, []
    for gap, prompt, output, prefix in drawn:
        time += gap
        rows.append((time, prompt, output, ids(prefix, prompt)))
    return rows


@pytest.mark.random
@inputs(0.75)
@given(
    drawn=ROWS,
    failures=FAILURES,
    prefill=st.integers(1, 3),
    decode=st.integers(1, 3),
    blocks=st.sampled_from([24, 60, 300]),
    policy=st.sampled_from(["kv", "round-robin", "batch-assignment"]),
    bandwidth=st.sampled_from([None, 1e9]),
    preempt=st.sampled_from(["never", "last", "first"]),
    lag=st.sampled_from([0.0, 0.05]),
    tracking=st.sampled_from(TRACKING),
    speeds=st.booleans(),
    chunked=st.booleans(),
    planner=st.booleans(),
)
def test_conservation(
    drawn: list[tuple[int, int, int, int]],
    failures: list[tuple[str, int, float, float]],
    prefill: int,
    decode: int,
    blocks: int,
    policy: str,
    bandwidth: float | None,
    preempt: str,
    lag: float,
    tracking: dict[str, object],
    speeds: bool,
    chunked: bool,
    planner: bool,
) -> None:
    rows = served(drawn)
    fields: dict[str, object] = {
        "hardware__gpus": 8,
        "topology": {"prefill": prefill, "decode": decode},
        "router__policy": policy,
        "router__tracking": {"cache_lag": lag, **tracking},
        "router__decode_overlap": True,
        "engine__handoff__bandwidth": bandwidth,
        "engine__memory__preempt": preempt,
        "engine__prefill__chunked": chunked,
        "outages": schedule(failures, {"prefill": prefill, "decode": decode}),
    }
    if speeds:
        fields["topology"] = {"prefill": prefill, "decode": decode, "decode_speed": [0.5] * decode}
    if planner:
        fields["planner"] = {
            "rule": "load",
            "interval": 0.2,
            "sampling": 0.05,
            "startup": 0.1,
            "drain": 0.03,
            "queue_up": 0.5,
            "kv_down": 0.2,
        }
    elif not fields["outages"]:
        fields["outages"] = [outage("prefill", 0, 1e6, 2e6)]
    times = np.arange(0.0, 4.0, 0.0333)
    try:
        found, _ = run(*rows, times=times.tolist(), blocks=blocks, **fields)
    except InputError:  # with preemption all may come to wait for each other's memory
        if preempt == "never":
            raise
        return
    log = found.log
    assert len(log) == len(rows)
    steps = np.round((log.done - log.decode_start) / 0.008 * (0.5 if speeds else 1.0))
    if not (speeds and planner):  # a worker that the planner starts has its place's speed
        whole = steps == log.output_tokens if preempt == "never" else steps >= log.output_tokens
        assert whole.all(), "the last attempt is a whole one"
    order = ["arrival", "prefill_start", "prefill_end", "routed", "decode_start", "done"]
    for earlier, later in pairwise(order):
        assert (getattr(log, earlier) <= getattr(log, later) + 1e-9).all(), (earlier, later)
