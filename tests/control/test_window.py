"""The tail over the last seconds."""

import math

import numpy as np
import pytest

from anarchy.config.router import Controller
from anarchy.control.histogram import Histogram
from anarchy.control.window import ExactWindow, HistogramWindow, TtftWindow


def test_old_observations_leave_the_exact_window() -> None:
    window = ExactWindow(10.0)
    window.take([1.0, 2.0], [9.0, 3.0])
    assert window.p99(10.0) == 9.0
    assert window.p99(11.0) == 3.0  # the window is open at its beginning
    assert window.p99(12.0) is None


def test_the_exact_tail_is_an_observation_that_99_percent_do_not_exceed() -> None:
    values = np.random.default_rng(2).exponential(1.0, 731)
    window = ExactWindow(5.0)
    window.take(np.full(731, 1.0).tolist(), values.tolist())
    tail = window.p99(1.0)
    assert tail in values
    assert np.mean(values <= tail) >= 0.99 > np.mean(values < tail)


def test_one_reading_is_no_window() -> None:
    window = HistogramWindow(10.0)
    window.take(0.0, Histogram.empty([1.0]).adding([0.5]))
    assert window.p99() is None


def test_a_window_begins_at_a_reading_that_is_old_enough() -> None:
    window, histogram = HistogramWindow(10.0), Histogram.empty([1.0, 2.0])
    for time in range(0, 30, 5):
        histogram = histogram.adding([time / 10])
        window.take(time, histogram)
    assert window.increase == Histogram.empty([1.0, 2.0]).adding([2.0, 2.5])


def test_a_reset_begins_the_window_anew() -> None:
    window = HistogramWindow(10.0)
    window.take(0.0, Histogram.empty([1.0]).adding([0.5] * 4))
    window.take(5.0, Histogram.empty([1.0]).adding([0.5]))
    assert window.p99() is None
    window.take(10.0, Histogram.empty([1.0]).adding([0.5] * 3))
    assert window.p99() == pytest.approx(0.99)


def test_buckets_and_exact_values_are_of_the_same_observations() -> None:
    """Where all values are edges, a bucket's upper end is what the exact tail is."""
    windows = [TtftWindow(Controller(source=source)) for source in ("exact", "buckets")]
    rng = np.random.default_rng(3)
    edges = np.array(Controller().edges)
    for poll in range(1, 20):
        times = rng.uniform(5 * poll - 5, 5 * poll, 40)
        ttfts = rng.choice(edges[5:12], 40)
        exact, buckets = (window.p99(5.0 * poll, times, ttfts) for window in windows)  # type: ignore[arg-type]
        assert exact is not None
        assert buckets is not None
        assert math.log(2.5) > math.log(exact / buckets) >= 0
