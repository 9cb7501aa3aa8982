"""The kernel returns the reference's log with paged memory, too, to the last bit."""

import dataclasses
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anarchy.config import Scenario, with_fields
from anarchy.errors import InputError
from anarchy.serving.kernel.paged.system import CompiledPagedSystem
from anarchy.serving.latency import Latency
from anarchy.serving.latency_table import LatencyTable
from anarchy.serving.log import Run
from anarchy.serving.paged import PagedSystem
from anarchy.traces import TraceData
from tests.serving.kernel.scenarios import engines, scenarios, tables, traces

SLOW = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@st.composite
def paged(draw: st.DrawFn, workload: dict[str, Any] | None = None) -> Scenario:
    """A deployment whose workers have room for one request or for many."""
    engine = draw(engines())
    size = draw(st.sampled_from([4, 8, 16]))
    engine["cache"] = {
        "enabled": draw(st.booleans()),
        "block_tokens": size,
        "capacity_tokens": draw(st.sampled_from([240, 400, 3600, 3600])),
    }
    engine["memory"] = {
        "paged": True,
        "visible": draw(st.sampled_from(["scheduled", "step-end"])),
        "preempt": draw(st.sampled_from(["last", "first", "never"])),
    }
    engine["prefill"]["chunked"] = draw(st.booleans())
    return with_fields(draw(scenarios(workload)), {"engine": engine}, "paged")


def outcome(kind: type[PagedSystem | CompiledPagedSystem], *arguments: Any) -> Run | str:
    """The run, or why there is none."""
    scenario, table, *others = arguments
    try:
        return kind(scenario, Latency(table), *others).run()
    except InputError as fault:
        return str(fault)


def assert_same(*arguments: Any) -> Run | str:
    """Both simulators give the same run or refuse with the same words; the reference's answer."""
    reference, compiled = (outcome(kind, *arguments) for kind in (PagedSystem, CompiledPagedSystem))
    if isinstance(reference, str) or isinstance(compiled, str):
        assert reference == compiled
        return reference
    for column, values in reference.log.columns().items():
        np.testing.assert_array_equal(values, getattr(compiled.log, column), err_msg=column)
    for field in dataclasses.fields(reference):
        if field.name not in ("log", "pools"):
            ours = getattr(compiled, field.name)
            np.testing.assert_array_equal(getattr(reference, field.name), ours, field.name)
    return reference


@given(scenario=paged(), table=tables(), seed=st.integers(0, 3), requests=st.integers(1, 120))
@SLOW
def test_synthetic_workloads(
    scenario: Scenario, table: LatencyTable, seed: int, requests: int
) -> None:
    assert_same(scenario, table, seed, 0, requests, 3.0, None)


@given(scenario=paged({"kind": "trace", "trace": "drawn"}), table=tables(), trace=traces())
@SLOW
def test_traces(scenario: Scenario, table: LatencyTable, trace: TraceData) -> None:
    assert_same(scenario, table, 1, 0, 0, 3.0, trace)
