"""The other simulator: NVIDIA Dynamo's offline replay of traces, where its wheel is installed."""

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anarchy import paths
from anarchy.config import Scenario, load_scenario, with_fields
from anarchy.inputs import find_trace
from anarchy.plan import load_plan
from anarchy.serving.cluster import simulate
from anarchy.serving.latency import load_latency
from anarchy.serving.log import RequestLog
from anarchy.traces import TraceData

os.environ.setdefault("DYN_LOG", "error")
try:
    import dynamo._core as dynamo
except ImportError:
    dynamo = None

Row = tuple[float, int, int, Sequence[int]]  # arrival in ms, prompt, output tokens, block ids
ORACLE: Scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "oracle-3p5d")
MS = 1000.0

# What the replay reports of a request and the column of the log that must equal it.
TIMES = {
    "prefill_admit_ms": "prefill_start",
    "source_held_ms": "prefill_end",
    "decode_admit_ms": "decode_start",
    "first_token_ms": "first_token",
    "last_token_ms": "done",
}
NUMBERS = {
    "reused_input_tokens": "cached_tokens",
    "prefill_worker_idx": "prefill_worker",
    "decode_worker_idx": "decode_worker",
}


@pytest.fixture(autouse=True)
def _needs_the_oracle() -> None:
    if dynamo is None:
        pytest.skip("the oracle is not installed: module dynamo._core of ai-dynamo-runtime")


@pytest.fixture(scope="session")
def recorded() -> list[Row]:
    """The Mooncake conversation trace, if it is at hand."""
    path = find_trace("mooncake-conversation", load_plan(root=paths.ROOT).traces, paths.ROOT)
    if not path.is_file():
        pytest.skip(f"the trace is not at hand: {path}")
    rows = map(json.loads, path.read_text().splitlines())
    return [(r["timestamp"], r["input_length"], r["output_length"], r["hash_ids"]) for r in rows]


def replay(
    rows: Sequence[Row],
    folder: Path,
    *,
    topology: tuple[int, int] = (3, 5),
    blocks: int = 32_768,
    prefill: Mapping[str, Any] = {},
    decode: Mapping[str, Any] = {},
    **options: Any,
) -> Any:
    """The replay's result for rows of a trace."""
    path = folder / "trace.jsonl"
    keys = ("timestamp", "input_length", "output_length", "hash_ids")
    lines = [json.dumps(dict(zip(keys, row, strict=True))) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    timing = {"type": "fixed", "prefill_ms": 100, "decode_ms": 8}
    engine = {"block_size": 64, "num_gpu_blocks": blocks, "timing_model": timing}
    options = {"router_mode": "round_robin"} | options
    return dynamo.run_mocker_trace_replay(
        [path],
        trace_block_size=512,
        prefill_engine_args={"engine": {**engine, "worker_type": "prefill", **prefill}},
        decode_engine_args={"engine": {**engine, "worker_type": "decode", **decode}},
        num_prefill_workers=topology[0],
        num_decode_workers=topology[1],
        capture_per_request=True,
        **options,
    )


def ours(rows: Sequence[Row], seed: int = 1, **fields: Any) -> RequestLog:
    """Our log of the same rows: `engine__decode__slots=4` sets engine.decode.slots."""
    arrival, prompts, outputs, blocks = zip(*rows, strict=True)
    trace = TraceData(
        (np.array(arrival, dtype=float) - arrival[0]) / MS,
        np.array(prompts),
        np.array(outputs),
        [tuple(ids) for ids in blocks],
        512,
    )
    changes = {key.replace("__", "."): value for key, value in fields.items()}
    scenario = with_fields(ORACLE, {"workload.rows": len(rows)} | changes, "test")
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    return simulate(scenario, latency, seed=seed, trace=trace).log


def assert_equal(rows: Sequence[Row], result: Any, log: RequestLog, speed: float = 1.0) -> None:
    """Every request has the same times (to 1 ns), workers and cached tokens in both.

    The replay names requests by random ids, so they are matched by arrival and lengths; requests
    that are alike in these may be told apart by nothing, and are compared as a set.
    """

    def key(arrival: float, prompt: int, output: int) -> tuple[float, int, int]:
        return round(arrival, 3), prompt, output

    theirs: dict[Any, list[Any]] = defaultdict(list)
    for request in result.per_request:
        times = [round(request[name] / MS, 9) for name in TIMES]
        numbers = [request[name] for name in NUMBERS]
        lengths = request["input_length"], request["output_length"]
        theirs[key(request["arrival_time_ms"] * speed, *lengths)].append((*times, *numbers))
    mine: dict[Any, list[Any]] = defaultdict(list)
    assert len(log) == len(rows)
    for i, (arrival, prompt, output, _) in enumerate(rows):
        times = [round(float(getattr(log, name)[i]), 9) for name in TIMES.values()]
        numbers = [int(getattr(log, name)[i]) for name in NUMBERS.values()]
        mine[key(arrival - rows[0][0], prompt, output)].append((*times, *numbers))
    assert mine.keys() == theirs.keys()
    different = [k for k in mine if sorted(mine[k]) != sorted(theirs[k])]
    assert not different, [(k, mine[k], theirs[k]) for k in different[:3]]
