import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.measure.knee.search import find_knee, knee_interval


def test_knee_lies_between_the_neighbours_of_the_crossing():
    points = [(64, 0.7), (96, 0.99), (128, 0.995), (160, 1.0)]
    assert knee_interval(points) == (96, 128)
    assert knee_interval(points[::-1]) == (96, 128)
    assert knee_interval(points, busy=0.7) == (None, 64)


def test_a_sweep_that_never_saturates_is_open_above():
    assert knee_interval([(1, 0.1), (2, 0.2)]) == (2, None)


def test_a_sweep_that_is_saturated_from_the_start_is_open_below():
    assert knee_interval([(8, 1.0), (16, 1.0)]) == (None, 8)


def test_the_first_crossing_counts_when_noise_crosses_twice():
    assert knee_interval([(1, 0.5), (2, 0.996), (3, 0.994), (4, 0.999)]) == (1, 2)


@pytest.mark.parametrize("points", [[], [(1, 0.5), (1, 0.6)]])
def test_knee_interval_refuses_what_is_no_sweep(points):
    with pytest.raises(ValueError, match=r"at least one|twice"):
        knee_interval(points)


@given(st.integers(1, 1024), st.integers(1, 1024), st.integers(-3, 1100))
def test_find_knee_finds_any_threshold_from_any_guess(knee, largest, guess):
    calls = []

    def busy_at(clients):
        calls.append(clients)
        return 1.0 if clients >= knee else 0.5

    found = find_knee(busy_at, 0.995, largest, guess)
    assert found == (knee if knee <= largest else None)
    assert len(calls) == len(set(calls))
    assert all(1 <= c <= largest for c in calls)
    distance = abs(min(knee, largest) - min(max(guess, 1), largest))
    assert len(calls) <= 2 * math.log2(max(2, distance)) + 4


def test_find_knee_moves_below_a_dip_next_to_the_crossing():
    # 100 is saturated, 101 dips: bisection alone would answer 102.
    def busy_at(clients):
        return 1.0 if clients >= 100 and clients != 101 else 0.5

    assert find_knee(busy_at, 0.995, 1024) == 100


@given(st.lists(st.booleans(), min_size=1, max_size=64), st.integers(1, 64))
def test_find_knee_of_any_noise_is_a_saturated_load_above_two_that_are_not(noise, guess):
    found = find_knee(lambda c: float(noise[c - 1]), 0.5, len(noise), guess)
    if found is None:
        assert not noise[-1]
    else:
        assert noise[found - 1]
        assert not any(noise[max(0, found - 3) : found - 1])


def test_find_knee_threshold_is_inclusive():
    assert find_knee(lambda c: c / 10, 0.5, 16) == 5


def test_find_knee_needs_a_range():
    with pytest.raises(ValueError, match="at least 1"):
        find_knee(lambda c: 1.0, 0.5, 0)
