"""The kernel returns the reference's log with paged memory, too, to the last bit."""

import dataclasses
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.serving.compiled.run import CompiledSystem
from anarchy.serving.log.request_log import Run
from anarchy.serving.reference.system import System
from anarchy.serving.rules import feasibility
from anarchy.serving.service_times.lookup import Latency, load_latency
from anarchy.serving.service_times.table import LatencyTable
from anarchy.workload.traces import TraceData, load_trace
from tests.serving.compiled.scenarios import (
    assert_histories_equal,
    engines,
    random_runs,
    scenarios,
    tables,
    traces,
)


@st.composite
def paged(draw: st.DrawFn, workload: dict[str, Any] | None = None) -> Scenario:
    """A deployment whose workers have room for one request or for many."""
    engine = draw(engines())
    size = draw(st.sampled_from([4, 8, 16]))
    engine["cache"] = {
        "enabled": draw(st.booleans()),
        "block_tokens": size,
        "capacity_tokens": draw(st.sampled_from([440, 680, 4800, 4800])),
    }
    engine["memory"] = {
        "paged": True,
        "visible": draw(st.sampled_from(["scheduled", "step-end"])),
        "preempt": draw(st.sampled_from(["last", "first", "never"])),
    }
    engine["prefill"]["chunked"] = draw(st.booleans())
    return with_fields(
        draw(scenarios(workload)), {"engine": engine, "topology.decode_cache": []}, "paged"
    )


MOST_WAITING = 2000
"""Requests that may wait, where a million may as usual: a controller looks at all of them at every
poll, and hours pass where preemption lets one through now and then."""


def outcome(kind: type[System | CompiledSystem], *arguments: Any) -> Run | str:
    """The run, or why there is none."""
    scenario, table, *others = arguments
    try:
        return kind(scenario, Latency(table), *others).run()
    except InputError as fault:
        return str(fault)


def assert_same(*arguments: Any) -> Run | str:
    """Both simulators give the same run or refuse with the same words; the reference's answer."""
    with patch.object(feasibility, "MOST_REQUESTS", MOST_WAITING):
        reference, compiled = (outcome(kind, *arguments) for kind in (System, CompiledSystem))
    if any(str(answer).startswith("workload: more than") for answer in (reference, compiled)):
        return str(reference)  # each sees what waits when it next supplies requests
    if isinstance(reference, str) or isinstance(compiled, str):
        assert reference == compiled
        return reference
    for column, values in reference.log.columns().items():
        np.testing.assert_array_equal(values, getattr(compiled.log, column), err_msg=column)
    for field in dataclasses.fields(reference):
        if field.name not in ("log", "pools", "control"):
            ours = getattr(compiled, field.name)
            np.testing.assert_array_equal(getattr(reference, field.name), ours, field.name)
    if reference.control is not None:
        assert compiled.control is not None
        assert_histories_equal(reference.control, compiled.control)
    return reference


@given(scenario=paged(), table=tables(), seed=st.integers(0, 3), requests=st.integers(1, 120))
@random_runs
def test_synthetic_workloads(
    scenario: Scenario, table: LatencyTable, seed: int, requests: int
) -> None:
    assert_same(scenario, table, seed, 0, requests, 3.0, None)


@given(scenario=paged({"kind": "trace", "trace": "drawn"}), table=tables(), trace=traces())
@random_runs
def test_traces(scenario: Scenario, table: LatencyTable, trace: TraceData) -> None:
    assert_same(scenario, table, 1, 0, 0, 3.0, trace)


@pytest.fixture(scope="module")
def recorded() -> TraceData:
    """The Mooncake conversation trace, if it is at hand."""
    name = "mooncake_conversation_trace.jsonl"
    for folder in (os.environ.get("ANARCHY_TRACE_DIR"), paths.ROOT / paths.TRACE_CACHE):
        if folder is not None and (Path(folder) / name).is_file():
            return load_trace(Path(folder) / name)
    pytest.skip(f"{name} is in neither ANARCHY_TRACE_DIR nor data/traces")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"topology": {"prefill": 8, "decode": 8}, "hardware.gpus": 16, "router.policy": "kv"},
        {
            "router.policy": "two-choice-hashing",
            "router.hash_blocks": 9,
            "engine.memory.preempt": "first",
            "engine.decode.slots": 8,
            "engine.handoff.bandwidth": 5e10,
        },
        {
            "router": {
                "policy": "kv-1.6",
                "decode_overlap": True,
                "tracking": {
                    "cache_lag": 0.5,
                    "event_lag": 0.1,
                    "generated_blocks": True,
                    "active_blocks": "distinct",
                },
            }
        },
    ],
    ids=["round-robin", "kv", "hashing", "late"],
)
def test_the_recorded_trace(changes: dict[str, Any], recorded: TraceData) -> None:
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "oracle-3p5d")
    scenario = with_fields(scenario, {"workload.rows": 500, **changes}, "test")
    table = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency).table
    assert isinstance(assert_same(scenario, table, 1, 0, 0, 3.0, recorded), Run)


def test_both_refuse_in_the_same_words() -> None:
    rows, size = 40, 64
    inputs, outputs = np.full(rows, 190), np.full(rows, 200)
    trace = TraceData(np.arange(rows) / 100, inputs, outputs, [()] * rows, None)
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "oracle-3p5d")
    table = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency).table
    fields = {"workload.rows": rows, "topology": {"prefill": 1, "decode": 1}, "hardware.gpus": 2}

    def refusal(trace: TraceData, **changes: int) -> str:
        cache = {"enabled": True, "block_tokens": size, "capacity_tokens": 8 * size} | changes
        small = with_fields(scenario, {**fields, "engine.cache": cache}, "test")
        return str(assert_same(small, table, 1, 0, 0, 3.0, trace))

    assert "all others wait for memory" in refusal(trace)
    assert "needs 7 blocks" in refusal(trace, capacity_tokens=6 * size)
    in_blocks = dataclasses.replace(trace, block_tokens=512)
    assert "does not divide" in refusal(in_blocks, block_tokens=48)


def test_requests_that_preempt_each_other_for_ever_end_the_run() -> None:
    """A lone slot has room for its request only while no other one has reserved any."""
    scenario = with_fields(
        load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d"),
        {
            "topology.decode": 1,
            "engine.decode.slots": 1,
            "engine.memory.paged": True,
            "engine.handoff": {"overhead": 0.0},
            "engine.cache": {"block_tokens": 4, "capacity_tokens": 240},
            "workload": {
                "kind": "poisson",
                "rate": 60.0,
                "templates": 1,
                "input_tokens": 110,
                "output_tokens": 27,
            },
        },
        "thrashing",
    )
    table = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency).table
    with patch.object(feasibility, "MOST_PREEMPTIONS", 1000):
        line = assert_same(scenario, table, 1, 0, 100, 3.0, None)
    assert line == (
        "engine.cache.capacity_tokens: requests on a worker have preempted each other 1,000 times "
        "and none is done; give the workers more, or set engine.memory.preempt to never"
    )


@given(scenario=paged(), table=tables(), most=st.integers(1, 5))
@random_runs
def test_a_run_ends_at_the_same_preemption(
    scenario: Scenario, table: LatencyTable, most: int
) -> None:
    with patch.object(feasibility, "MOST_PREEMPTIONS", most):
        assert_same(scenario, table, 1, 0, 40, 3.0, None)
