"""Families of checks: all rows, or the first of each family without computing the others."""

from collections.abc import Iterator

from anarchy.games.theorems import allocation
from anarchy.games.theorems.checks import Row, check, rows_of


def numbered(count: int) -> Iterator[Row]:
    for number in range(count):
        yield check(str(number), "thm:x", "numbers", "counted", number, number, "counting")


def endless() -> Iterator[Row]:
    return numbered(10**18)


def test_the_first_rows_of_each_family_are_computed_and_no_others() -> None:
    assert [row["id"] for row in rows_of(lambda: numbered(3), endless, most=2)] == list("0101")


def test_all_rows_come_in_the_order_of_the_families() -> None:
    rows = rows_of(lambda: numbered(3), lambda: numbered(1), lambda: numbered(0))
    assert [row["id"] for row in rows] == list("0120")


def test_fewer_checks_are_some_of_all() -> None:
    every = allocation.check_rows()
    some = allocation.check_rows(1)
    assert 0 < len(some) < len(every)
    assert [row for row in every if row in some] == some
