"""The checks of planners that act late, and that they would notice wrong statements."""

import math
import re
from unittest.mock import patch

import pytest

from anarchy.games.theorems import delayed_planner
from tests.games.theorems.conftest import RowsOf


def test_every_check_holds_under_an_id_of_its_own(rows_of: RowsOf) -> None:
    rows = rows_of(delayed_planner)
    assert [row["id"] for row in rows if not row["holds"]] == []
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"coupling(-[a-z0-9]+)+", name) for name in ids)


def test_a_threshold_that_forgets_the_coupling_would_be_noticed() -> None:
    def uncoupled(delay: int, slope: float) -> float:
        return 2 * math.sin(math.pi / (4 * delay + 2))

    with patch.object(delayed_planner, "gain_threshold", uncoupled):
        assert not any(
            delayed_planner._threshold_row(delay)["holds"] for delay in delayed_planner.DELAYS
        )
        # At 1.03 times the uncoupled threshold the coupled planner still rests.
        caught = {row["id"] for row in delayed_planner._orbit_rows(1) if not row["holds"]}
    assert "coupling-orbit-1-above" in caught


def test_a_dead_band_counted_too_wide_would_be_noticed() -> None:
    with patch.object(delayed_planner, "held_splits", lambda game, band: (11, 12, 13, 14)):
        assert any(not row["holds"] for row in delayed_planner._step_rows())


@pytest.mark.parametrize("gain", [0.3, 0.9, 1.7])
def test_companion_radius_of_short_delays(gain: float) -> None:
    # No delay: the root is 1 - q. One interval: the roots multiply to q once they are complex.
    assert delayed_planner.companion_radius(0, gain) == pytest.approx(abs(1 - gain))
    assert delayed_planner.companion_radius(1, gain) == pytest.approx(math.sqrt(gain))
