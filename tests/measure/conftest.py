"""Hand-built runs: every column has a plain default and can be given."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from anarchy.serving.log.request_log import RequestLog, Run


def _make_run(n: int, workers: int = 2, **given: Any) -> Run:
    """A run of n requests, one a second, each done one second after its arrival.

    Columns of the log and fields of the run are given by name; a column given as a scalar is
    repeated. Requests decode on worker 0 at load 0 by default, and all are measured.
    """
    arrival = np.arange(n, dtype=float)
    integers = {"prefill_worker", "decode_worker", "prompt", "input_tokens", "output_tokens"}
    integers |= {"cached_tokens", "tenant"}
    default: dict[str, Any] = {"done": arrival + 1, "prompt": np.arange(n), "prefill_worker": 0}
    default |= {"decode_worker": 0, "input_tokens": 100, "output_tokens": 1, "cached_tokens": 0}
    default |= {"tenant": 0}
    default |= {"prefill_cost": np.zeros((n, 1))}
    default |= {"decode_cost": np.zeros((n, workers)), "decode_active": np.zeros((n, workers))}
    columns: dict[str, Any] = {}
    if (by_tier := given.pop("cached_by_tier", None)) is not None:
        columns["cached_by_tier"] = np.asarray(by_tier, dtype=np.int64)
    for field in fields(RequestLog):
        if field.name == "cached_by_tier":
            continue  # there with tiers only
        value = given.pop(field.name, default.get(field.name, arrival))
        kind = np.int64 if field.name in integers else np.float64
        value = np.asarray(value, dtype=kind)
        columns[field.name] = np.full(n, value) if value.ndim == 0 else value
    run: dict[str, Any] = {"measured": np.ones(n, dtype=bool), "start": 0.0, "end": float(n)}
    run |= {"prefill_busy": np.zeros(1), "prefill_work": np.zeros(1)}
    run |= {"decode_busy": np.zeros(workers), "extrapolated": 0, "table_context": 4096}
    return Run(log=RequestLog(**columns), **(run | given))


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    return _make_run
