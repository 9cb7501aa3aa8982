"""Quantiles of histograms, against what Prometheus' own test cases and formulas give."""

import math

import numpy as np
import pytest

from anarchy.config.router import DYNAMO_EDGES
from anarchy.control.histogram import Histogram

INF = math.inf


def test_counts_are_cumulative_and_edges_belong_to_the_bucket_below() -> None:
    histogram = Histogram.empty([1.0, 2.0]).adding([1.0, 1.5, 2.0, 9.0]).adding([0.5])
    assert histogram.counts == (2, 4, 5)


@pytest.mark.parametrize(
    ("edges", "counts", "level", "expected"),
    [
        pytest.param((1.0, 2.0, INF), (0, 100, 100), 0.5, 1.5, id="inside a bucket"),
        pytest.param((1.0, 2.0, INF), (100, 100, 100), 0.25, 0.25, id="the first begins at 0"),
        pytest.param((0.0, 1.0, INF), (5, 10, 10), 0.1, 0.0, id="a first edge of 0 is its own"),
        pytest.param((1.0, 2.0, INF), (0, 0, 7), 0.99, 2.0, id="beyond the last finite edge"),
        pytest.param((10.0, 22.0, 48.0, INF), (0, 50, 100, 100), 0.99, 47.48, id="a published P99"),
        # Prometheus: promql/promqltest/testdata/histograms.test, testhistogram start="positive".
        pytest.param((0.1, 0.2, 1.0, INF), (5, 7, 11, 12), 0.2, 0.048, id="prometheus 0.2"),
        pytest.param((0.1, 0.2, 1.0, INF), (5, 7, 11, 12), 0.5, 0.15, id="prometheus 0.5"),
        pytest.param((0.1, 0.2, 1.0, INF), (5, 7, 11, 12), 0.8, 0.72, id="prometheus 0.8"),
    ],
)
def test_quantile(
    edges: tuple[float, ...], counts: tuple[float, ...], level: float, expected: float
) -> None:
    assert Histogram(edges, counts).quantile(level) == pytest.approx(expected, rel=1e-12)


def test_nothing_has_no_quantile() -> None:
    assert Histogram.empty([1.0]).quantile(0.99) is None
    assert Histogram((INF,), (4,)).quantile(0.99) is None


def test_a_quantile_lies_within_a_factor_of_the_edges_of_the_true_one() -> None:
    values = np.random.default_rng(1).lognormal(0.0, 1.0, 5000)
    read = Histogram.empty(DYNAMO_EDGES).adding(values).quantile(0.99)
    true = float(np.quantile(values, 0.99))
    assert read is not None
    assert 1 / 2.2 < read / true < 2.2


def test_an_increase_is_what_came_in_between() -> None:
    earlier = Histogram.empty([1.0, 2.0]).adding([0.5, 1.5])
    later = earlier.adding([1.7, 5.0])
    assert later.since(earlier) == Histogram.empty([1.0, 2.0]).adding([1.7, 5.0])


def test_a_count_that_starts_anew_has_no_increase() -> None:
    before = Histogram.empty([1.0, 2.0]).adding([0.5, 1.5])
    assert Histogram.empty([1.0, 2.0]).adding([0.5]).since(before) is None
    assert Histogram.empty([1.0, 3.0]).adding([0.5] * 9).since(before) is None
