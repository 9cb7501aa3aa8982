"""The operational knee of one prefill worker before a decode pool."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.queueing.closed_forms import operational_knee

TIGHT = 1e-12
times = st.floats(1e-3, 10)


@given(times, times, st.integers(1, 4096), times, st.floats(0, 1e-3), st.integers(1, 16))
def test_affine_itl_has_its_closed_form(
    prefill: float, handoff: float, tokens: int, fixed: float, slope: float, workers: int
) -> None:
    knee = operational_knee(prefill, handoff, tokens, lambda b: fixed + slope * b, workers)
    per_worker = tokens / (workers * prefill)
    if per_worker * (fixed + slope) <= 1:
        batch = 1.0
    elif per_worker * slope < 0.999:
        batch = per_worker * fixed / (1 - per_worker * slope)
    else:
        return
    if batch < 2.0**20:
        assert math.isclose(knee.decode_batch, batch, rel_tol=1e-9)
        expected = 1 + (handoff + tokens * (fixed + slope * batch)) / prefill
        assert math.isclose(knee.clients, expected, rel_tol=1e-9)


def test_batch_is_the_one_that_the_clients_make() -> None:
    knee = operational_knee(0.05, 0.01, 200, lambda batch: 0.01 + 0.0002 * math.sqrt(batch), 2)
    assert math.isclose((knee.clients - 1 - 0.01 / 0.05) / 2, knee.decode_batch, rel_tol=TIGHT)


def test_batch_below_one_is_one() -> None:
    knee = operational_knee(1.0, 0.5, 10, lambda batch: 0.01 * batch, 4)
    assert knee.decode_batch == 1
    assert knee.clients == 1 + (0.5 + 10 * 0.01) / 1.0


def test_no_output_tokens_leaves_prefill_and_hand_off() -> None:
    assert operational_knee(0.5, 1.0, 0, lambda batch: 1.0, 1).clients == 3


def test_decode_that_saturates_first_has_no_knee_of_prefill() -> None:
    knee = operational_knee(0.01, 0.0, 100, lambda batch: 0.001 * batch, 2)
    assert knee.clients == knee.decode_batch == math.inf


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ((0, 0, 1, 1), "prefill_time"),
        ((math.nan, 0, 1, 1), "prefill_time"),
        ((1, -1, 1, 1), "handoff"),
        ((1, 0, -1, 1), "output_tokens"),
        ((1, 0, 1, 0), "decode_workers"),
    ],
)
def test_bad_input_is_refused_by_key(arguments: tuple[float, ...], key: str) -> None:
    prefill, handoff, tokens, workers = arguments
    with pytest.raises(InputError, match=key):
        operational_knee(prefill, handoff, tokens, lambda batch: 1.0, int(workers))
