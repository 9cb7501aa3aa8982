"""Forecasts of the next interval's value from those of past intervals.

Rates and lengths are not negative, so no forecast is. The models are those of statsmodels, which
takes a second or two to import and is therefore imported only for a forecast that needs it.

Source: the load predictors of NVIDIA Dynamo's planner (constant, ARIMA, Kalman).
"""

import warnings
from abc import ABC, abstractmethod
from collections import deque
from math import isfinite
from typing import Any

from anarchy.config.scenario import Planner


class Forecast(ABC):
    """A forecast of one quantity that is told its value after each interval."""

    @abstractmethod
    def update(self, value: float) -> float:
        """Take in the last interval's value and forecast the next one's."""


class Constant(Forecast):
    """As it was."""

    def update(self, value: float) -> float:
        return value


class MovingAverage(Forecast):
    """The mean of the last few intervals."""

    def __init__(self, intervals: int) -> None:
        self._values: deque[float] = deque(maxlen=intervals)

    def update(self, value: float) -> float:
        self._values.append(value)
        return sum(self._values) / len(self._values)


class Kalman(Forecast):
    """The Kalman filter of a level that wanders and is seen with noise.

    Only the ratio of the two variances matters. The first value is the first level, as nothing is
    known before. The gain K tends to the root of K^2 = ratio * (1 - K), which makes it exponential
    smoothing.

    Source: A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter
    (Cambridge University Press, 1989), local level model.
    """

    def __init__(self, ratio: float) -> None:
        from statsmodels.tsa.statespace.structural import UnobservedComponents

        self._model = UnobservedComponents
        self._variances = [1.0, ratio]  # of the noise and of the level's steps
        self._filtered: Any = None

    def update(self, value: float) -> float:
        if self._filtered is None:
            model = self._model([value], "local level", use_exact_diffuse=True)
            self._filtered = model.filter(self._variances)
        else:
            self._filtered = self._filtered.extend([value])
        return max(0.0, float(self._filtered.forecast(1)[0]))


class Arima(Forecast):
    """ARIMA(p, d, q), fitted anew to the last few intervals by maximum likelihood.

    It repeats the last value until there are two observations for each coefficient and the
    variance, while the values do not differ, and when the fit fails.

    Source: G. E. P. Box and G. M. Jenkins, Time Series Analysis: Forecasting and Control
    (Holden-Day, 1970). The default of the order, (1, 1, 0), says that a change partly goes on or
    partly goes back, from a level that returns to no mean; its one coefficient can be had from the
    few intervals that a planner has seen.
    """

    def __init__(self, order: tuple[int, int, int], intervals: int) -> None:
        from statsmodels.tsa.arima.model import ARIMA

        self._model = ARIMA
        self._order = order
        self._values: deque[float] = deque(maxlen=intervals)
        self._fewest = fewest_intervals(order)

    def update(self, value: float) -> float:
        self._values.append(value)
        largest = max(map(abs, self._values))
        if len(self._values) < self._fewest or len(set(self._values)) == 1:
            return value
        # Of the size of 1, because the optimiser's tolerances are absolute.
        scaled = [value / largest for value in self._values]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of few or odd values, which are no news here
            try:
                fitted = self._model(scaled, order=self._order).fit()
                forecast = float(fitted.forecast(1)[0]) * largest
            except (ArithmeticError, ValueError):  # numpy's LinAlgError is one of the latter
                return value
        return max(0.0, forecast) if isfinite(forecast) else value


def fewest_intervals(order: tuple[int, int, int]) -> int:
    """Intervals that an ARIMA model of this order needs to be fitted."""
    p, d, q = order
    return d + 2 * (p + q + 1)


def make_forecast(planner: Planner) -> Forecast:
    """The forecast that the scenario asks for."""
    if planner.forecast == "moving-average":
        return MovingAverage(planner.forecast_intervals)
    if planner.forecast == "kalman":
        return Kalman(planner.forecast_ratio)
    if planner.forecast == "arima":
        return Arima(planner.arima_order, planner.arima_intervals)
    return Constant()
