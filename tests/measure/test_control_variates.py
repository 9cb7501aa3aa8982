"""Control variates: what they may not change, what they gain, and how often they cover."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.measure.control_variates import (
    Estimate,
    batch_means,
    controlled_mean,
    quantile_interval,
    zero_mean_p_value,
)
from anarchy.measure.intervals import mean_interval

REPETITIONS = 4000


def binomial_limits(probability: float, n: int = REPETITIONS) -> tuple[float, float]:
    """Four standard deviations around the probability: seeds are fixed, so this cannot flicker."""
    spread = 4 * math.sqrt(probability * (1 - probability) / n)
    return probability - spread, probability + spread


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_without_controls_it_is_the_student_interval(values: list[float]) -> None:
    ours = controlled_mean(np.array(values)).interval()
    plain = mean_interval(values)
    assert ours.value == pytest.approx(plain.value, abs=1e-9)
    assert ours.lo == pytest.approx(plain.lo, abs=1e-6)
    assert ours.n == plain.n


def test_by_hand() -> None:
    """y = 3 + 2 c + (1, -1, -1, 1) / 10 with c = (0, 1, 2, 3) - 1: intercept 3 at c = 0."""
    control = np.array([-1.0, 0.0, 1.0, 2.0])
    noise = np.array([0.1, -0.1, -0.1, 0.1])
    found = controlled_mean(3 + 2 * control + noise, control[:, None])
    assert found.value == pytest.approx(3.0)
    assert found.freedom == 2
    # Residual variance 0.04 / 2; leverage of the intercept 1/4 + 0.5^2 / 5.
    assert found.error == pytest.approx(math.sqrt(0.02 * (0.25 + 0.05)))


def test_a_perfect_control_leaves_no_error() -> None:
    control = np.random.default_rng(1).normal(size=(20, 1))
    found = controlled_mean(5 + 7 * control[:, 0], control)
    assert found.value == pytest.approx(5.0)
    assert found.error < 1e-12


@given(st.integers(0, 2**32), st.floats(-50, 50), st.floats(0.01, 50))
def test_scaling_and_shifting_the_observations(seed: int, shift: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    values, controls = rng.normal(size=12), rng.normal(size=(12, 3))
    found = controlled_mean(values, controls)
    moved = controlled_mean(shift + scale * values, controls)
    assert moved.value == pytest.approx(shift + scale * found.value, abs=1e-9)
    assert moved.error == pytest.approx(scale * found.error, rel=1e-6)


@given(st.integers(0, 2**32))
def test_mixing_the_controls_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, controls = rng.normal(size=15), rng.normal(size=(15, 3))
    mixed = controls @ np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 5.0], [1.0, 0.0, 1.0]])
    ours, theirs = controlled_mean(values, controls), controlled_mean(values, mixed)
    assert ours.value == pytest.approx(theirs.value, abs=1e-8)
    assert ours.error == pytest.approx(theirs.error, rel=1e-6)


@pytest.mark.parametrize(("n", "q"), [(8, 0), (8, 3), (40, 5)])
def test_the_interval_covers_as_often_as_it_says(n: int, q: int) -> None:
    rng = np.random.default_rng([n, q])
    slopes = np.arange(1, q + 1)
    covered = 0
    for _ in range(REPETITIONS):
        controls = rng.normal(size=(n, q))
        values = 1 + controls @ slopes + rng.normal(size=n)
        covered += not controlled_mean(values, controls).interval().excludes(1.0)
    low, high = binomial_limits(0.95)
    assert low <= covered / REPETITIONS <= high


def test_a_control_with_another_mean_is_found_out() -> None:
    rng = np.random.default_rng(7)
    right = rng.normal(size=(60, 4))
    wrong = right + np.array([0.0, 0.0, 1.0, 0.0])
    assert zero_mean_p_value(right) > 0.01
    assert zero_mean_p_value(wrong) < 1e-6


def test_the_p_value_of_zero_means_is_uniform() -> None:
    rng = np.random.default_rng(3)
    mixing = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0], [0.0, 0.0, 1.0]])
    p_values = [zero_mean_p_value(rng.normal(size=(12, 3)) @ mixing) for _ in range(REPETITIONS)]
    for level in (0.05, 0.5):
        low, high = binomial_limits(level)
        assert low <= np.mean(np.array(p_values) <= level) <= high


def test_the_p_value_agrees_with_the_interval() -> None:
    found = controlled_mean(np.random.default_rng(2).normal(size=25))
    edge = found.interval(0.95).hi
    assert edge is not None
    assert found.p_value(edge) == pytest.approx(0.05)
    assert found.p_value(found.value) == 1.0


def test_without_error_only_the_value_itself_is_possible() -> None:
    certain = Estimate(2.0, 0.0, 5, 6)
    assert certain.p_value(2.0) == 1.0
    assert certain.p_value(2.1) == 0.0


def exceeds(draws: np.ndarray, time: float) -> Estimate:
    return controlled_mean(batch_means(draws > time, 50))


def test_quantile_of_exponential_draws() -> None:
    covered = 0
    repetitions = 200
    for seed in range(repetitions):
        draws = np.random.default_rng(seed).exponential(size=5000)
        found = quantile_interval(lambda x, d=draws: exceeds(d, x), 0.1, 1.0)
        assert found.lo is not None
        assert found.hi is not None
        assert found.lo < found.value < found.hi
        covered += not found.excludes(math.log(10))
    low, high = binomial_limits(0.95, repetitions)
    assert low <= covered / repetitions <= high


def test_a_quantile_far_from_the_guess_is_refused() -> None:
    with pytest.raises(ValueError, match="no quantile"):
        quantile_interval(lambda x: Estimate(0.5, 0.01, 10, 12), 0.1, 1.0)


def test_a_limit_that_the_data_do_not_give_is_none() -> None:
    found = quantile_interval(lambda x: Estimate(math.exp(-x), 0.2, 1000, 1002), 0.1, 2.0)
    assert found.hi is None
    assert found.lo is not None


def test_batch_means() -> None:
    assert batch_means(np.arange(7.0), 3).tolist() == [0.5, 2.5, 4.5]
    with pytest.raises(ValueError, match="do not fill"):
        batch_means(np.arange(2.0), 3)


@pytest.mark.parametrize(
    ("controls", "fault"),
    [
        (np.ones((6, 1)), "constant"),
        (np.arange(12.0).reshape(6, 2), "dependent"),
        (np.zeros((6, 5)), "too few"),
        (np.zeros((5, 1)), "too few"),
    ],
)
def test_unusable_controls_are_refused(controls: np.ndarray, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        controlled_mean(np.arange(6.0), controls)


def test_hotelling_needs_observations() -> None:
    with pytest.raises(ValueError, match="too few"):
        zero_mean_p_value(np.zeros((2, 2)))
