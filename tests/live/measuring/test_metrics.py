"""Counters and histograms as Prometheus would read them, and their differences."""

import math

import pytest

from anarchy.live.measuring.metrics import REQUESTS, TTFT, read_metrics
from anarchy.live.processes import LiveError
from tests.live.measuring.stub_frontend import PAGE


def test_counters_add_up_over_labels() -> None:
    page = 'a_total{x="1"} 2\na_total{x="2 }\\" "} 3.5e0\nb 1 1700000000\n'
    assert read_metrics(page).counter("a_total") == 5.5
    assert read_metrics(page).counter("b") == 1
    assert read_metrics(page).counter("nothing") == 0


def test_a_histogram_is_what_came_in_between() -> None:
    before, after = (
        read_metrics(PAGE.format(count=count, seconds=seconds))
        for count, seconds in ((3, 0.5), (10, 2.0))
    )
    came = after.histogram(TTFT).since(before.histogram(TTFT))
    assert (dict(came.counts), came.total, came.count) == ({0.01: 7.0, math.inf: 7.0}, 1.5, 7)
    assert after.counter(REQUESTS) - before.counter(REQUESTS) == 7


def test_before_the_first_request_there_is_no_histogram() -> None:
    after = read_metrics(PAGE.format(count=2, seconds=0.5)).histogram(TTFT)
    assert after.since(read_metrics("").histogram(TTFT)) == after


def test_a_line_that_is_none_is_named() -> None:
    with pytest.raises(LiveError, match="line 2"):
        read_metrics("a 1\n<html>\n")
