"""Forecasts: what they say of constant, stepping and noisy loads."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.config import Planner
from anarchy.serving.forecast import Constant, Kalman, MovingAverage, make_forecast


@given(
    value=st.floats(-1e6, 1e6),
    count=st.integers(1, 30),
    name=st.sampled_from(["constant", "moving-average", "kalman"]),
)
def test_a_constant_load_is_foretold(value: float, count: int, name: str) -> None:
    forecast = make_forecast(Planner(forecast=name))  # type: ignore[arg-type]
    for _ in range(count):
        assert forecast.update(value) == pytest.approx(value)


def test_moving_average_by_hand() -> None:
    forecast = MovingAverage(3)
    assert [forecast.update(v) for v in (3.0, 6.0, 0.0, 9.0)] == [3.0, 4.5, 3.0, 5.0]


def test_constant_repeats() -> None:
    assert [Constant().update(v) for v in (1.0, 7.0)] == [1.0, 7.0]


@pytest.mark.parametrize("ratio", [0.01, 0.1, 1.0, 10.0])
def test_kalman_gain_tends_to_its_root(ratio: float) -> None:
    """K^2 = ratio (1 - K): from a unit step the forecast's error shrinks by 1 - K."""
    forecast = Kalman(ratio)
    for _ in range(200):
        forecast.update(0.0)
    gain = forecast.update(1.0)
    assert gain == pytest.approx((math.sqrt(ratio**2 + 4 * ratio) - ratio) / 2)
    assert forecast.update(1.0) == pytest.approx(1 - (1 - gain) ** 2)


def test_kalman_beats_both_others_on_its_own_model() -> None:
    """It is the best linear forecast of a wandering level seen with noise."""
    rng = random.Random(5)
    ratio, level = 0.1, 0.0
    forecasts = {"kalman": Kalman(ratio), "constant": Constant(), "mean": MovingAverage(20)}
    errors = dict.fromkeys(forecasts, 0.0)
    said = dict.fromkeys(forecasts, 0.0)
    for _ in range(20_000):
        level += rng.gauss(0.0, math.sqrt(ratio))
        value = level + rng.gauss(0.0, 1.0)
        for name, forecast in forecasts.items():
            errors[name] += (value - said[name]) ** 2
            said[name] = forecast.update(value)
    assert errors["kalman"] < 0.9 * min(errors["constant"], errors["mean"])
