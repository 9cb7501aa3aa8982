"""Our router and Dynamo's: overlaps, the cheapest worker, and whole runs with drawn choices."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anarchy.config import Router
from anarchy.serving.kvcache import PrefixIndex
from anarchy.serving.router import KvRouter16, View
from tests.oracle.conftest import MS, Row, dynamo, ours, replay

STATES = 10_000
BLOCK = 64
RUNS = 6
STANDARD_ERRORS = 6.0  # of two means of 6 runs: Student's t with 5 to 10 degrees of freedom
TIE = 1e-9  # costs are sums of multiples of 1/64


def stored(number: int, path: list[int]) -> bytes:
    """The event that a worker has stored a path of blocks; a block is named by all before it."""
    names = [hash(tuple(path[: depth + 1])) & (2**63 - 1) for depth in range(len(path))]
    blocks = [
        {"block_hash": name, "tokens_hash": token} for name, token in zip(names, path, strict=True)
    ]
    data = {"stored": {"parent_hash": None, "blocks": blocks}}
    return json.dumps({"event_id": number, "data": data, "dp_rank": 0}).encode()


def test_overlaps_equal_those_of_the_radix_tree() -> None:
    draw = random.Random(1)
    tree, index, workers = dynamo.RadixTree(), PrefixIndex(4), range(4)
    held: list[set[tuple[int, ...]]] = [set() for _ in workers]
    names: dict[tuple[int, ...], int] = {}
    for number in range(STATES):
        worker = draw.randrange(4)
        path = [draw.randrange(3) for _ in range(draw.randrange(1, 8))]
        if number < STATES // 4:
            tree.apply_event(worker, stored(number, path))
            for depth in range(len(path)):
                prefix = tuple(path[: depth + 1])
                if prefix not in held[worker]:
                    held[worker].add(prefix)
                    index.store(worker, names.setdefault(prefix, len(names)))
        asked = [draw.randrange(3) for _ in range(draw.randrange(1, 10))]
        blocks = [names.get(tuple(asked[: k + 1]), -1) for k in range(len(asked))]
        scores = tree.find_matches(asked).scores
        assert index.overlaps(blocks) == [scores.get((w, 0), 0) for w in workers]


def test_the_cheapest_worker_is_the_selection_services() -> None:
    """Requests come, finish their prompts and leave; every untied decision must be equal."""

    async def decisions() -> int:
        draw, workers = random.Random(2), 4
        service = dynamo.SelectionService(indexer_threads=1)
        for worker in range(workers):
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
        queued, blocks, active = [0] * workers, [0] * workers, [0] * workers
        live: dict[str, tuple[int, int, bool]] = {}
        untied = number = 0
        while untied < STATES:
            number += 1
            if len(live) > draw.randrange(1, 30):
                name = draw.choice(list(live))
                worker, tokens, computed = live[name]
                if not computed:
                    await service.prefill_complete(name)
                    queued[worker] -= tokens
                    live[name] = (worker, tokens, True)
                else:
                    await service.free_reservation(name)
                    blocks[worker] -= tokens // BLOCK
                    active[worker] -= 1
                    del live[name]
                continue
            size = draw.randrange(1, 12)
            tokens, first = size * BLOCK, number * 10_000
            request = {"model_name": "m", "token_ids": list(range(first, first + tokens))}
            request["selection_id"] = str(number)
            answer = await service.select_and_reserve(request)
            chosen: int = answer["worker_id"]
            none = [0] * workers
            costs = np.zeros(workers)
            for leg in ("prefill", "decode"):
                seen = (none, queued, blocks, active, None, None)
                view = View(leg, BLOCK, size, *seen, (), tokens, 0, 1, None, list)  # type: ignore[arg-type]
                costs += policy.costs(view)
            lowest = costs.min()
            assert costs[chosen] <= lowest + TIE, (number, costs, chosen)
            untied += (costs <= lowest + TIE).sum() == 1
            queued[chosen] += tokens
            blocks[chosen] += size
            active[chosen] += 1
            live[str(number)] = (chosen, tokens, False)
        service.shutdown()
        return untied

    assert asyncio.run(decisions()) == STATES


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_runs_agree_within_their_noise(
    temperature: float, recorded: list[Row], tmp_path: Path
) -> None:
    """The replay's ties and draws cannot be seeded, so means over runs are compared."""
    rows = recorded[:500]
    config = dynamo.KvRouterConfig(router_temperature=temperature)
    theirs = []
    for _ in range(RUNS):
        summary: Any = replay(rows, tmp_path, router_mode="kv_router", router_config=config).summary
        theirs.append((summary["mean_ttft_ms"], summary["prefix_cache_reused_ratio"]))
    for policy in ("kv", "kv-1.6"):
        fields = {"router__policy": policy, "router__temperature": temperature}
        logs = [ours(rows, seed, **fields, router__ties="random") for seed in range(RUNS)]
        mine = [
            (log.ttft.mean() * MS, log.cached_tokens.sum() / log.input_tokens.sum()) for log in logs
        ]
        gap = np.mean(mine, axis=0) - np.mean(theirs, axis=0)
        noise = np.sqrt((np.var(mine, axis=0, ddof=1) + np.var(theirs, axis=0, ddof=1)) / RUNS)
        assert (np.abs(gap) < STANDARD_ERRORS * noise).all(), (policy, gap, noise)
