"""Forecasts of the next interval's value from those of past intervals."""

from abc import ABC, abstractmethod
from collections import deque

from anarchy.config import Planner


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

    Only the ratio of the two variances matters. The first value is the first level. The gain K
    tends to the root of K^2 = ratio * (1 - K), which makes it exponential smoothing.

    Source: A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter
    (Cambridge University Press, 1989), local level model.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._level: float | None = None
        self._variance = 1.0  # of the level's estimate, in units of the noise's

    def update(self, value: float) -> float:
        if self._level is None:
            self._level = value
            return value
        predicted = self._variance + self._ratio
        gain = predicted / (predicted + 1.0)
        self._level += gain * (value - self._level)
        self._variance = (1.0 - gain) * predicted
        return self._level


def make_forecast(planner: Planner) -> Forecast:
    """The forecast that the scenario asks for."""
    if planner.forecast == "moving-average":
        return MovingAverage(planner.forecast_intervals)
    if planner.forecast == "kalman":
        return Kalman(planner.forecast_ratio)
    return Constant()
