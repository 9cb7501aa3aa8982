"""The tail of what was observed over the last seconds, exact or as far as buckets tell."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anarchy.config.router import Controller
from anarchy.control.histogram import Histogram

Samples = Sequence[float] | NDArray[np.float64]

LEVEL = 0.99
"""The quantile that is watched."""


class ExactWindow:
    """Keeps every observation of the last `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._times = np.empty(0)
        self._values = np.empty(0)

    def take(self, times: Samples, values: Samples) -> None:
        """Further observations, in any order."""
        self._times = np.append(self._times, times)
        self._values = np.append(self._values, values)

    def p99(self, now: float) -> float | None:
        """The least value that 99 % of those after `now - seconds` do not exceed; None of none."""
        recent = self._times > now - self._seconds
        self._times, self._values = self._times[recent], self._values[recent]
        if not len(self._values):
            return None
        return float(np.quantile(self._values, LEVEL, method="inverted_cdf"))


class HistogramWindow:
    """Keeps readings of a histogram that only grows, as far back as `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._readings: deque[tuple[float, Histogram]] = deque()

    def take(self, time: float, reading: Histogram) -> None:
        """The reading at `time`; if the count has started anew, nothing before it counts."""
        readings = self._readings
        if readings and reading.since(readings[-1][1]) is None:
            readings.clear()
        readings.append((time, reading))
        while len(readings) > 1 and readings[1][0] <= time - self._seconds:
            readings.popleft()

    @property
    def increase(self) -> Histogram | None:
        """What came over the window; None before there are two readings.

        It begins at the last reading that is at least `seconds` old, or at the first there is.
        """
        if len(self._readings) < 2:
            return None
        return self._readings[-1][1].since(self._readings[0][1])

    def p99(self) -> float | None:
        """The tail of what came over the window; None if nothing did."""
        increase = self.increase
        return None if increase is None else increase.quantile(LEVEL)


class TtftWindow:
    """What a controller sees of the TTFTs of a run: `source` says whether exactly or in buckets."""

    def __init__(self, settings: Controller) -> None:
        self._exact = ExactWindow(settings.window) if settings.source == "exact" else None
        self._buckets = HistogramWindow(settings.window)
        self._histogram = Histogram.empty(settings.edges)
        self._buckets.take(0.0, self._histogram)

    def p99(self, now: float, first_tokens: Samples, ttfts: Samples) -> float | None:
        """The tail at `now`, given what came since it was asked for last."""
        if self._exact is not None:
            self._exact.take(first_tokens, ttfts)
            return self._exact.p99(now)
        self._histogram = self._histogram.adding(ttfts)
        self._buckets.take(now, self._histogram)
        return self._buckets.p99()
