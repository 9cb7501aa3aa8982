"""Forecasts: what they say of constant, stepping and noisy loads."""

import math
import random
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.config.scenario import Planner, Scenario
from anarchy.serving.reference.elastic.forecast import (
    Arima,
    Constant,
    Forecast,
    Kalman,
    MovingAverage,
    fewest_intervals,
    make_forecast,
)
from tests.serving.conftest import changed

FORECASTS = ["constant", "moving-average", "kalman", "arima"]
VALUES = st.lists(
    st.one_of(st.floats(0, 1e6), st.sampled_from([0.0, 1.0, 1e-9, 1e9])), min_size=1, max_size=12
)


def made(name: str, **values: object) -> Forecast:
    return make_forecast(Planner(forecast=name, **values))  # type: ignore[arg-type]


def last_said(forecast: Forecast, load: Sequence[float]) -> float:
    """What a forecast says after a whole load.

    ARIMA is fitted anew from the values alone, so the fits before the last are left out.
    """
    *earlier, last = load
    if isinstance(forecast, Arima):
        forecast._values.extend(earlier)
    else:
        for value in earlier:
            forecast.update(value)
    return forecast.update(last)


@pytest.mark.parametrize("name", FORECASTS)
@settings(max_examples=25)
@given(value=st.floats(0, 1e6), count=st.integers(1, 12))
def test_a_constant_load_is_foretold(name: str, value: float, count: int) -> None:
    forecast = made(name)
    for _ in range(count):
        assert forecast.update(value) == pytest.approx(value)


@pytest.mark.parametrize("name", FORECASTS)
@settings(max_examples=15)
@given(values=VALUES)
def test_forecasts_are_finite_not_negative_and_repeatable(name: str, values: list[float]) -> None:
    said = [list(map(made(name).update, values)) for _ in range(2)]
    assert said[0] == said[1]
    assert said[0][0] == values[0], "of one interval there is nothing else to say"
    assert all(math.isfinite(value) and value >= 0 for value in said[0])


@settings(max_examples=15)
@given(
    values=VALUES,
    order=st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2)),
    intervals=st.integers(1, 12),
)
def test_arima_of_any_order_copes_with_any_load(
    values: list[float], order: tuple[int, int, int], intervals: int
) -> None:
    forecast = Arima(order, intervals)
    assert all(math.isfinite(said) and said >= 0 for said in map(forecast.update, values))


def test_arima_repeats_the_last_value_until_it_has_seen_enough() -> None:
    forecast = Arima((1, 1, 0), 50)
    load = [3.0, 5.0, 4.0, 8.0, 10.0, 7.0]
    said = [forecast.update(value) for value in load]
    few = fewest_intervals((1, 1, 0))
    assert few == 5
    assert said[: few - 1] == load[: few - 1]
    assert said[few - 1] != load[few - 1]


def test_arima_goes_on_where_a_load_climbs() -> None:
    """Each interval 10 more: the others lag behind, ARIMA (1, 1, 0) sees the next one coming."""
    load = [100.0 + 10.0 * k for k in range(12)]
    errors = {name: load[-1] + 10.0 - last_said(made(name), load) for name in FORECASTS}
    assert errors["constant"] == 10.0
    assert abs(errors["arima"]) < 1.0
    assert min(errors["moving-average"], errors["kalman"]) > 10.0


def test_arima_is_fitted_to_the_last_intervals_only() -> None:
    load = [50.0, 3.0, 80.0, 1.0, 40.0, 60.0, 20.0, 10.0, 12.0, 15.0, 13.0, 18.0, 16.0]
    said = [*map(Arima((1, 1, 0), 7).update, load)][-1]
    assert said == last_said(Arima((1, 1, 0), 7), load[-7:])
    assert said != last_said(Arima((1, 1, 0), 50), load)


def test_arima_is_as_good_as_the_filter_on_its_own_model() -> None:
    """A wandering level with noise is ARIMA (0, 1, 1), whose best forecast is the filter's."""
    rng = random.Random(3)
    level, load = 50.0, []
    for _ in range(60):
        level += rng.gauss(0.0, 1.0)
        load.append(level + rng.gauss(0.0, 1.0))
    filtered = last_said(Kalman(1.0), load)
    assert last_said(Arima((0, 1, 1), 60), load) == pytest.approx(filtered, abs=0.5)


def test_the_library_is_imported_only_where_it_is_needed() -> None:
    code = (
        "import sys; from anarchy.config.scenario import Planner; import anarchy.serving.simulate;"
        "from anarchy.serving.reference.elastic.forecast import make_forecast;"
        "make_forecast(Planner(forecast='moving-average'));"
        "assert 'statsmodels' not in sys.modules;"
        "make_forecast(Planner(forecast='kalman'));"
        "assert 'statsmodels' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([1, 1], "planner.arima_order"),
        ([1, -1, 0], r"planner.arima_order.1: input should be greater than or equal to 0"),
        ([9, 1, 0], r"planner.arima_order.0: input should be less than or equal to 5"),
    ],
)
def test_bad_orders_are_refused(published: Scenario, order: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(published, planner__arima_order=order)


def test_moving_average_by_hand() -> None:
    forecast = MovingAverage(3)
    assert [forecast.update(v) for v in (3.0, 6.0, 0.0, 9.0)] == [3.0, 4.5, 3.0, 5.0]


def test_constant_repeats() -> None:
    assert [Constant().update(v) for v in (1.0, 7.0)] == [1.0, 7.0]


@pytest.mark.parametrize("ratio", [0.01, 0.1, 1.0, 10.0])
def test_kalman_gain_tends_to_its_root(ratio: float) -> None:
    """K^2 = ratio (1 - K): from a unit step the forecast's error shrinks by 1 - K."""
    forecast = Kalman(ratio)
    for _ in range(100):
        forecast.update(0.0)
    gain = forecast.update(1.0)
    assert gain == pytest.approx((math.sqrt(ratio**2 + 4 * ratio) - ratio) / 2)
    assert forecast.update(1.0) == pytest.approx(1 - (1 - gain) ** 2)


def test_kalman_beats_both_others_on_its_own_model() -> None:
    """It is the best linear forecast of a wandering level seen with noise."""
    rng = random.Random(5)
    ratio, level = 0.1, 1000.0
    forecasts = {"kalman": Kalman(ratio), "constant": Constant(), "mean": MovingAverage(20)}
    errors = dict.fromkeys(forecasts, 0.0)
    said = dict.fromkeys(forecasts, level)
    for _ in range(400):
        level += rng.gauss(0.0, math.sqrt(ratio))
        value = level + rng.gauss(0.0, 1.0)
        for name, forecast in forecasts.items():
            errors[name] += (value - said[name]) ** 2
            said[name] = forecast.update(value)
    assert errors["kalman"] < 0.9 * min(errors["constant"], errors["mean"])
