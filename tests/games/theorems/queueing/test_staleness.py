"""Old loads: thresholds and cycles worked out by hand, and a whole pool with delay."""

import math
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest

from anarchy.common.errors import InputError
from anarchy.games.queueing.stale_loads import (
    critical_age,
    noise_variance,
    refresh_threshold,
    relay_cycle,
    router_gain,
    steadiest_gain,
)
from anarchy.games.theorems.queueing import staleness
from tests.games.theorems.conftest import RowsOf


def test_every_check_holds_under_its_own_name(rows_of: RowsOf) -> None:
    rows = rows_of(staleness)
    assert [row["id"] for row in rows if not row["holds"]] == []
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["id"].startswith("stale-") for row in rows)


def test_thresholds_by_hand() -> None:
    gain = router_gain(12, 3, 2)
    assert gain == 2
    assert critical_age(gain, 0) == pytest.approx(math.pi / 4)
    # cos = -1/2 at 120 degrees, over sqrt(4 - 1).
    assert critical_age(gain, 1) == pytest.approx(2 * math.pi / 3 / math.sqrt(3))
    assert critical_age(gain, 2) == math.inf
    assert refresh_threshold(gain) == 1


def test_a_shifted_critical_age_would_change_the_number_of_roots() -> None:
    for factor in (0.95, 1.05):
        shifted = partial(lambda f, gain, rate: f * critical_age(gain, rate), factor)
        with patch.object(staleness, "critical_age", shifted):
            assert not all(row["holds"] for row in staleness._count_rows())
            assert not all(row["holds"] for row in staleness._certified_rows())


def test_a_relay_of_little_delay_swings_little_but_never_rests() -> None:
    amplitude, below, period = relay_cycle(20, 0.5, 1, 1e-3)
    assert 0 < amplitude == pytest.approx(20 * math.tanh(0.5) * 1e-3, rel=1e-3) == below
    assert period == pytest.approx(4e-3, rel=1e-3)
    assert relay_cycle(20, 0.5, 1e6, 1)[0] > 0


@pytest.mark.parametrize(("share", "stable"), [(0.9, True), (1.1, False)])
@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_a_whole_pool_settles_below_the_critical_age_only(
    rate: float, share: float, stable: bool
) -> None:
    """Four workers, the nonlinear equations in small steps, from almost equal loads."""
    arrivals, workers, temperature = 16.0, 4, 2.0
    age = share * critical_age(router_gain(arrivals, workers, temperature), rate)
    steps = 200
    step = age / steps
    start = np.array([0.01, -0.01, 0.004, -0.004]) + (arrivals / workers / rate if rate else 50.0)
    history = [start] * (steps + 1)
    drain = 0.0 if rate else arrivals / workers
    for _ in range(60 * steps):
        old, now = history[-steps - 1], history[-1]
        weights = np.exp(-(old - old.min()) / temperature)
        flow = arrivals * weights / weights.sum() - rate * now - drain
        history.append(now + step * flow)
    spread = [float(np.ptp(loads)) for loads in history]
    first, last = max(spread[: 4 * steps]), max(spread[-4 * steps :])
    assert (last < first) == stable


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="temperature"):
        router_gain(1, 1, 0)


def test_noise_leaves_least_imbalance_at_about_twice_the_critical_temperature() -> None:
    best = steadiest_gain(0.5)
    assert math.cos(best * 0.5) == pytest.approx(best * 0.5)
    least = noise_variance(best, 0.5)
    assert all(noise_variance(factor * best, 0.5) > least for factor in (0.5, 0.9, 1.1, 2))
    assert critical_age(best, 0) / 0.5 == pytest.approx(2.125, abs=1e-3)
    assert noise_variance(math.pi, 0.5) == math.inf
