"""Two parts of the router alone: the overlap with what a worker holds, and the cheapest worker.

Theirs are `RadixTree` and `SelectionService`, the index and the choice behind their router. Both
are asked about random states, the same for both sides, and must give the same answer every time.
"""

import asyncio
import json
import random

import numpy as np

from anarchy.common.files import Row
from anarchy.config.router import Router
from anarchy.measure.validation.dynamo.replay import BLOCK, load_dynamo
from anarchy.serving.reference.kv_cache.prefix_index import PrefixIndex
from anarchy.serving.reference.router.policy import KvRouter16, View

STATES = 10_000
WORKERS = 4
STORED_SHARE = 4
"""The first of this many parts of the states also store a path of blocks."""

TIE = 1e-9
"""Costs this close are a tie; they are sums of multiples of 1/64."""


def compare_overlaps(states: int = STATES) -> Row:
    """In how many states both find the same overlap of a prompt with every worker."""
    draw = random.Random(1)
    tree, index = load_dynamo().RadixTree(), PrefixIndex(WORKERS)
    held: list[set[tuple[int, ...]]] = [set() for _ in range(WORKERS)]
    names: dict[tuple[int, ...], int] = {}
    equal = 0
    for number in range(states):
        worker = draw.randrange(WORKERS)
        path = [draw.randrange(3) for _ in range(draw.randrange(1, 8))]
        if number < states // STORED_SHARE:
            tree.apply_event(worker, _stored(number, path))
            for depth in range(len(path)):
                prefix = tuple(path[: depth + 1])
                if prefix not in held[worker]:
                    held[worker].add(prefix)
                    index.store(worker, names.setdefault(prefix, len(names)))
        asked = [draw.randrange(3) for _ in range(draw.randrange(1, 10))]
        blocks = [names.get(tuple(asked[: k + 1]), -1) for k in range(len(asked))]
        scores = tree.find_matches(asked).scores
        theirs = [scores.get((worker, 0), 0) for worker in range(WORKERS)]
        equal += index.overlaps(blocks) == theirs
    return _row("overlap", "overlap with a prompt", equal, states)


def _stored(number: int, path: list[int]) -> bytes:
    """The event that a worker has stored a path of blocks; a block is named by all before it."""
    names = [hash(tuple(path[: depth + 1])) & (2**63 - 1) for depth in range(len(path))]
    blocks = [
        {"block_hash": name, "tokens_hash": token} for name, token in zip(names, path, strict=True)
    ]
    data = {"stored": {"parent_hash": None, "blocks": blocks}}
    return json.dumps({"event_id": number, "data": data, "dp_rank": 0}).encode()


def compare_cheapest(states: int = STATES) -> Row:
    """In how many states without a tie their choice is the worker that costs least by `kv-1.6`.

    Requests come, finish their prompts and leave. States with a tie are not counted, but there
    too their choice must be among the cheapest.
    """
    equal = asyncio.run(_cheapest(states))
    return _row("cheapest", "cheapest worker", equal, states)


async def _cheapest(states: int) -> int:
    draw = random.Random(2)
    service = load_dynamo().SelectionService(indexer_threads=1)
    for worker in range(WORKERS):
        # An endpoint that nobody listens at makes a worker eligible.
        await service.upsert_worker(
            {
                "worker_id": worker,
                "model_name": "m",
                "endpoint": f"tcp://127.0.0.1:{9000 + worker}",
                "kv_events_endpoint": f"tcp://127.0.0.1:{9100 + worker}",
                "block_size": BLOCK,
            }
        )
    policy = KvRouter16(Router(policy="kv-1.6"))
    queued, blocks, active = [0] * WORKERS, [0] * WORKERS, [0] * WORKERS
    live: dict[str, tuple[int, int, bool]] = {}
    untied = wrong = number = 0
    while untied < states:
        number += 1
        if len(live) > draw.randrange(1, 30):
            name = draw.choice(list(live))
            worker, tokens, computed = live[name]
            if computed:
                await service.free_reservation(name)
                blocks[worker] -= tokens // BLOCK
                active[worker] -= 1
                del live[name]
            else:
                await service.prefill_complete(name)
                queued[worker] -= tokens
                live[name] = (worker, tokens, True)
            continue
        size = draw.randrange(1, 12)
        tokens, first = size * BLOCK, number * 10_000
        answer = await service.select_and_reserve(
            {
                "model_name": "m",
                "token_ids": list(range(first, first + tokens)),
                "selection_id": str(number),
            }
        )
        chosen: int = answer["worker_id"]
        costs = _costs(policy, size, queued, blocks, active)
        cheapest = costs <= costs.min() + TIE
        untied += cheapest.sum() == 1
        wrong += not cheapest[chosen]
        queued[chosen] += tokens
        blocks[chosen] += size
        active[chosen] += 1
        live[str(number)] = (chosen, tokens, False)
    service.shutdown()
    return untied - wrong


def _costs(
    policy: KvRouter16, size: int, queued: list[int], blocks: list[int], active: list[int]
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Prompt and active blocks on each worker: it serves both pools, so their costs are added."""
    none = [0] * WORKERS
    costs = np.zeros(WORKERS)
    for pool in ("prefill", "decode"):
        seen = (none, queued, blocks, active, None, None)
        view = View(pool, BLOCK, size, *seen, (), size * BLOCK, 0, 1, None, list)  # type: ignore[arg-type]
        costs += policy.costs(view)
    return costs


def _row(name: str, quantity: str, equal: int, states: int) -> Row:
    return {
        "id": f"units-{name}",
        "group": "units",
        "quantity": quantity,
        "equal": int(equal),
        "n": states,
    }
