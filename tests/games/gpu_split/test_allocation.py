"""The split of GPUs between prefill and decode."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.gpu_split.allocation import (
    NO_SLACK,
    AllocationGame,
    Interference,
    Pool,
    erlang_c_real,
    exchange_stable,
    generalised_equilibria,
    integer_splits,
    interference_equilibrium,
    variational_equilibrium,
)
from anarchy.games.queueing.closed_forms import erlang_c, mm1_latency
from tests.games.rationals import fractions

ROUNDING = 1e-12
amounts = fractions(min_value=Fraction(1, 5), max_value=9, max_denominator=8)
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


@settings(max_examples=60, deadline=None)
@given(pools, pools, amounts, fractions(0, 1, max_denominator=40))
def test_generalised_equilibria_are_the_whole_segment(
    prefill: Pool, decode: Pool, slack: Fraction, share: Fraction
) -> None:
    game = AllocationGame(prefill.offered_load + decode.offered_load + slack, prefill, decode)
    low, high = generalised_equilibria(game)
    split = low + share * (high - low)
    finite = 0 < share < 1
    latencies = (
        mm1_latency(prefill.service_rate * split, prefill.arrival_rate),
        mm1_latency(decode.service_rate * (game.budget - split), decode.arrival_rate),
    )
    assert all(latency < math.inf for latency in latencies) == finite
    assert low < variational_equilibrium(game).prefill < high


@pytest.mark.parametrize("budget", [4, 3])
def test_no_generalised_equilibrium_without_slack(budget: int) -> None:
    pool = Pool("mm1", 1, 2)
    assert generalised_equilibria(AllocationGame(budget, pool, pool)) is None


@settings(max_examples=60, deadline=None)
@given(pools, pools, amounts, fractions(0, 9, max_denominator=8))
def test_interference_puts_too_many_gpus_into_prefill(
    prefill: Pool, decode: Pool, slack: Fraction, rate: Fraction
) -> None:
    load = (1 + rate / decode.service_rate) * prefill.offered_load + decode.offered_load
    game = AllocationGame(load + slack, prefill, decode)
    found = interference_equilibrium(Interference(game, rate))
    stretch = math.sqrt(1 + rate / decode.service_rate)
    bound = (stretch + 1) ** 2 / (4 * stretch)
    assert 1 <= found.price_of_anarchy <= bound * (1 + ROUNDING)
    assert found.prefill >= found.optimum_prefill * (1 - ROUNDING)
    for prefill_gpus, cost in (
        (found.prefill, found.cost),
        (found.optimum_prefill, found.optimum),
    ):
        first = prefill.service_rate * prefill_gpus - prefill.arrival_rate
        rest = decode.service_rate * (game.budget - prefill_gpus) - decode.arrival_rate
        second = rest - rate * prefill_gpus
        both = prefill.weight / first + decode.weight / second
        assert math.isclose(both, cost, rel_tol=1e-6)


def test_without_interference_the_equilibrium_is_the_separable_one() -> None:
    game = AllocationGame(9, Pool("mm1", 2, 3, 2), Pool("mm1", "1/4", "1/2"))
    found = interference_equilibrium(Interference(game, 0))
    assert found.prefill == found.optimum_prefill == variational_equilibrium(game).prefill
    assert found.price_of_anarchy == 1


def test_interference_counts_as_load() -> None:
    # 2 GPUs of prefill work take 2 from decode's capacity, which needs 2 itself: 6 are too few.
    pool = Pool("mm1", 1, 2)
    full = interference_equilibrium(Interference(AllocationGame(6, pool, pool), 1))
    assert full.prefill is full.optimum is full.price_of_anarchy is None
    assert full.reason == NO_SLACK
    assert interference_equilibrium(Interference(AllocationGame(7, pool, pool), 1)).reason is None


def test_interference_at_an_instance_worked_out_by_hand() -> None:
    # Decode's slack is 18 - g - 3 g: it has X = 18/4 - 2 = 5/2 prefill GPUs to share, both
    # marginal costs weigh 1; the optimum takes half of them, the equilibrium two thirds.
    game = AllocationGame(20, Pool("mm1", 1, 2), Pool("mm1", 1, 2, 4))
    found = interference_equilibrium(Interference(game, 3))
    assert (found.prefill, found.optimum_prefill) == (Fraction(11, 3), Fraction(13, 4))
    assert (found.cost, found.optimum) == (Fraction(9, 5), Fraction(8, 5))
    assert found.price_of_anarchy == Fraction(9, 8)


def test_huge_weights_leave_only_their_ratio() -> None:
    def split(scale: int) -> Fraction:
        pool = Pool("mm1", 1, 2, 4 * scale), Pool("mm1", 1, 2, scale)
        return variational_equilibrium(AllocationGame(7, *pool)).prefill

    assert split(10**200) == split(1) == 4


def test_zero_arrivals_and_one_gpu() -> None:
    idle = Pool("mm1", 1, 0)
    game = AllocationGame(1, idle, idle)
    assert variational_equilibrium(game).prefill == Fraction(1, 2)
    assert generalised_equilibria(game) == (0, 1)
    assert exchange_stable(integer_splits(game)) == ()


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["mm1", "mmc"]),
    amounts,
    amounts,
    st.integers(1, 40),
    st.integers(2, 12),
)
def test_exchange_stable_splits_are_the_optima(
    queue: str, first: Fraction, second: Fraction, weight: int, budget: int
) -> None:
    pools = Pool(queue, 1, first), Pool(queue, "3/2", second, weight)
    report = integer_splits(AllocationGame(budget, *pools))
    least = min((split.cost for split in report.splits), default=math.inf)
    best = [split for split in report.splits if split.cost == least < math.inf]
    assert list(exchange_stable(report)) == best


def test_equal_pools_tie_and_both_splits_are_stable() -> None:
    pool = Pool("mm1", 1, "1/2")
    report = integer_splits(AllocationGame(5, pool, pool))
    assert [split.prefill for split in exchange_stable(report)] == [2, 3]
    assert report.optimum_prefill == 2


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), fractions("1/50", "49/50", max_denominator=50))
def test_continued_erlang_is_erlang_at_whole_numbers(servers: int, load: Fraction) -> None:
    expected = float(erlang_c(servers, load * servers))
    assert math.isclose(erlang_c_real(servers, float(load * servers)), expected, rel_tol=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.5, 50), st.floats(0.05, 0.9))
def test_continued_mean_wait_is_convex_in_the_servers(servers: float, load: float) -> None:
    arrivals = load * servers
    waits = [
        erlang_c_real(c, arrivals) / (c - arrivals) for c in (servers, servers + 1, servers + 2)
    ]
    assert waits[0] + waits[2] > 2 * waits[1]
    assert waits[0] > waits[1] > waits[2]


def test_continued_erlang_of_idle_full_and_huge_pools() -> None:
    assert erlang_c_real(2.5, 0) == 0
    assert erlang_c_real(2.5, 2.5) == erlang_c_real(2.5, 9) == 1
    assert erlang_c_real(300, 100) == pytest.approx(float(erlang_c(300, 100)), rel=1e-9, abs=0)


def test_bad_input_to_the_extensions_is_refused_by_key() -> None:
    pool = Pool("mm1", 1, 1)
    with pytest.raises(InputError, match="interference: must be at least 0"):
        Interference(AllocationGame(9, pool, pool), -1)
    with pytest.raises(InputError, match="mmc needs integer: true"):
        Interference(AllocationGame(9, pool, Pool("mmc", 1, 1)), 1)
    with pytest.raises(InputError, match="servers: must be finite and greater than 0"):
        erlang_c_real(0, 1)
    with pytest.raises(InputError, match="offered_load: must be finite and at least 0"):
        erlang_c_real(2, math.inf)
