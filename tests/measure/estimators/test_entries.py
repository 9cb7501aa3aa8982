"""Each entry on a log that is small enough to be read: one prefill worker, two of decode."""

import numpy as np
import pytest

from anarchy.measure.estimators.entries import ENTRIES
from anarchy.measure.estimators.observed import Observed

ALL = np.arange(3)[None]


def itl(batch, context):
    """A step takes a tenth of a second for each of the batch."""
    return batch / 10


@pytest.fixture
def observed(make_run):
    """Three requests of ten tokens; request 1 waits 2 s for prefill, 2 waits 3 s."""
    run = make_run(
        3,
        arrival=[0, 1, 2],
        prefill_start=[0, 3, 5],
        prefill_end=[3, 5, 6],
        routed=[3.5, 5.5, 6.5],
        first_token=[3.5, 5.5, 6.5],
        decode_start=[3.75, 5.75, 6.75],
        done=[7.5, 9.5, 14.5],
        decode_worker=[0, 1, 0],
        decode_active=[[0, 1], [1, 1], [1, 2]],
        decode_cost=[[8, 9], [6, 7], [4, 5]],
        output_tokens=10,
        input_tokens=100,
    )
    return Observed(run, itl)


def entry(name, observed, moment):
    return ENTRIES[name].compute(observed, ALL, moment)[0].tolist()


def test_unloaded_entries_leave_out_what_was_waited_for(observed):
    # Prefill 3, 2, 1 s and half a second of hand-off; ten steps of a tenth alone.
    assert entry("ttft", observed, "idle") == [[3.5] * 2, [2.5] * 2, [1.5] * 2]
    assert entry("e2e", observed, "idle") == [[4.5] * 2, [3.5] * 2, [2.5] * 2]


def test_a_first_token_of_decode_does_not_count_its_wait_for_the_batch(make_run):
    run = make_run(1, arrival=0, prefill_start=1, prefill_end=2, routed=3, decode_start=7, done=9)
    late = Observed(make_run(1, **{**vars_of(run), "first_token": 7.5}), itl)
    assert late.unloaded_ttft.tolist() == [7.5 - 1 - 4]


def vars_of(run):
    names = ("arrival", "prefill_start", "prefill_end", "routed", "decode_start", "done")
    return {name: getattr(run.log, name) for name in names}


def test_at_arrival_each_request_waits_as_it_did(observed):
    assert entry("ttft", observed, "arrival") == [[3.5] * 2, [4.5] * 2, [4.5] * 2]
    # Decode latency: ten steps at the batch of each worker with the request.
    assert entry("decode-latency", observed, "arrival") == [[1, 2], [2, 2], [2, 3]]
    assert entry("e2e", observed, "arrival") == [[4.5, 5.5], [6.5, 6.5], [6.5, 7.5]]


def test_at_the_windows_start_all_find_the_loads_of_its_first_decision(observed):
    # At 3.5 s the prefill worker has 1 and 2 before it, until 6 s.
    assert entry("ttft", observed, "window-start") == [[2.5 + 3.5] * 2, [5.0] * 2, [4.0] * 2]
    assert entry("decode-latency", observed, "window-start") == [[1, 2]] * 3


def test_the_queue_holds_what_is_left_of_those_who_are_there(observed):
    # At 6.5 s request 0 has 1 of its 4 s left, a quarter of 1 s of work; request 1 has 3 of 4.
    assert entry("queue", observed, "arrival")[2] == pytest.approx([0.25 + 1, 0.75 + 1])
    assert entry("queue", observed, "window-start") == [[1, 1]] * 3
    places = ENTRIES["queue"].places(observed, ALL, "arrival", np.array([1, 2, 3]))
    assert places[0, 2].tolist() == pytest.approx(
        np.array([[1.25, 2.25, 3.25], [1.75, 2.75, 3.75]])
    )


def test_crowded_shares_the_worker_without_batching(observed):
    assert entry("crowded", observed, "arrival") == [[1, 2], [2, 2], [2, 3]]
    places = ENTRIES["crowded"].places(observed, ALL, "arrival", np.array([1, 2, 3]))
    # k requests beside r cost k (r + k): 1, 4, 9 at r = 0.
    assert places[0, 0, 0].tolist() == [1, 3, 5]
    assert places[0, 0, 1].tolist() == [2, 4, 6]


def test_the_places_of_decode_latency_add_up_to_what_all_would_take(observed):
    places = ENTRIES["decode-latency"].places(observed, ALL, "arrival", np.arange(1, 4))
    # Worker 1 holds 2 at the third decision: k requests take k * (2 + k) seconds.
    assert np.cumsum(places[0, 2, 1]).tolist() == pytest.approx([3, 8, 15])
    e2e = ENTRIES["e2e"].places(observed, ALL, "idle", np.arange(1, 4))
    assert e2e[0, 1, 0].tolist() == pytest.approx([2.5 + 1, 2.5 + 3, 2.5 + 5])


def test_observed_entries_are_means_by_worker_and_usual_ones_where_nobody_went(observed):
    e2e = [(7.5 + 12.5) / 2, 8.5]
    assert entry("observed-e2e", observed, "") == [e2e] * 3
    assert entry("observed-ttft", observed, "") == [[(3.5 + 4.5) / 2, 4.5]] * 3
    alone = ENTRIES["observed-e2e"].compute(observed, np.array([[1]]), "")
    assert alone[0].tolist() == [e2e]


def test_the_routers_costs_are_its_own(observed):
    assert entry("router-cost", observed, "arrival") == [[8, 9], [6, 7], [4, 5]]
    assert entry("router-cost", observed, "window-start") == [[8, 9]] * 3


def test_backlogs_follow_from_the_log_at_any_instant(make_run):
    """Against a count of every instant of a random log."""
    rng = np.random.default_rng(2)
    n = 60
    arrival = np.sort(rng.random(n)) * 10
    start = np.maximum.accumulate(arrival + rng.random(n))
    run = make_run(
        n,
        3,
        arrival=arrival,
        prefill_start=start,
        prefill_end=start + 0.01,
        prefill_worker=rng.integers(2, size=n),
        routed=start + 0.02,
        done=start + 0.02 + rng.random(n) * 3,
        decode_worker=rng.integers(3, size=n),
        output_tokens=rng.integers(1, 50, size=n),
    )
    observed, log = Observed(run, itl), run.log
    instants = rng.random(20) * 12
    decode = observed.decode_backlog(instants)
    rows = rng.integers(n, size=20)
    prefill = observed.prefill_backlog(instants, rows)
    for at, row, found, wait in zip(instants, rows, decode, prefill, strict=True):
        held = (log.routed < at) & (at <= log.done)
        share = (log.done - at) / (log.done - log.routed) * log.output_tokens * 0.1
        expected = [share[held & (log.decode_worker == j)].sum() for j in range(3)]
        assert found == pytest.approx(expected, abs=1e-12)
        before = (log.prefill_worker == log.prefill_worker[row]) & (log.arrival <= at)
        assert wait == max(0.0, max(log.prefill_end[before], default=0.0) - at)
