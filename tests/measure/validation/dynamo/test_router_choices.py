"""The states in which choices are counted, and what is expected of them; no wheel is needed."""

from fractions import Fraction as F
from itertools import pairwise

import pytest

from anarchy.measure.validation.dynamo.replay import STEP_TIMES, ours
from anarchy.measure.validation.dynamo.router_choices import (
    OVERLAP,
    PROMPTS,
    count_choices,
    measure_choices,
    normalised,
    our_choices,
    probability,
    trial_requests,
    worker_costs,
)


def test_only_the_last_prompt_of_a_trial_finds_another_in_prefill() -> None:
    requests = trial_requests(2)
    gaps = [b[0] - a[0] for a, b in pairwise(requests)]
    assert gaps.count(OVERLAP) == 2
    assert OVERLAP < STEP_TIMES[0] < min(gap for gap in gaps if gap != OVERLAP)
    first, second = ({i for r in requests[k : k + 6] for i in r[3]} for k in (0, 6))
    assert not first & second


def test_costs_by_hand() -> None:
    assert worker_costs(0, [], 4) == [1, 1, 1, 1]
    assert worker_costs(1, [2], 4) == [2, 2, 1, 2]
    assert worker_costs(2, [2, 0], 4) == [1, 3, 2, 3]
    assert worker_costs(5, [2, 0, 0, 1, 3], 4) == [2, 1, 2, 6]
    assert worker_costs(5, [2, 0, 0, 1, 1], 4) == [2, 5, 2, 2]
    assert normalised([2, 1, 2, 6]) == (F(1, 5), 0, F(1, 5), 1)
    assert normalised([3, 3]) == (0, 0)


def test_the_simulator_sees_these_costs() -> None:
    """In blocks of 64 tokens, of which one of the trace has eight."""
    requests = trial_requests(40)
    log = ours(requests, topology=(4, 1), temperature=1.0)
    chosen = log.prefill_worker.tolist()
    for i, costs in enumerate(log.prefill_cost.tolist()):
        trial = chosen[i - i % len(PROMPTS) : i]
        assert costs == [8 * cost for cost in worker_costs(i % len(PROMPTS), trial, 4)]


@pytest.mark.parametrize("temperature", [0.25, 1.0])
def test_probabilities_of_all_costs_sum_to_one(temperature: float) -> None:
    levels = (F(0), F(1, 5), F(1, 5), F(1))
    assert sum(probability(levels, x, temperature) for x in set(levels)) == pytest.approx(1)
    assert probability((F(0), F(1)), F(0), temperature) == pytest.approx(
        1 / (1 + 2.718281828459045 ** (-1 / temperature))
    )


def test_without_temperature_the_cheapest_is_certain() -> None:
    levels = (F(0), F(1, 5), F(1))
    assert [probability(levels, x, 0.0) for x in levels] == [1, 0, 0]
    assert probability((F(0),) * 4, F(0), 0.0) == 0.25


def test_counts_by_hand() -> None:
    trial = [0, 0, 0, 1, 1, 0]
    counts = count_choices(trial, 2)
    assert counts == {
        (("all alike", (0, 0)), 0): [1, 1],
        (("one holds a prefix", (0, 1)), 0): [1, 1],
        (("the holder is busy", (0, 1)), 0): [1, 1],
    }


def test_rows_name_every_cost_but_the_highest() -> None:
    rows = measure_choices("ours", our_choices, 50, [2.0], [4])
    assert {(row["state"], row["cost"]) for row in rows} == {
        ("all alike", "0"),
        ("one holds a prefix", "0"),
        ("two hold prefixes", "0"),
        ("two hold prefixes", "1/2"),
        ("one holds, one is busy", "0"),
        ("one holds, one is busy", "1/5"),
        ("the holder is busy", "0"),
    }
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(0 <= row["taken"] <= row["n"] for row in rows)
