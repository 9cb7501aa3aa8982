"""From the requests of a run to the columns of its log."""

from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np

from anarchy.serving.log.request_log import RequestLog
from anarchy.serving.reference.core.request import Request


def request_log(requests: list[Request], first_token: str, has_tiers: bool = False) -> RequestLog:
    """The rows of requests that are done; their attribute `first_token` holds its time.

    `has_tiers` says whether the caches have tiers, so that requests know what came from each.
    """
    count = len(requests)

    def column(name: str, kind: type) -> Any:
        return np.fromiter(map(attrgetter(name), requests), kind, count)

    def matrix(name: str, kind: type = np.float64) -> Any:
        values = chain.from_iterable(map(attrgetter(name), requests))
        return np.fromiter(values, kind).reshape(count, -1)

    floats, integers = np.float64, np.int64
    return RequestLog(
        arrival=column("arrival", floats),
        prefill_start=column("prefill_start", floats),
        prefill_end=column("prefill_end", floats),
        routed=column("routed", floats),
        first_token=column(first_token, floats),
        decode_start=column("decode_start", floats),
        done=column("done", floats),
        prefill_worker=column("prefill_worker", integers),
        decode_worker=column("decode_worker", integers),
        prompt=column("prompt", integers),
        tenant=column("tenant", integers),
        input_tokens=column("input_tokens", integers),
        output_tokens=column("output_tokens", integers),
        cached_tokens=column("cached_tokens", integers),
        prefill_cost=matrix("prefill_cost"),
        decode_cost=matrix("decode_cost"),
        decode_active=matrix("decode_active"),
        cached_by_tier=matrix("cached_by_tier", integers) if has_tiers else None,
    )
