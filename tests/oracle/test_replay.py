"""Our simulator and Dynamo's trace replay give the same answer for every request.

Round-robin routing has no randomness, so nothing is left to tolerances but the last bits of sums.
"""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.conftest import MS, Row, assert_equal, ours, replay

TRANSFER = {"kv_transfer_bytes_per_token": 163_840, "kv_transfer_bandwidth": 50.0}


def synthetic(seed: int, count: int = 200, longest: int = 20) -> list[Row]:
    """Bursts of prompts that share long prefixes; ties of arrivals and step ends are frequent."""
    draw = random.Random(seed)
    shared = [[draw.randrange(10**6) for _ in range(longest)] for _ in range(6)]
    rows: list[Row] = []
    time = 0
    for _ in range(count):
        time += draw.choice([0, 0, 100, draw.randrange(200)])
        ids = draw.choice(shared)[: draw.randrange(1, longest)] if draw.random() < 0.7 else []
        own = draw.randrange(0 if ids else 1, longest)
        ids = ids + [draw.randrange(10**9) for _ in range(own)]
        prompt = (len(ids) - 1) * 512 + draw.choice([64, 128, 512, draw.randrange(1, 513)])
        rows.append((time, prompt, draw.choice([1, 2, draw.randrange(1, 300)]), ids))
    return rows


def check(rows: list[Row], folder: Path, theirs: dict[str, Any], mine: dict[str, Any]) -> None:
    assert_equal(rows, replay(rows, folder, **theirs), ours(rows, **mine))


@pytest.mark.parametrize("start", [0, 4000, 11_000])
def test_the_recorded_trace(start: int, recorded: list[Row], tmp_path: Path) -> None:
    check(recorded[start : start + 1000], tmp_path, {}, {})


def test_case_one_has_its_known_figures(recorded: list[Row]) -> None:
    log = ours(recorded[:1000])
    assert log.ttft.mean() * MS == pytest.approx(399.511, abs=5e-4)
    assert log.cached_tokens.sum() / log.input_tokens.sum() == pytest.approx(0.091016, abs=5e-7)


@pytest.mark.parametrize(("tokens", "ttft"), [(2048, 1900.448), (16_384, 235.030)])
def test_the_budget_of_a_step(
    tokens: int, ttft: float, recorded: list[Row], tmp_path: Path
) -> None:
    rows = recorded[:1000]
    result = replay(rows, tmp_path, prefill={"max_num_batched_tokens": tokens})
    log = ours(rows, engine__prefill__batch_tokens=tokens)
    assert_equal(rows, result, log)
    assert log.ttft.mean() * MS == pytest.approx(ttft, abs=5e-4)


def test_case_two_hands_over_at_a_bandwidth(recorded: list[Row], tmp_path: Path) -> None:
    rows = recorded[:1000]
    log = ours(rows, engine__handoff__bandwidth=5e10)
    assert_equal(rows, replay(rows, tmp_path, prefill=TRANSFER), log)
    assert log.ttft.mean() * MS == pytest.approx(448.664, abs=5e-4)


@pytest.mark.parametrize("speed", [0.7, 2.0, 5.0])
def test_other_speeds(speed: float, recorded: list[Row], tmp_path: Path) -> None:
    rows = recorded[:1500]
    result = replay(rows, tmp_path, arrival_speedup_ratio=speed)
    assert_equal(rows, result, ours(rows, workload__speed=speed), speed)


@pytest.mark.parametrize("topology", [(1, 1), (5, 2), (2, 7)])
def test_other_pools(topology: tuple[int, int], recorded: list[Row], tmp_path: Path) -> None:
    prefill, decode = topology
    mine = {"hardware__gpus": 9, "topology__prefill": prefill, "topology__decode": decode}
    log = ours(recorded[:500], **mine)
    assert_equal(recorded[:500], replay(recorded[:500], tmp_path, topology=topology), log)


@pytest.mark.parametrize("blocks", [32_768, 1000, 600, 420])
@pytest.mark.parametrize("seed", range(4))
def test_small_memories_evict_and_preempt_alike(seed: int, blocks: int, tmp_path: Path) -> None:
    """A longest prompt takes 310 blocks."""
    mine = {"engine__cache__capacity_tokens": blocks * 64}
    check(synthetic(seed), tmp_path, {"blocks": blocks}, mine)


SWITCHES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no-cache": ({"enable_prefix_caching": False}, {"engine__cache__enabled": False}),
    "first-preempted": ({"preemption_mode": "fifo"}, {"engine__memory__preempt": "first"}),
    "few-slots": (
        {"max_num_seqs": 3},
        {"engine__prefill__batch_requests": 3, "engine__decode__slots": 3},
    ),
    "small-steps": ({"max_num_batched_tokens": 1024}, {"engine__prefill__batch_tokens": 1024}),
}


@pytest.mark.parametrize("seed", range(5, 8))
@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_means_the_same(switch: str, seed: int, tmp_path: Path) -> None:
    theirs, mine = SWITCHES[switch]
    both = {"blocks": 500, "prefill": theirs, "decode": theirs}
    check(synthetic(seed), tmp_path, both, {"engine__cache__capacity_tokens": 500 * 64, **mine})


@pytest.mark.parametrize("seed", range(8, 11))
def test_transfers_between_steps(seed: int, tmp_path: Path) -> None:
    """With slow transfers, reservations are granted one by one at the ends of decode steps."""
    slow = {**TRANSFER, "kv_transfer_bandwidth": 3.0}
    both = {"blocks": 2000, "prefill": slow, "topology": (3, 3)}
    mine = {"engine__handoff__bandwidth": 3e9, "engine__cache__capacity_tokens": 2000 * 64}
    check(synthetic(seed), tmp_path, both, {"topology__decode": 3, **mine})
