"""The checks of the coupled game at rest, and its curves."""

import re

from anarchy.games.theorems import coupling
from tests.games.theorems.conftest import RowsOf

CURVES = coupling.curve_rows()


def test_every_check_holds_under_an_id_of_its_own(rows_of: RowsOf) -> None:
    rows = rows_of(coupling)
    assert [row["id"] for row in rows if not row["holds"]] == []
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"coupling(-[a-z0-9]+)+", name) for name in ids)


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
