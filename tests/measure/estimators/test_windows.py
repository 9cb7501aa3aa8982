from dataclasses import replace

import numpy as np
import pytest

from anarchy.config.estimator import Estimator
from anarchy.measure.estimators.observed import Observed
from anarchy.measure.estimators.windows import WINDOWS


def windows(run, **options):
    estimator = Estimator(**options)
    found = WINDOWS[estimator.windowing](Observed(run, None), estimator)
    return [rows.tolist() for rows in found]


def test_last_n_takes_consecutive_decisions_and_drops_the_rest(make_run):
    run = make_run(5, routed=[4, 3, 2, 1, 0])
    assert windows(run, window=2) == [[4, 3], [2, 1]]


def test_one_per_worker_has_as_many_requests_as_workers(make_run):
    assert windows(make_run(7, 3), windowing="one-per-worker") == [[0, 1, 2], [3, 4, 5]]


def test_time_cuts_whole_intervals_and_drops_empty_ones(make_run):
    # Intervals of 2 s from the first decision: [1, 3), [3, 5), [5, 7), [7, 9); the run ends at 9.5.
    run = replace(make_run(6, routed=[1, 2, 3, 7, 8.5, 9.2]), end=9.5)
    assert windows(run, windowing="time", seconds=2.0) == [[0, 1], [2], [3, 4]]


def test_last_n_in_time_keeps_the_last_of_each_interval(make_run):
    run = replace(make_run(6, routed=[1, 2, 2.5, 3, 7, 8.5]), end=9.0)
    found = windows(run, windowing="last-n-in-time", seconds=2.0, window=2)
    assert found == [[1, 2], [3], [4, 5]]


def test_in_flight_takes_who_is_there_while_all_who_were_are_known(make_run):
    arrival, routed, done = [0, 1, 2, 3], [0.5, 1.5, 2.5, 3.5], [1.8, 4.0, 3.0, 6.0]
    run = replace(make_run(4, arrival=arrival, routed=routed, done=done), end=6.0)
    # The longest took 3 s: the last tick is at 6 - 3 = 3.
    assert windows(run, windowing="in-flight", seconds=1.0) == [[0], [0, 1], [1, 2], [1, 3]]
    # Decode took 2.5 s at most: ticks at 0, 1, 2, 3; at 0 nobody is in decode.
    assert windows(run, windowing="in-decode", seconds=1.0) == [[0], [1], [1]]


@pytest.mark.parametrize("name", WINDOWS)
def test_only_whole_windows_of_known_rows_in_order_of_decision(make_run, name):
    rng = np.random.default_rng(5)
    arrival = np.sort(rng.random(300)) * 30
    routed = arrival + rng.random(300)
    run = make_run(300, 3, arrival=arrival, routed=routed, done=routed + rng.random(300))
    run = replace(run, end=31.0)
    found = windows(run, windowing=name, window=7, seconds=2.0)
    assert len(found) > 5
    for rows in found:
        assert (np.diff(routed[rows]) >= 0).all()
        assert len(set(rows)) == len(rows)


@pytest.mark.parametrize("name", WINDOWS)
def test_no_measured_request_is_no_window_of_decisions(make_run, name):
    run = replace(make_run(0), end=1.0)
    assert windows(run, windowing=name) == []
