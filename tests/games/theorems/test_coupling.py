"""The checks of the coupled game, that they would notice wrong statements, and its curves."""

import math
import re
from unittest.mock import patch

import pytest

from anarchy.games.theorems import coupling

ROWS = coupling.check_rows()
CURVES = coupling.curve_rows()


def test_every_check_holds() -> None:
    assert [row["id"] for row in ROWS if not row["holds"]] == []


def test_ids_are_unique_kebab_case_with_the_module_in_front() -> None:
    ids = [row["id"] for row in ROWS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"coupling(-[a-z0-9]+)+", name) for name in ids)


def test_a_threshold_that_forgets_the_coupling_would_be_noticed() -> None:
    def uncoupled(delay: int, slope: float) -> float:
        return 2 * math.sin(math.pi / (4 * delay + 2))

    with patch.object(coupling, "gain_threshold", uncoupled):
        caught = {row["id"] for row in coupling._delay_rows() if not row["holds"]}
    assert {f"coupling-threshold-{delay}" for delay in coupling.DELAYS} <= caught
    # At 1.1 times the uncoupled threshold the coupled planner still rests.
    assert "coupling-orbit-1-above" in caught


def test_a_dead_band_counted_too_wide_would_be_noticed() -> None:
    with patch.object(coupling, "held_splits", lambda game, band: (11, 12, 13, 14)):
        assert any(not row["holds"] for row in coupling._step_rows())


@pytest.mark.parametrize("gain", [0.3, 0.9, 1.7])
def test_companion_radius_of_short_delays(gain: float) -> None:
    # No delay: the root is 1 - q. One interval: the roots multiply to q once they are complex.
    assert coupling.companion_radius(0, gain) == pytest.approx(abs(1 - gain))
    assert coupling.companion_radius(1, gain) == pytest.approx(math.sqrt(gain))


def test_curves_are_the_replies_and_two_orbits_from_one_start() -> None:
    series = {row["series"] for row in CURVES}
    assert series == {"point", "caches", "planner", "delay-1", "delay-2"}
    assert len({row["id"] for row in CURVES}) == len(CURVES)
    for delay in (1, 2):
        orbit = [row for row in CURVES if row["series"] == f"delay-{delay}"]
        assert [row["step"] for row in orbit] == list(range(coupling.DRAWN + 1))
        assert orbit[0]["x"] == coupling.START
        assert {row["delay"] for row in orbit} == {delay}


def test_one_orbit_ends_at_the_fixed_point_and_the_other_keeps_swinging() -> None:
    (point,) = (row for row in CURVES if row["series"] == "point")
    for name, settles in (("delay-1", True), ("delay-2", False)):
        last = [row for row in CURVES if row["series"] == name][-12:]
        off = max(abs(row["x"] - point["x"]) for row in last)
        assert (off < 1e-3) is settles
        assert (off > 1) is not settles
