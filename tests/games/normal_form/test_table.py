"""Tables of costs: ratios of costs and of payoffs, and the regret that certifies them."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.common.enumeration import CostTable, ProfileSpace, Scale
from anarchy.games.normal_form.table import (
    NormalForm,
    least_regret,
    require_small,
    solve_table,
)


def table(counts: list[int], *costs: list[int]) -> NormalForm:
    """A game from each player's costs, the last player's strategy changing fastest."""
    scale = Scale.of([Fraction(c) for row in costs for c in row], len(counts), terms=1)
    perceived = [np.array(row, dtype=scale.dtype) for row in costs]
    social = np.sum(perceived, axis=0)
    costs_of_all = CostTable(ProfileSpace(tuple(counts)), scale, perceived, social)
    return NormalForm("", ("",) * len(counts), (), costs_of_all)


def test_ratios_are_of_costs_where_the_optimum_costs() -> None:
    report, compared = solve_table(table([2, 2], [1, 2, 2, 3], [1, 2, 2, 3]))
    assert (report.price_of_anarchy, compared) == (1, "costs")
    dilemma, compared = solve_table(table([2, 2], [1, 3, 0, 2], [1, 0, 3, 2]))
    assert (dilemma.profiles, dilemma.price_of_anarchy, compared) == (((1, 1),), 2, "costs")


def test_ratios_are_of_payoffs_where_the_optimum_pays() -> None:
    report, compared = solve_table(table([2, 2], [-2, 0, -3, -1], [-2, -3, 0, -1]))
    assert (report.price_of_anarchy, report.price_of_stability) == (2, 2)
    assert (compared, report.reason) == ("payoffs", None)


def test_equilibria_that_pay_nothing_have_a_reason_and_those_that_pay_a_price() -> None:
    """Coordination: both on the second pays 1 each, both on the first nothing."""
    report, compared = solve_table(table([2, 2], [0, 1, 1, -1], [0, 1, 1, -1]))
    assert (report.equilibria, compared) == (2, "payoffs")
    assert report.price_of_anarchy is None
    assert report.price_of_stability == 1
    assert "pays 0 or less" in str(report.reason)


def test_an_optimum_of_zero_and_no_equilibrium_have_reasons() -> None:
    still, _ = solve_table(table([2], [0, 1]))
    assert "the optimum is 0" in str(still.reason)
    pennies = table([2, 2], [1, -1, -1, 1], [-1, 1, 1, -1])
    report, _ = solve_table(pennies)
    assert (report.equilibria, report.reason) == (0, "no pure equilibrium")
    assert least_regret(pennies.costs) == 2


tables = st.lists(st.integers(1, 3), min_size=1, max_size=3).flatmap(
    lambda counts: st.tuples(
        st.just(counts),
        *[
            st.lists(
                st.integers(-5, 5), min_size=int(np.prod(counts)), max_size=int(np.prod(counts))
            )
            for _ in counts
        ],
    )
)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_regret_is_zero_just_where_there_is_an_equilibrium(
    game: tuple[list[int], *tuple[list[int], ...]],
) -> None:
    counts, *costs = game
    form = table(counts, *costs)
    report, _ = solve_table(form)
    profiles = list(product(*map(range, counts)))
    place = {profile: number for number, profile in enumerate(profiles)}
    regrets = []
    for profile in profiles:
        gains = [
            costs[i][place[profile]] - costs[i][place[(*profile[:i], k, *profile[i + 1 :])]]
            for i in range(len(counts))
            for k in range(counts[i])
        ]
        regrets.append(max(gains))
    assert least_regret(form.costs) == min(regrets)
    assert report.profiles == tuple(p for p, r in zip(profiles, regrets, strict=True) if r == 0)


def test_tables_that_are_too_large_are_refused() -> None:
    require_small(4, 2**18)
    with pytest.raises(InputError, match="too many payoffs; allowed: 1048576"):
        require_small(5, 2**18)
