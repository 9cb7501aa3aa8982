"""When the first worker is full: the range in which it happens, and that it is attained."""

from anarchy.games.theorems.queueing.places import check_rows, histories, places_at_capacity


def test_every_check_holds_under_its_own_name() -> None:
    rows = check_rows()
    assert [row["id"] for row in rows if not row["holds"]] == []
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["id"].startswith("places-") for row in rows)


def test_later_there_may_be_more_present_and_nobody_full() -> None:
    """Ten places, credits 4 and 0: one full worker at 15, and later none at 16."""
    places, credits = 10, (4, 0)
    assert places_at_capacity(places, credits) == 16
    seen, filled = histories(places, credits, beyond=True)
    assert min(map(sum, filled)) == 15
    assert any(sum(state) == 16 and max(state) < places for state in seen)
    early, first = histories(places, credits, beyond=False)
    assert {sum(state) for state in first} == {15, 16}
    assert all(max(state) == places for state in early if sum(state) == 16)
