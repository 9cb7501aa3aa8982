"""One point: replications measured, recorded traces bootstrapped, runs of one trace compared."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.config.experiment import Compare
from anarchy.config.scenario import with_fields
from anarchy.config.settings import Bootstrap, load_scenario
from anarchy.measure.experiment_point import PointJob, bootstrap_rng, compare_logs, measure_point
from anarchy.serving.log.request_log import RequestLog
from anarchy.workload.traces import TraceData

LATENCY = paths.ROOT / paths.LATENCY


def job(scenario: str = "70b-1p2d", **changes: Any) -> PointJob:
    fields = {
        "experiment": "test",
        "keys": {"scenario": scenario, "router.policy": "kv"},
        "scenario": load_scenario(paths.ROOT / paths.SCENARIOS, scenario),
        "measures": ["ttft-mean", "prefix-reuse", "throughput", "poa-hat:plain"],
        "estimators": {"plain": {}},
        "seed": 3,
        "replications": 3,
        "requests": 100,
        "warmup_cycles": 1.0,
        "bootstrap": Bootstrap(resamples=200, block=5),
        "plugins": [],
        "phases": [],
    }
    return PointJob.model_validate(fields | changes)


def small_trace(rows: int = 60) -> TraceData:
    """Conversations of growing prompts: every second request extends an earlier one."""
    blocks = [tuple(range(100 * (i // 2), 100 * (i // 2) + 2 + i % 2)) for i in range(rows)]
    return TraceData(
        np.arange(rows) * 0.05,
        np.array([512 * len(b) for b in blocks]),
        np.full(rows, 20),
        blocks,
        block_tokens=512,
    )


def test_a_synthetic_point_is_replicated_and_has_no_interval_yet() -> None:
    rows, log = measure_point(job(), LATENCY, None)
    assert {row["replication"] for row in rows} == {0, 1, 2}
    assert len(rows) == 3 * 4
    assert all("lo" not in row for row in rows)
    ttft = [row["value"] for row in rows if row["id"] == "ttft-mean"]
    assert len(set(ttft)) == 3, "replications differ"
    assert len(log) >= 100


def test_a_recorded_point_runs_once_with_a_bootstrap_interval() -> None:
    rows, log = measure_point(job("mooncake-8p8d"), LATENCY, small_trace())
    by_id = {row["id"]: row for row in rows}
    assert len(rows) == 4
    assert len(log) == 60
    assert by_id["ttft-mean"]["lo"] < by_id["ttft-mean"]["value"] < by_id["ttft-mean"]["hi"]
    assert by_id["throughput"]["lo"] is None, "no statistic of requests"
    assert by_id["ttft-mean"]["n"] == 60


def test_runs_of_one_trace_are_compared_request_by_request() -> None:
    base = job("mooncake-8p8d")
    turns = base.model_copy(
        update={
            "keys": {"scenario": "mooncake-8p8d", "router.policy": "round-robin"},
            "scenario": with_fields(base.scenario, {"router.policy": "round-robin"}, "test"),
        }
    )
    points = [measure_point(one, LATENCY, small_trace()) for one in (base, turns)]
    options = Compare(
        field="router.policy", baseline="round-robin", measures=["prefix-reuse", "throughput"]
    )
    keys = ["scenario", "router.policy"]
    reuse, throughput = compare_logs(points, keys, options, Bootstrap(block=5, resamples=200), 3)
    assert (reuse["alternative"], reuse["baseline"]) == ("kv", "round-robin")
    assert reuse["value"] > 0.2, "the router finds the conversation's worker"
    assert reuse["differs"]
    assert reuse["lo"] < reuse["value"] < reuse["hi"]
    assert throughput["lo"] is None
    assert not throughput["differs"], "nothing is claimed without an interval"


def test_the_resampling_stream_depends_on_seed_and_measure_only() -> None:
    assert bootstrap_rng(1, "a").random() == bootstrap_rng(1, "a").random()
    assert bootstrap_rng(1, "a").random() != bootstrap_rng(1, "b").random()


def test_an_unknown_measure_is_refused() -> None:
    with pytest.raises(Exception, match="did you mean 'ttft-mean'"):
        measure_point(job(measures=["ttft-men"]), LATENCY, None)


def test_the_loss_of_a_point_is_bracketed() -> None:
    names = ["loss-lo:e2e-mean", "loss-hi:e2e-mean", "loss-lo:ttft-p99", "loss-hi:ttft-p99"]
    rows, _ = measure_point(job(measures=names, replications=2), LATENCY, None)
    found = {(row["id"], row["replication"]): row["value"] for row in rows}
    for criterion in ("e2e-mean", "ttft-p99"):
        for replication in (0, 1):
            least = found[f"loss-lo:{criterion}", replication]
            assert 1 <= least <= found[f"loss-hi:{criterion}", replication]


def test_the_loss_of_each_phase_is_bracketed() -> None:
    phases = [
        {"name": "below", "duration": 2.0, "clients": 2},
        {"name": "full", "duration": 3.0, "clients": 30},
    ]
    fields = {"workload.clients": 30, "workload.ramp": 0.0, "workload.phases": phases}
    scenario = with_fields(job().scenario, fields, "test")
    parts = ["", "bound:", "loss-lo:", "loss-hi:"]
    names = [f"{part}throughput" for part in parts]
    asked = job(measures=names, phases=["below", "full"], replications=1)
    rows, _ = measure_point(asked.model_copy(update={"scenario": scenario}), LATENCY, None)
    found = {(row["phase"], row["id"]): row["value"] for row in rows}
    for phase in ("below", "full"):
        rate, bound, lo, hi = (
            found[phase, name]
            for name in (
                "throughput",
                "bound:throughput",
                "loss-lo:throughput",
                "loss-hi:throughput",
            )
        )
        assert 1 <= lo <= hi
        assert bound == pytest.approx(rate * hi)
    assert found["full", "bound:throughput"] > found["below", "bound:throughput"]


def test_schedules_are_searched_only_where_their_best_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> Iterator[RequestLog]:
        raise AssertionError("nobody asked for a schedule")
        yield

    monkeypatch.setattr("anarchy.measure.experiment_point.schedules", refuse)
    both = ["loss-hi:e2e-mean", "loss-lo:e2e-mean"]
    rows, _ = measure_point(job(measures=both[:1], replications=1), LATENCY, None)
    assert rows[0]["value"] > 1
    with pytest.raises(AssertionError, match="nobody asked"):
        measure_point(job(measures=both, replications=1), LATENCY, None)
