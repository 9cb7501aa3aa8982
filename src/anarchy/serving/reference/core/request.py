"""One request on its way through the system, its own event; the rows of the log are requests."""

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Literal

import numpy as np

from anarchy.serving.log.request_log import SCALARS, VECTORS, RequestLog
from anarchy.serving.reference.core.block_pool import Block
from anarchy.serving.reference.core.event_queue import Event

PoolName = Literal["prefill", "decode"]
POOLS: tuple[PoolName, PoolName] = ("prefill", "decode")
"""The pools, in the order in which a request passes through them."""

NOWHERE = -1
"""The decode worker of a request that has none yet."""


class Request(Event):
    """What becomes a row of the log, under the names of its columns, and what workers keep of it.

    Times in seconds, lengths in tokens.
    """

    __slots__ = (
        *SCALARS,
        *VECTORS,
        "blocks",
        "client",
        "completion",
        "computed",
        "generated",
        "held",
        "joined",
        "order",
        "planned",
        "promised",
        "prompt_blocks",
        "replica",
        "restarts",
        "source",
        "turn",
    )

    # Columns of the log; see there.
    arrival: float
    prefill_start: float
    prefill_end: float
    routed: float
    first_token: float
    decode_start: float
    done: float
    prefill_worker: int
    decode_worker: int
    prompt: int
    tenant: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    prefill_cost: Sequence[float]
    decode_cost: Sequence[float]
    decode_active: Sequence[int]
    cached_by_tier: Sequence[int]

    computed: int  # tokens whose KV the worker has, while it computes or recomputes them
    generated: int  # output tokens when the request joined its decode batch
    held: list[Block]  # blocks that it holds on its decode worker, but for those grown since
    joined: int  # the worker's steps when the request joined its decode batch
    order: int  # in which it became one of the worker's running requests
    planned: dict[PoolName, int]  # the workers that a plan sends it to, whatever the policy
    promised: int  # tokens that the router thinks prefill has to compute
    source: list[Block]  # blocks that it holds on its prefill worker
    turn: int  # in which it was sent to its decode worker

    def __init__(
        self,
        prompt: int,
        input_tokens: int,
        output_tokens: int,
        blocks: Sequence[int],
        prompt_blocks: int,
        client: int = -1,
    ) -> None:
        """`blocks` are the hashes of the prompt's prefix blocks, `prompt_blocks` its size
        in blocks, the last of which may be partial."""
        self.prompt = prompt
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.blocks = blocks
        self.prompt_blocks = prompt_blocks
        self.client = client
        self.cached_tokens = 0
        self.completion = 0  # 1 for the first request done, and so on; 0 before
        self.planned = {}
        self.replica = 0  # of the router
        self.restarts = 0  # how often it was lost to a failed worker
        self.tenant = 0  # position in the workload's list of tenants
        self.prefill_cost = []
        self.decode_cost = []
        self.decode_active = []


def request_log(requests: Sequence[Request], has_tiers: bool = False) -> RequestLog:
    """The rows of requests that are done.

    `has_tiers` says whether the caches have tiers, so that requests know what came from each.
    """
    count = len(requests)
    columns: dict[str, Any] = {
        name: np.fromiter(map(attrgetter(name), requests), kind, count)
        for name, kind in SCALARS.items()
    }
    for name in VECTORS:
        if name == "cached_by_tier" and not has_tiers:
            continue
        kind = np.int64 if name == "cached_by_tier" else np.float64
        values = chain.from_iterable(map(attrgetter(name), requests))
        columns[name] = np.fromiter(values, kind).reshape(count, -1)
    return RequestLog(**columns)
