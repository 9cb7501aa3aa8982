"""Random scenarios of everything that the plain kernel covers, and the comparison of two runs."""

import dataclasses
from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from anarchy.config.scenario import Scenario
from anarchy.config.validation import validate
from anarchy.serving.compiled.core.coverage import COMPILED_POLICIES
from anarchy.serving.log.control_history import ControlHistory
from anarchy.serving.log.request_log import Run
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.table import LatencyTable
from anarchy.serving.simulate import simulate
from anarchy.workload.traces import TraceData
from tests.sandbox import inputs

TIMES = [
    "arrival",
    "prefill_start",
    "prefill_end",
    "routed",
    "first_token",
    "decode_start",
    "done",
    "start",
    "end",
    "frontend_busy",
    "prefill_busy",
    "prefill_work",
    "decode_busy",
]
COUNTS = [
    "prefill_worker",
    "decode_worker",
    "prompt",
    "tenant",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cached_by_tier",
    "decode_active",
    "measured",
    "extrapolated",
    "table_context",
]
COSTS = ("prefill_cost", "decode_cost")

TOLERANCE = 1e-9
"""Seconds by which two times may differ, and relatively two costs."""


SHARE, FEWEST = 1.5, 120
"""Random scenarios for each of the profile's examples, and at least. Those of `./reproduce test`
are always the same ones."""


def random_runs(test: Callable[..., None]) -> Callable[..., None]:
    """A test on random scenarios, of which the nightly run has more."""
    count = max(FEWEST, inputs(SHARE).max_examples)
    unhurried = [HealthCheck.too_slow]
    few = settings(max_examples=count, derandomize=True, suppress_health_check=unhurried)
    marked: Callable[..., None] = pytest.mark.random(few(test))
    return marked


def assert_equal(one: Run, other: Run) -> None:
    """The same choices and counts, and times and costs that differ in rounding at most."""

    def both(name: str) -> tuple[Any, Any]:
        runs = [run if hasattr(run, name) else run.log for run in (one, other)]
        return getattr(runs[0], name), getattr(runs[1], name)

    assert len(one.log) == len(other.log)
    for name in COUNTS:
        np.testing.assert_array_equal(*both(name), err_msg=name)
    for name in TIMES:
        np.testing.assert_allclose(*both(name), rtol=0, atol=TOLERANCE, err_msg=name)
    for name in COSTS:
        np.testing.assert_allclose(*both(name), rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)
    assert (one.control is None) == (other.control is None)
    if one.control is not None and other.control is not None:
        assert_histories_equal(one.control, other.control, TOLERANCE)


def assert_histories_equal(
    one: ControlHistory, other: ControlHistory, tolerance: float = 0.0
) -> None:
    """The same switches, and tails that differ in rounding at most."""
    for field in dataclasses.fields(ControlHistory):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance, err_msg=field.name)


def both_runs(
    scenario: Scenario, table: LatencyTable, trace: TraceData | None, **options: Any
) -> tuple[Run, Run]:
    """The reference's run and the kernel's."""
    reference, compiled = (
        simulate(scenario, Latency(table), trace=trace, simulator=simulator, **options)
        for simulator in ("reference", "compiled")
    )
    return reference, compiled


def tables() -> st.SearchStrategy[LatencyTable]:
    """Service times: flat in the context or not, and with what prefill costs by prompts or not."""
    by_prompts = {
        "batched": {"prompt_tokens": 48, "tokens": [48, 96, 300], "seconds": [0.012, 0.014, 0.03]},
        "cached": {"tokens": [16, 256], "seconds_per_token": [1e-5, 7e-5]},
    }
    return st.sampled_from(
        [
            _table(context, prefill)
            for context in ([100], [64, 256], [200, 5000])
            for prefill in ({}, by_prompts)
        ]
    )


def _table(context: list[int], by_prompts: dict[str, Any]) -> LatencyTable:
    rows = [[0.004 + 0.002 * i, 0.005 + 0.003 * i, 0.009 + 0.004 * i] for i in range(len(context))]
    return LatencyTable.model_validate(
        {
            "model": "m",
            "system": "s",
            "backend": "b",
            "backend_version": "1",
            "tensor_parallel": 1,
            "provenance": {
                "kind": "assumed",
                "source": "test",
                "version": "1",
                "licence": "none",
                "call": "none",
                "note": "test",
            },
            "prefill": {"tokens": [32, 128, 512], "seconds": [0.01, 0.02, 0.07], **by_prompts},
            "itl": {"batch": [1, 4, 16], "context": context, "seconds": rows},
        }
    )


