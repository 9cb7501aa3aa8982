"""The split of GPUs between prefill and decode."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.errors import InputError
from anarchy.games.allocation import (
    AllocationGame,
    Pool,
    integer_splits,
    variational_equilibrium,
)

ROUNDING = 1e-12
amounts = st.fractions(min_value=Fraction(1, 5), max_value=9, max_denominator=8)
pools = st.builds(Pool, st.just("mm1"), amounts, amounts, amounts)


def summed_cost(game: AllocationGame, prefill: float) -> float:
    """Weighted latencies at a real split."""
    first = game.prefill.service_rate * prefill - game.prefill.arrival_rate
    second = game.decode.service_rate * (game.budget - prefill) - game.decode.arrival_rate
    return game.prefill.weight / first + game.decode.weight / second


@settings(max_examples=60, deadline=None)
@given(pools, pools, amounts)
def test_equilibrium_is_the_optimum_of_the_summed_cost(
    prefill: Pool, decode: Pool, slack: Fraction
) -> None:
    game = AllocationGame(prefill.offered_load + decode.offered_load + slack, prefill, decode)
    found = variational_equilibrium(game)
    assert math.isclose(found.prefill + found.decode, game.budget, rel_tol=ROUNDING)
    best = summed_cost(game, found.prefill)
    for share in (-0.3, -0.01, 0.01, 0.3):
        shift = float(found.prefill) - float(prefill.offered_load)
        if share > 0:
            shift = float(found.decode) - float(decode.offered_load)
        assert summed_cost(game, float(found.prefill) + share * shift) >= best * (1 - ROUNDING)


@settings(max_examples=60, deadline=None)
@given(pools, pools, amounts)
def test_one_more_gpu_is_worth_the_same_to_both(
    prefill: Pool, decode: Pool, slack: Fraction
) -> None:
    game = AllocationGame(prefill.offered_load + decode.offered_load + slack, prefill, decode)
    found = variational_equilibrium(game)
    for pool, latency in ((prefill, found.prefill_latency), (decode, found.decode_latency)):
        value = pool.weight * pool.service_rate * latency**2
        assert math.isclose(value, found.multiplier, rel_tol=1e-9)


def test_equal_pools_share_equally_and_exactly() -> None:
    pool = Pool("mm1", 1, 2)
    found = variational_equilibrium(AllocationGame(8, pool, pool))
    assert (found.prefill, found.decode) == (4, 4)
    assert found.multiplier == Fraction(1, 4)
    assert found.prefill_latency == found.decode_latency == Fraction(1, 2)
    assert found.reason is None


@pytest.mark.parametrize("budget", [4, 3])
def test_no_equilibrium_once_the_offered_loads_fill_the_budget(budget: int) -> None:
    pool = Pool("mm1", 1, 2)
    found = variational_equilibrium(AllocationGame(budget, pool, pool))
    assert found.prefill is found.decode is found.multiplier is found.prefill_latency is None
    assert found.reason == "the two offered loads use up the whole budget"


def test_pool_without_arrivals_still_gets_its_share() -> None:
    idle, busy = Pool("mm1", 1, 0), Pool("mm1", 1, 2)
    assert variational_equilibrium(AllocationGame(4, idle, busy)).prefill == 1


@settings(max_examples=30, deadline=None)
@given(pools, pools, st.integers(2, 12))
def test_whole_split_is_no_better_than_the_real_one(
    prefill: Pool, decode: Pool, budget: int
) -> None:
    game = AllocationGame(budget, prefill, decode)
    whole = integer_splits(game)
    assert [split.prefill + split.decode for split in whole.splits] == [budget] * (budget - 1)
    if whole.optimum_prefill is not None:
        real = variational_equilibrium(game)
        bound = prefill.weight * real.prefill_latency + decode.weight * real.decode_latency
        best = min(split.cost for split in whole.splits)
        assert whole.splits[whole.optimum_prefill - 1].cost == best >= bound * (1 - ROUNDING)


def test_tie_of_whole_splits_goes_to_the_smaller_prefill_pool() -> None:
    pool = Pool("mm1", 1, "1/2")
    found = integer_splits(AllocationGame(5, pool, pool))
    assert found.splits[1].cost == found.splits[2].cost
    assert found.optimum_prefill == 2


def test_split_that_overloads_a_pool_is_infinitely_bad() -> None:
    pool = Pool("mmc", 1, 2)
    found = integer_splits(AllocationGame(6, pool, pool))
    assert [split.cost == math.inf for split in found.splits] == [True, True, False, True, True]
    assert found.splits[2].cost == 2 * Fraction(13, 9)


def test_budget_that_overloads_every_split_has_no_optimum() -> None:
    pool = Pool("mmc", 1, 2)
    for budget in (1, 4):
        found = integer_splits(AllocationGame(budget, pool, pool))
        assert found.optimum_prefill is None
        assert found.reason == "every split overloads a pool"


def test_bad_input_is_refused_by_key() -> None:
    pool = Pool("mm1", 1, 1)
    with pytest.raises(InputError, match="queue: unknown queue 'mm2', did you mean 'mm"):
        Pool("mm2", 1, 1)
    with pytest.raises(InputError, match="arrival_rate: must be at least 0"):
        Pool("mm1", 1, -1)
    with pytest.raises(InputError, match="weight: must be greater than 0"):
        Pool("mm1", 1, 1, 0)
    with pytest.raises(InputError, match="budget: must be greater than 0"):
        AllocationGame(0, pool, pool)
    with pytest.raises(InputError, match="budget: must be a whole number"):
        integer_splits(AllocationGame("7/2", pool, pool))
    with pytest.raises(InputError, match="mmc needs integer: true"):
        variational_equilibrium(AllocationGame(8, pool, Pool("mmc", 1, 1)))
