"""Routing decisions as pure functions: costs, argmin, ties, softmax, registration."""

import math
from itertools import repeat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.config.router import Router
from anarchy.serving.reference.router.policy import (
    POLICIES,
    KvRouter,
    KvRouter16,
    RoundRobin,
    View,
    get_policy,
    plugins,
    softmax_choice,
    softmax_weights,
)

FREQUENCY_DRAWS = 20_000
STANDARD_ERRORS = 4.0  # a seeded draw lies outside with probability 6e-5


def view(pool: str = "decode", **changes: object) -> View:
    fields: dict[str, object] = {
        "pool": pool,
        "block_tokens": 64,
        "prompt_blocks": 4,
        "overlaps": [0, 2, 4],
        "queued_tokens": [0, 128, 0],
        "active_blocks": [10, 8, 12],
        "active": [3, 2, 3],
        "cache_sizes": lambda: [5, 1, 3],
        "added_blocks": None,
        "blocks": (),
        "input_tokens": 256,
        "output_tokens": 1,
        "slots": 256,
        "service": None,
        "outputs": list,
    }
    return View(**(fields | changes))  # type: ignore[arg-type]


def test_prefill_cost_counts_queue_and_missing_blocks() -> None:
    assert KvRouter(Router(overlap_weight=2.0)).costs(view("prefill")) == [8.0, 8.0, 0.0]


def test_decode_cost_ignores_overlap_unless_told() -> None:
    assert KvRouter(Router(overlap_weight=5.0)).costs(view()) == [14.0, 12.0, 16.0]
    seen = KvRouter(Router(overlap_weight=5.0, decode_overlap=True)).costs(view())
    assert seen == [34.0, 22.0, 16.0]


def test_credit_of_version_1_6_depends_on_the_tier() -> None:
    tiers = [[1, 0, 4], [2, 0, 0], [0, 4, 0], [1, 0, 0]]
    seen = view("prefill", queued_tokens=[0, 0, 0], by_tier=lambda blocks: tiers)
    assert KvRouter16(Router()).costs(seen) == [4 - (1 + 1.5 + 1), 4 - 1.0, 0.0]
    assert KvRouter16(Router(network_credit=0.0, host_credit=0.0)).costs(seen)[0] == 3.0


def test_the_cost_of_version_1_6_is_clamped_and_counts_requests() -> None:
    # Blocks to compute: 4, 2 + 4, 4; credit 3 a block: 0, 6, 12.
    policy = KvRouter16(Router(overlap_weight=2.0, overlap_credit=3.0, request_weight=0.5))
    assert policy.costs(view("prefill")) == [8.0 + 1.5, 0.0 + 1.0, 0.0 + 1.5]
    # Nothing of a prompt is computed in decode: blocks there, its own, and requests.
    assert policy.costs(view()) == [15.5, 13.0, 17.5]
    assert KvRouter16(Router()).costs(view("prefill")) == KvRouter(Router()).costs(view("prefill"))


def test_argmin_takes_the_cheapest() -> None:
    policy = KvRouter(Router())
    assert policy.choose(view(), [14.0, 12.0, 16.0], repeat(0.9), repeat(0.9)) == 1


@pytest.mark.parametrize(
    ("ties", "draw", "expected"),
    [("first", 0.9, 0), ("random", 0.0, 0), ("random", 0.99, 2), ("smallest-cache", 0.0, 2)],
)
def test_tie_rules(ties: str, draw: float, expected: int) -> None:
    policy = KvRouter(Router.model_validate({"ties": ties}))
    assert policy.choose(view(), [1.0, 2.0, 1.0], repeat(draw), repeat(0.0)) == expected


def test_smallest_cache_draws_among_equally_small_ones() -> None:
    policy = KvRouter(Router())
    equal = view(cache_sizes=lambda: [1, 1, 7])
    assert policy.choose(equal, [1.0, 1.0, 1.0], repeat(0.0), repeat(0.0)) == 0
    assert policy.choose(equal, [1.0, 1.0, 1.0], repeat(0.6), repeat(0.0)) == 1


