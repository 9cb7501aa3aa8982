"""The checks of the allocation theorems, and that each would notice a wrong formula."""

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from unittest.mock import patch

import pytest

from anarchy.games.theorems import allocation
from anarchy.games.theorems.checks import Row


@pytest.fixture(scope="module")
def rows() -> Sequence[Row]:
    return allocation.check_rows()


def failing() -> set[str]:
    """Ids of the checks that do not hold."""
    return {row["id"] for row in allocation.check_rows() if not row["holds"]}


def test_every_check_holds(rows: Sequence[Row]) -> None:
    assert [row["id"] for row in rows if not row["holds"]] == []


def test_ids_are_unique_kebab_case_with_the_module_in_front(rows: Sequence[Row]) -> None:
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"allocation(-[a-z0-9]+)+", name) for name in ids)


def test_a_wrong_loss_would_be_noticed() -> None:
    with patch.object(allocation, "unit_loss", lambda r, k=1: 1 + r * (k - 1) / (1 + r) ** 2):
        caught = failing()
    assert "allocation-unit-equal-4" in caught
    assert "allocation-interference-exact" in caught
    assert "allocation-interference-24-slack-40" in caught


def test_a_segment_without_its_last_part_would_be_noticed() -> None:
    with patch.object(
        allocation, "generalised_equilibria", lambda game: (Fraction(2), Fraction(5, 2))
    ):
        assert {f"allocation-segment-{parts}" for parts in allocation.MESHES} <= failing()


@pytest.mark.parametrize(("ratio", "scale", "loss"), [(1, 2, "9/8"), (1, 1, "1"), (2, 3, "35/27")])
def test_loss_at_instances_worked_out_by_hand(ratio: int, scale: int, loss: str) -> None:
    # r = 2, k = 3: 1 + 2/9 (3 + 1/3 - 2) = 1 + 8/27.
    assert allocation.unit_loss(ratio, scale) == Fraction(loss)
    assert allocation.unit_loss(ratio, Fraction(1, scale)) == Fraction(loss)


def test_loss_depends_on_no_load_and_no_budget(rows: Sequence[Row]) -> None:
    losses = {row["id"]: row["value"] for row in rows}
    for rate in ("0", "1-10", "1", "3", "24"):
        few, many = (losses[f"allocation-interference-{rate}-slack-{slack}"] for slack in (2, 40))
        assert few == pytest.approx(many, rel=1e-9)


def test_hypotheses_on_the_segment_alone_would_allow_idle_gpus() -> None:
    """The counterexample: two variational equilibria where costs are good only for 1 < g_j < 2.

    Three GPUs; with 1 < g_j < 2 pool i pays 1/(g_i - 1), with g_j <= 1 it pays (g_i - 1/2)^2 + 1,
    and else infinity. Priced at the multiplier of the shared budget, neither pool gains by any
    choice, neither at (3/2, 3/2) with price 4 nor at (1/2, 1/2) with price 0 and GPUs to spare.
    """

    def cost(mine: Fraction, other: Fraction) -> float:
        if other >= 2 or (other > 1 and mine <= 1):
            return math.inf
        return float(1 / (mine - 1) if other > 1 else (mine - Fraction(1, 2)) ** 2 + 1)

    choices = [Fraction(k, 100) for k in range(301)]
    for point, price in ((Fraction(3, 2), 4), (Fraction(1, 2), 0)):
        paid = {g: cost(g, point) + price * float(g) for g in choices}
        assert min(paid.values()) == paid[point]
        assert price == 0 or 2 * point == 3
