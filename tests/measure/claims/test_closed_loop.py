"""What the identity of a closed loop says, on systems whose answer is known."""

from typing import Any

import pytest

from anarchy.common import paths
from anarchy.config.claims.ledger import Ledger
from anarchy.config.scenario import with_fields
from anarchy.config.settings import load_scenario
from anarchy.config.validation import validate
from anarchy.measure.claims.closed_loop import Load, Sweep, loads, pair_rows
from anarchy.measure.claims.deployments import sweep_of
from anarchy.serving.service_times.lookup import load_service_times
from anarchy.serving.simulate import simulate

CLAIM = {"text": "t", "published": "p", "mark": "A", "where": "sec:x", "open": "o"}
LOAD = Load(100, 50.0, 0.5, 0.6, 1.9)  # 100 / 50 = 0.1 of thinking and 1.9 of service
SWEEP = Sweep("s", [Load(1, 0.9, 0.02, 0.03, 1.0), LOAD], lambda clients: 0.028 * clients, 0.1)


def ledger(**changes: tuple[str, float]) -> Ledger:
    claims = []
    for name, (quantity, ratio) in changes.items():
        scenario = None if quantity == "throughput" else "s"
        change = {"quantity": quantity, "ratio": ratio, "scenario": scenario, "clients": [100]}
        claims.append({"id": name, **CLAIM, "change": change})
    return validate(Ledger, {"claims": claims}, "claims.yaml")


def pair(**changes: tuple[str, float]) -> dict[str, Any]:
    (row,) = pair_rows(ledger(**changes), {"s": SWEEP})
    return row


def test_unchanged_throughput_turns_ttft_into_decode_time() -> None:
    row = pair(C09=("throughput", 1.0), C13=("ttft-mean", 0.2))
    assert row["id"] == "C09+C13"
    assert row["first_token"] == pytest.approx(0.1)
    assert row["value"] == pytest.approx(1.8 / 1.4)
    assert row["most"] == pytest.approx(2.8 / 1.4)
    assert row["possible"]


def test_less_throughput_needs_longer_requests() -> None:
    row = pair(C12=("throughput", 0.5), C13=("ttft-mean", 1.0))
    assert row["value"] == pytest.approx((4.0 - 0.1 - 0.5) / 1.4)
    assert not row["possible"]  # decode can take 2.8 s at most


def test_no_router_makes_ttft_shorter_than_that_of_nobody_waiting() -> None:
    row = pair(C09=("throughput", 1.0), C13=("ttft-mean", 0.03))
    assert row["value"] < row["most"]
    assert row["first_token"] < row["unloaded"]
    assert not row["possible"]


def test_a_tail_bounds_the_mean() -> None:
    row = pair(C09=("throughput", 1.0), C15=("ttft-p99", 0.5))
    assert row["first_token"] == pytest.approx(0.99 * 0.3 + 0.01 * 2.5)


def test_an_index_of_latencies_cannot_fall_with_throughput() -> None:
    row = pair(C12=("throughput", 0.87), C11=("index", 0.324))
    assert row["value"] == pytest.approx(1 / 0.87 / 0.324)
    assert row["possible"] is None


def test_rows_become_loads() -> None:
    measures = {"throughput": 2.0, "ttft-mean": 0.1, "ttft-p99": 0.2, "e2e-mean": 1.0}
    rows = [
        {"scenario": s, "workload.clients": c, "id": name, "value": value}
        for s, c in (("a", 8), ("a", 4), ("b", 2))
        for name, value in measures.items()
    ]
    assert loads(rows, "a") == [Load(4, 2.0, 0.1, 0.2, 1.0), Load(8, 2.0, 0.1, 0.2, 1.0)]


def test_runs_obey_the_identity_and_no_routing_exceeds_the_bound() -> None:
    """Even with all requests on one of five decode workers."""
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p5d-v09")
    fields = {"workload.clients": 96, "topology.decode": 1, "workload.think_time": 0.0}
    scenario = with_fields(scenario, fields, "test")
    times = load_service_times(paths.ROOT / paths.LATENCY, scenario.model)
    run = simulate(scenario, times, seed=1, requests=1500, warmup_cycles=3)
    done = run.log.select(run.measured)
    throughput = len(done) / (run.end - run.start)
    assert throughput * done.e2e.mean() == pytest.approx(96, rel=0.02)
    longest = sweep_of("x", scenario, times, []).longest(96)
    assert 0.5 * longest < float((done.e2e - done.ttft).max()) <= longest


def test_there_is_no_bound_where_requests_wait_for_slots() -> None:
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p5d-v09")
    scenario = with_fields(scenario, {"engine.decode.slots": 8}, "test")
    times = load_service_times(paths.ROOT / paths.LATENCY, scenario.model)
    assert sweep_of("x", scenario, times, []).longest(9) == float("inf")
    assert sweep_of("x", scenario, times, []).longest(8) < 2.0
