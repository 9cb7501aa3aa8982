"""The gap between what decode workers hold, by hand."""

import dataclasses

import numpy as np
import pytest

from anarchy.serving.log.held_requests import decode_gap, mean_gap
from tests.measure.conftest import _make_run as make_run


def test_the_gap_is_averaged_over_time() -> None:
    # Worker 0 holds 1, 2 and 1 requests in three seconds, worker 1 one in the last of them.
    run = make_run(3, 2, routed=[0, 1, 2], done=[3, 2, 3], decode_worker=[0, 0, 1])
    assert mean_gap(run.log, 2, 0.0, 3.0) == pytest.approx((1 + 2 + 0) / 3)
    assert mean_gap(run.log, 2, 1.5, 2.5) == pytest.approx((2 + 0) / 2)


def test_a_run_that_is_shorter_than_its_longest_request_has_none() -> None:
    run = make_run(2, 2, routed=[0, 1], done=[9, 3], decode_worker=[0, 1], start=1.0, end=9.0)
    assert decode_gap(run) is None
    later = dataclasses.replace(run, measured=np.array([False, True]))
    # The second stays for two seconds, so it is watched from 1 to 7 s: even until 3 s, then not.
    assert decode_gap(later) == pytest.approx((0 * 2 + 1 * 4) / 6)
