"""The order of simultaneous events, and which times are simultaneous."""

import math

import simpy.events
from hypothesis import given
from hypothesis import strategies as st

from anarchy.serving.rules.event_order import (
    BOUNDARY,
    NORMAL,
    SETTLE,
    SETTLE_ARRIVALS,
    TRANSFER_END,
    on_grid,
    step_end,
)


@given(prefill=st.integers(0, 10_000), decode=st.integers(0, 10_000))
def test_steps_end_by_pool_and_worker_before_all_else(prefill: int, decode: int) -> None:
    order = [step_end(0, prefill), step_end(0, prefill + 1), step_end(1, decode)]
    order += [step_end(1, decode + 1), TRANSFER_END, SETTLE, NORMAL, SETTLE_ARRIVALS]
    assert order == sorted(set(order))
    assert BOUNDARY > NORMAL, "a boundary admits what arrives at its instant"
    assert NORMAL == simpy.events.NORMAL, "both simulators schedule as SimPy does"


@given(time=st.floats(0, 4000))
def test_times_that_differ_by_rounding_are_one_instant(time: float) -> None:
    instant = on_grid(time)
    # Half a step, and the rounding of the product (an ulp at most) and of the quotient (half one).
    assert abs(instant - time) <= 0.5e-11 + 1.5 * math.ulp(time)
    for other in (instant, math.nextafter(instant, math.inf), math.nextafter(instant, 0)):
        assert on_grid(other) == instant
    assert on_grid(instant + 2e-11) > instant
