"""One list of requests, two simulators: Dynamo's trace replay and ours.

The deployment is `config/scenarios/oracle-3p5d.yaml`, constant step times included; the pools, the
step times and any field of either engine may differ from it. Times of rows are in milliseconds,
because the replay's are; those of our log are in seconds.
"""

import importlib
import importlib.metadata
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import TraceSources, load_scenario
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml
from anarchy.serving.log.request_log import RequestLog
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.table_files import load_table
from anarchy.serving.simulate import simulate
from anarchy.workload.trace_files import find_trace
from anarchy.workload.traces import TraceData, read_trace

Request = tuple[float, int, int, Sequence[int]]
"""Arrival in ms, prompt tokens, output tokens, ids of the prompt's blocks of 512 tokens."""

Times = tuple[float, float]
"""Milliseconds of a prefill step and of a decode step, whatever is in them."""

WHEEL = "ai-dynamo-runtime"
TRACE = "mooncake-conversation"
TRACE_BLOCK, BLOCK = 512, 64
BLOCKS = 32_768
STEP_TIMES: Times = (100.0, 8.0)
MS = 1000.0


def load_dynamo() -> Any:
    """Their compiled module; an InputError says how it is installed if it is not."""
    os.environ.setdefault("DYN_LOG", "error")
    try:
        return importlib.import_module("dynamo._core")
    except ImportError:
        raise InputError(
            f"{WHEEL} is not installed; requirements-oracle.lock pins it, "
            "and `./reproduce test` installs it"
        ) from None


def wheel_version() -> str:
    """The installed version of the wheel."""
    return importlib.metadata.version(WHEEL)


def recorded_requests() -> list[Request]:
    """All requests of the Mooncake conversation trace; an InputError if it is not at hand."""
    listed = paths.ROOT / paths.TRACES
    sources = validate(TraceSources, read_yaml(listed), str(listed))
    source = sources.traces[TRACE]
    trace = read_trace(find_trace(TRACE, sources, paths.ROOT), source.format, source.sha256)
    arrivals = np.rint(trace.arrival * MS).tolist()
    lengths = zip(trace.input_tokens.tolist(), trace.output_tokens.tolist(), strict=True)
    return [(t, *size, ids) for t, size, ids in zip(arrivals, lengths, trace.blocks, strict=True)]


def replay(
    requests: Sequence[Request],
    *,
    topology: tuple[int, int] = (3, 5),
    blocks: int = BLOCKS,
    times: Times | None = STEP_TIMES,
    temperature: float | None = None,
    prefill: Mapping[str, Any] = {},
    decode: Mapping[str, Any] = {},
    **options: Any,
) -> Any:
    """Their result: round robin, or their KV router at a temperature.

    Without `times` their default applies: polynomials in the tokens of a step.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.jsonl"
        write_requests(path, requests)
        return replay_file(
            path,
            topology=topology,
            blocks=blocks,
            times=times,
            temperature=temperature,
            prefill=prefill,
            decode=decode,
            **options,
        )


def write_requests(path: Path, requests: Sequence[Request]) -> None:
    """Write a trace in Mooncake's format, which both simulators read."""
    names = ("timestamp", "input_length", "output_length", "hash_ids")
    lines = [json.dumps(dict(zip(names, request, strict=True))) for request in requests]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def replay_file(
    path: Path,
    *,
    topology: tuple[int, int],
    blocks: int = BLOCKS,
    times: Times | None = STEP_TIMES,
    temperature: float | None = None,
    prefill: Mapping[str, Any] = {},
    decode: Mapping[str, Any] = {},
    **options: Any,
) -> Any:
    """As `replay`, of a trace that is written already."""
    dynamo = load_dynamo()
    engine: dict[str, Any] = {"block_size": BLOCK, "num_gpu_blocks": blocks}
    if times is not None:
        engine["timing_model"] = {"type": "fixed", "prefill_ms": times[0], "decode_ms": times[1]}
    if temperature is not None:
        options["router_mode"] = "kv_router"
        options["router_config"] = dynamo.KvRouterConfig(router_temperature=temperature)
    return dynamo.run_mocker_trace_replay(
        [path],
        trace_block_size=TRACE_BLOCK,
        prefill_engine_args={"engine": {**engine, "worker_type": "prefill", **prefill}},
        decode_engine_args={"engine": {**engine, "worker_type": "decode", **decode}},
        num_prefill_workers=topology[0],
        num_decode_workers=topology[1],
        capture_per_request=True,
        **options,
    )


def ours(
    requests: Sequence[Request],
    *,
    seed: int = 1,
    topology: tuple[int, int] = (3, 5),
    blocks: int = BLOCKS,
    times: Times = STEP_TIMES,
    temperature: float | None = None,
    fields: Mapping[str, Any] = {},
) -> RequestLog:
    """Our log of the same requests; `fields` are further fields of the scenario by dotted path.

    With a temperature the router is `kv`, with ties drawn at random as theirs are.
    """
    prefill, decode = topology
    changes: dict[str, Any] = {
        "workload.rows": len(requests),
        "hardware.gpus": prefill + decode,
        "topology.prefill": prefill,
        "topology.decode": decode,
        "engine.cache.capacity_tokens": blocks * BLOCK,
    }
    if temperature is not None:
        changes |= {
            "router.policy": "kv",
            "router.temperature": temperature,
            "router.ties": "random",
        }
    scenario = with_fields(_scenario(), {**changes, **fields}, "oracle")
    trace = _trace(requests)
    return simulate(scenario, _service(times), seed=seed, trace=trace).log


@cache
def _scenario() -> Scenario:
    return load_scenario(paths.ROOT / paths.SCENARIOS, "oracle-3p5d")


def _trace(requests: Sequence[Request]) -> TraceData:
    arrivals, prompts, outputs, blocks = zip(*requests, strict=True)
    return TraceData(
        (np.array(arrivals, dtype=float) - arrivals[0]) / MS,
        np.array(prompts),
        np.array(outputs),
        [tuple(ids) for ids in blocks],
        TRACE_BLOCK,
    )


def _service(times: Times) -> Latency:
    """The scenario's table of constant times, with these."""
    table = load_table(paths.ROOT / paths.LATENCY, _scenario().model.latency)
    step, token = (milliseconds / MS for milliseconds in times)
    prefill = table.prefill.model_copy(update={"seconds": [step] * len(table.prefill.tokens)})
    itl = table.itl.model_copy(update={"seconds": [[token] * len(table.itl.batch)]})
    return Latency(table.model_copy(update={"prefill": prefill, "itl": itl}))