def _lengths() -> st.SearchStrategy[dict[str, Any] | None]:
    return st.sampled_from(
        [
            None,
            {"kind": "exponential", "mean_tokens": 60},
            {"kind": "quantiles", "levels": [0, 1], "values": [1, 200]},
        ]
    )


@st.composite
def prompts(draw: st.DrawFn) -> dict[str, Any]:
    """What one tenant asks."""
    return {
        "templates": draw(st.integers(1, 4)),
        "input_tokens": draw(st.integers(1, 200)),
        "output_tokens": draw(st.integers(1, 30)),
        "input_lengths": draw(_lengths()),
        "output_lengths": draw(_lengths()),
    }


@st.composite
def workloads(draw: st.DrawFn) -> dict[str, Any]:
    """Every compiled kind but traces, which `traces` draws."""
    asked = draw(prompts())
    if draw(st.booleans()):
        asked["tenants"] = [
            draw(prompts()) | {"name": f"t{k}", "share": draw(st.floats(0.1, 3))}
            for k in range(draw(st.integers(1, 3)))
        ]
    kind = draw(st.sampled_from(["closed-loop", "poisson", "mmpp", "phases"]))
    rate = draw(st.sampled_from([2.0, 20.0, 80.0]))
    if kind == "closed-loop":
        clients = draw(st.sampled_from([1, 2, 7, 30]))
        asked |= {"clients": clients, "think_time": draw(st.sampled_from([0.0, 0.002, 0.5]))}
        counts = st.sampled_from([None, 1, (clients + 1) // 2])
        phases = st.fixed_dictionaries({"duration": st.floats(0.3, 1.0), "clients": counts})
        asked |= {"ramp": draw(st.sampled_from([None, 0.0]))}
        asked |= {"phases": draw(st.lists(phases, max_size=3))}
    elif kind == "poisson":
        asked |= {"rate": rate}
    elif kind == "mmpp":
        asked |= {"rates": [rate, 3 * rate], "switching": [[-1.0, 1.0], [2.0, -2.0]], "speed": 1.5}
    else:
        phases = [{"duration": 1.0, "rate": 0.0}, {"duration": 1.5, "rate": 3 * rate}]
        asked |= {"phases": [*phases, {"duration": 1.0, "rate": rate}]}
    return {"kind": kind, **asked}


@st.composite
def traces(draw: st.DrawFn) -> TraceData:
    """Up to 60 rows of conversations: prompts that begin like earlier ones."""
    size = draw(st.sampled_from([16, 64]))
    rows = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    inputs = rng.integers(1, 300, rows)
    chains = rng.integers(0, 10**12, (4, 40))
    blocks = []
    for tokens in inputs.tolist():
        needed = -(-tokens // size)
        shared = int(rng.integers(0, needed + 1))
        own = rng.integers(10**13, 10**14, needed - shared)
        blocks.append((*chains[rng.integers(0, 4), :shared].tolist(), *own.tolist()))
    if draw(st.booleans()):
        blocks = [()] * rows
    ticks = rng.integers(0, draw(st.sampled_from([1, 40, 2000])), rows)
    return TraceData(np.cumsum(ticks) / 1000, inputs, rng.integers(1, 40, rows), blocks, size)


@st.composite
def routers(draw: st.DrawFn) -> dict[str, Any]:
    """Every compiled policy, with what it can be told and what it may not know.

    The rest of a router tells its policy. Drawn by itself a policy comes again and again, and
    others do not come in 150 scenarios.
    """
    lags = st.sampled_from([0.0, 0.0, 0.01, 0.3])
    router = {
        "temperature": draw(st.sampled_from([0.0, 0.0, 0.3, 2.0])),
        "overlap_weight": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "overlap_credit": draw(st.sampled_from([1.0, 0.7])),
        "request_weight": draw(st.sampled_from([0.0, 1.5])),
        "decode_overlap": draw(st.booleans()),
        "normalise": draw(st.booleans()),
        "ties": draw(st.sampled_from(["smallest-cache", "random", "first"])),
        "prefill_blocks": draw(st.booleans()),
        "imbalance": draw(st.sampled_from([1, 8])),
        "crowding": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "knows_speeds": draw(st.booleans()),
        "hash_blocks": draw(st.sampled_from([1, 3])),
        "tracking": {
            "replicas": draw(st.sampled_from([1, 1, 2, 3])),
            "event_lag": draw(lags),
            "replica_lag": draw(lags),
            "cache_lag": draw(lags),
            "active_blocks": draw(st.sampled_from(["per-request", "distinct"])),
            "generated_blocks": draw(st.booleans()),
            "unregistered_penalty": draw(st.booleans()),
            "overlooked": draw(st.sampled_from([0, 0, 1, 2])),
        },
    }
    policy = COMPILED_POLICIES[crc32(repr(router).encode()) % len(COMPILED_POLICIES)]
    return {"policy": policy, **router}


def controllers() -> st.SearchStrategy[dict[str, Any] | None]:
    """None, and controllers that are eager enough to switch within a short run."""
    override = st.fixed_dictionaries(
        {"temperature": st.sampled_from([0.0, 0.7]), "overlap_weight": st.sampled_from([0.1, 1.0])}
    )
    regimes = dict.fromkeys(("below", "transition", "saturated"), override)
    return st.none() | st.fixed_dictionaries(
        {
            "interval": st.sampled_from([0.05, 0.3]),
            "window": st.sampled_from([0.05, 0.5]),
            "source": st.sampled_from(["exact", "buckets"]),
            "smoothing": st.sampled_from([0.3, 1.0]),
            "thresholds": st.fixed_dictionaries(
                {
                    "unit": st.sampled_from(["seconds", "unloaded"]),
                    "transition": st.sampled_from([0.05, 1.5]),
                    "saturated": st.sampled_from([2.0, 6.0]),
                }
            ),
            "polls": st.sampled_from([1, 2]),
            "cooldown": st.sampled_from([0.0, 0.2]),
            "regimes": st.fixed_dictionaries(regimes),
            "dry_run": st.sampled_from([False, False, True]),
        }
    )


def frontends() -> st.SearchStrategy[dict[str, Any]]:
    """None, and requests that pass side by side or one after the other."""
    overheads = st.sampled_from([0.0, 0.004, 0.03])
    return st.fixed_dictionaries({"overhead": overheads, "serial": st.booleans()})


@st.composite
def engines(draw: st.DrawFn) -> dict[str, Any]:
    """Workers of a plain system: batching, slots, caches of one or two tiers, hand-off."""
    host = {
        "capacity_tokens": draw(st.sampled_from([0, 0, 320, 2000])),
        "bandwidth": draw(st.sampled_from([None, 1e6])),
        "latency": draw(st.sampled_from([0.0, 0.003])),
    }
    return {
        "prefill": {
            "batch_requests": draw(st.sampled_from([1, 3, 64])),
            "batch_tokens": draw(st.sampled_from([100, 8192])),
        },
        "decode": {"slots": draw(st.sampled_from([1, 3, 40]))},
        "cache": {
            "enabled": draw(st.booleans()),
            "block_tokens": draw(st.sampled_from([8, 32])),
            "capacity_tokens": draw(st.sampled_from([256, 1000, 100_000])),
            "whole_blocks": draw(st.booleans()),
            "host": host,
            "onboarding": draw(st.sampled_from(["serial", "parallel"])),
            "recompute": draw(st.booleans()),
        },
        "handoff": {
            "overhead": draw(st.sampled_from([0.0, 0.005])),
            "bandwidth": draw(st.sampled_from([None, 1e5])),
        },
        "first_token": draw(st.sampled_from(["prefill", "handoff", "decode-step"])),
    }


@st.composite
def scenarios(draw: st.DrawFn, workload: dict[str, Any] | None = None) -> Scenario:
    """A deployment under some workload."""
    prefill, decode = draw(st.sampled_from([(1, 1), (1, 3), (3, 2), (4, 35)]))
    speeds, unequal = draw(st.booleans()), draw(st.booleans())
    return validate(
        Scenario,
        {
            "description": "random",
            "model": {"name": "m", "latency": "none", "kv_bytes_per_token": 100},
            "hardware": {"gpus": 64, "gpus_per_worker": 1},
            "topology": {
                "prefill": prefill,
                "decode": decode,
                "prefill_speed": [1.0 + k / 2 for k in range(prefill)] if speeds else [],
                "decode_speed": [1.0, 0.5, *[2.0] * decode][:decode] if speeds else [],
                "decode_cache": [40, 0, *[10] * decode][:decode] if unequal else [],
            },
            "frontend": draw(frontends()),
            "engine": draw(engines()),
            "router": draw(routers()),
            "controller": draw(controllers()),
            "workload": draw(workloads()) if workload is None else workload,
        },
        "random",
    )