@given(
    gap=st.floats(1e-6, 1e6),
    temperature=st.floats(0.05, 5),
)
def test_two_workers_are_chosen_by_temperature_alone(gap: float, temperature: float) -> None:
    """Divided by its range, a cost difference of two workers is 1, whatever the load gap."""
    better, worse = softmax_weights([3.0, 3.0 + gap], temperature, normalise=True)
    assert math.isclose(better / (better + worse), 1 / (1 + math.exp(-1 / temperature)))


def test_plain_softmax_sees_the_gap() -> None:
    weights = softmax_weights([0.0, 2.0], 1.0, normalise=False)
    assert weights == [1.0, math.exp(-2.0)]


def test_equal_costs_are_uniform() -> None:
    assert softmax_weights([2.0, 2.0, 2.0], 0.5, normalise=True) == [1.0, 1.0, 1.0]
    assert [softmax_choice([2.0] * 4, 0.5, True, u) for u in (0.0, 0.3, 0.6, 0.99)] == [0, 1, 2, 3]


@pytest.mark.parametrize("temperature", [0.25, 0.5, 1.0, 2.0])
def test_softmax_frequencies(temperature: float) -> None:
    import numpy as np

    costs = [0.0, 1.0, 4.0]
    draws = np.random.default_rng(7).random(FREQUENCY_DRAWS)
    counts = np.bincount([softmax_choice(costs, temperature, True, u) for u in draws], minlength=3)
    weights = np.array(softmax_weights(costs, temperature, True))
    expected = weights / weights.sum()
    error = np.sqrt(expected * (1 - expected) / FREQUENCY_DRAWS)
    assert (abs(counts / FREQUENCY_DRAWS - expected) < STANDARD_ERRORS * error).all()


def test_a_draw_just_below_one_stays_in_range() -> None:
    assert softmax_choice([1.0, 1.0, 1.0], 0.7, True, math.nextafter(1.0, 0.0)) == 2


def test_round_robin_takes_turns() -> None:
    policy = RoundRobin(Router(policy="round-robin"))
    turns = [policy.choose(view(), [0.0] * 3, repeat(0.0), repeat(0.0)) for _ in range(5)]
    assert turns == [0, 1, 2, 0, 1]


def test_unknown_policy_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"unknown router policy 'round-robbin'; did you mean"):
        get_policy("round-robbin")


PLUGIN = """
from __future__ import annotations

from dataclasses import dataclass

from anarchy.serving.reference.router.policy import Policy, register


@dataclass
class Note:
    text: str


@register("last-worker-test")
class Last(Policy):
    def costs(self, view):
        return [-float(w) for w in range(len(view.active))]
"""


def test_plugin_registers_a_policy_for_its_context(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN)
    for _ in range(2):  # a second experiment may bring the same name
        with plugins([plugin]):
            assert "last-worker-test" in POLICIES
            assert get_policy("last-worker-test")(Router()).costs(view()) == [0.0, -1.0, -2.0]
        assert "last-worker-test" not in POLICIES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "raise RuntimeError('no\\nluck')",
            r"mine\.py: the plugin fails with RuntimeError: no luck",
        ),
        ("import sys; sys.exit()", r"mine\.py: the plugin fails with SystemExit"),
        (
            PLUGIN.replace("last-worker-test", "kv"),
            r"mine\.py: router policy 'kv' is registered already",
        ),
    ],
    ids=["fails", "exits", "takes-a-name"],
)
def test_bad_plugin_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(text)
    with pytest.raises(InputError, match=message), plugins([plugin]):
        pass
    assert get_policy("kv") is KvRouter


def test_missing_plugin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such plugin file"), plugins([tmp_path / "absent.py"]):
        pass
