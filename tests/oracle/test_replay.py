"""Our simulator and Dynamo's trace replay give the same answer for every request.

Round-robin routing has no randomness, so nothing is left to tolerances but the last bits of sums.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from anarchy.measure.validation.dynamo.per_request import (
    CASES,
    TRANSFER,
    Case,
    bursts,
    classify,
    compare_case,
    pair_outcomes,
)
from anarchy.measure.validation.dynamo.replay import MS, Request, ours, replay
from anarchy.serving.log.request_log import RequestLog

DECODE_STEP = 0.008


def assert_equal(
    requests: Sequence[Request], result: Any, log: RequestLog, speed: float = 1.0
) -> None:
    """Every request has the same times, workers and cached tokens in both."""
    pairs = pair_outcomes(requests, result, log, speed)
    assert len(pairs) == len(requests)
    different = [pair for pair in pairs if classify(*pair, DECODE_STEP) != "equal"]
    assert not different, different[:3]


@pytest.mark.parametrize("start", [0, 4000, 11_000])
def test_the_recorded_trace(start: int, recorded: list[Request]) -> None:
    requests = recorded[start : start + 1000]
    assert_equal(requests, replay(requests), ours(requests))


def test_case_one_has_its_known_figures(recorded: list[Request]) -> None:
    log = ours(recorded[:1000])
    assert log.ttft.mean() * MS == pytest.approx(399.511, abs=5e-4)
    assert log.cached_tokens.sum() / log.input_tokens.sum() == pytest.approx(0.091016, abs=5e-7)


@pytest.mark.parametrize(("tokens", "ttft"), [(2048, 1900.448), (16_384, 235.030)])
def test_the_budget_of_a_step(tokens: int, ttft: float, recorded: list[Request]) -> None:
    requests = recorded[:1000]
    result = replay(requests, prefill={"max_num_batched_tokens": tokens})
    log = ours(requests, fields={"engine.prefill.batch_tokens": tokens})
    assert_equal(requests, result, log)
    assert log.ttft.mean() * MS == pytest.approx(ttft, abs=5e-4)


def test_case_two_hands_over_at_a_bandwidth(recorded: list[Request]) -> None:
    requests = recorded[:1000]
    log = ours(requests, fields={"engine.handoff.bandwidth": 5e10})
    assert_equal(requests, replay(requests, prefill=TRANSFER), log)
    assert log.ttft.mean() * MS == pytest.approx(448.664, abs=5e-4)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_differs_is_drift_or_one_step(case: Case, recorded: list[Request]) -> None:
    """Step times off the grid of times drift; steps that ended together may then part."""
    row = compare_case(case, recorded[:1000])
    assert row["other"] == 0
    assert row["step"] <= 0.01 * row["n"]
    assert row["within"] >= 0.99 * row["n"]
    assert max(row["ttft_error"], row["reuse_error"]) < 0.01


def test_differences_are_told_apart(recorded: list[Request]) -> None:
    """What is equal is called so, and a wrong step time, budget or memory is `other`."""
    requests = recorded[:300]
    result = replay(requests)

    def found(**changes: Any) -> set[str]:
        pairs = pair_outcomes(requests, result, ours(requests, **changes))
        return {classify(*pair, DECODE_STEP) for pair in pairs}

    assert found() == {"equal"}
    assert found(times=(100.0, 8.0 + 1e-6)) == {"rounding"}
    for wrong in ({"times": (101.0, 8.0)}, {"fields": {"engine.cache.enabled": False}}):
        assert "other" in found(**wrong)


@pytest.mark.parametrize("speed", [0.7, 2.0, 5.0])
def test_other_speeds(speed: float, recorded: list[Request]) -> None:
    requests = recorded[:600]
    result = replay(requests, arrival_speedup_ratio=speed)
    assert_equal(requests, result, ours(requests, fields={"workload.speed": speed}), speed)


@pytest.mark.parametrize("topology", [(1, 1), (5, 2), (2, 7)])
def test_other_pools(topology: tuple[int, int], recorded: list[Request]) -> None:
    requests = recorded[:500]
    log = ours(requests, topology=topology)
    assert_equal(requests, replay(requests, topology=topology), log)


@pytest.mark.parametrize("blocks", [32_768, 1000, 600, 420])
@pytest.mark.parametrize("seed", range(4))
def test_small_memories_evict_and_preempt_alike(seed: int, blocks: int) -> None:
    """A longest prompt takes 310 blocks."""
    requests = bursts(seed)
    assert_equal(requests, replay(requests, blocks=blocks), ours(requests, blocks=blocks))


SWITCHES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no-cache": ({"enable_prefix_caching": False}, {"engine.cache.enabled": False}),
    "first-preempted": ({"preemption_mode": "fifo"}, {"engine.memory.preempt": "first"}),
    "few-slots": (
        {"max_num_seqs": 3},
        {"engine.prefill.batch_requests": 3, "engine.decode.slots": 3},
    ),
    "small-steps": ({"max_num_batched_tokens": 1024}, {"engine.prefill.batch_tokens": 1024}),
}


@pytest.mark.parametrize("seed", range(5, 8))
@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_means_the_same(switch: str, seed: int) -> None:
    theirs, mine = SWITCHES[switch]
    requests = bursts(seed)
    result = replay(requests, blocks=500, prefill=theirs, decode=theirs)
    assert_equal(requests, result, ours(requests, blocks=500, fields=mine))


@pytest.mark.parametrize("seed", range(8, 11))
def test_transfers_between_steps(seed: int) -> None:
    """With slow transfers, reservations are granted one by one at the ends of decode steps."""
    requests = bursts(seed)
    slow = {**TRANSFER, "kv_transfer_bandwidth": 3.0}
    result = replay(requests, blocks=2000, prefill=slow, topology=(3, 3))
    fields = {"engine.handoff.bandwidth": 3e9}
    assert_equal(requests, result, ours(requests, blocks=2000, topology=(3, 3), fields=fields))
