"""The coupled game of split, placement and routing, and its planner over time."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.gpu_split.allocation import (
    NO_SLACK,
    AllocationGame,
    Pool,
    variational_equilibrium,
)
from anarchy.games.gpu_split.coupled import (
    CoupledGame,
    State,
    best_response_map,
    fixed_points,
    jacobian,
    planner_reply,
    settled,
    slope,
    spectral_radius,
    target,
)
from anarchy.games.gpu_split.delayed_planner import (
    delayed_orbit,
    gain_threshold,
    held_splits,
    period_two_orbits,
    planner_cycles,
    settling_gain,
)
from tests.games.rationals import fractions

STEP = Fraction(1, 10**8)
"""Step of central differences in rationals; their error is about its square."""

shares = fractions(0, 1, max_denominator=20)
games = st.builds(
    lambda load, decode, slack, price, credit, weight: CoupledGame(
        AllocationGame(load + decode + slack, Pool("mm1", 1, load), Pool("mm1", 1, decode, weight)),
        price,
        credit,
    ),
    fractions("1/4", 20, max_denominator=8),
    fractions(0, 9, max_denominator=8),
    fractions("1/4", 9, max_denominator=8),
    fractions("1/10", 2, max_denominator=20),
    shares,
    st.sampled_from([1, 4, Fraction(1, 9), 2]),
)


def warm(credit: object = "1/2") -> CoupledGame:
    """24 GPUs; with this credit the fixed point is 25/2 GPUs and half of the blocks."""
    pools = Pool("mm1", 1, 16), Pool("mm1", 1, "15/2")
    return CoupledGame(AllocationGame(24, *pools), "4/5", credit)


def bistable() -> CoupledGame:
    pools = Pool("mm1", 1, 16), Pool("mm1", 1, 6)
    return CoupledGame(AllocationGame(24, *pools), "24/25", 1)


def as_floats(state: State) -> tuple[float, float, float]:
    return float(state.prefill), float(state.cached), float(state.load_share)


@settings(max_examples=60, deadline=None)
@given(games)
def test_fixed_points_answer_themselves_and_are_distinct(game: CoupledGame) -> None:
    points = [point.state for point in fixed_points(game).points]
    assert points
    for state in points:
        reply = best_response_map(game, state)
        assert as_floats(reply) == pytest.approx(as_floats(state), rel=1e-9, abs=1e-9)
    prefill = [float(state.prefill) for state in points]
    assert prefill == sorted(set(prefill))


@settings(max_examples=40, deadline=None)
@given(games)
def test_corners_of_the_state_space_lead_to_the_first_and_the_last_fixed_point(
    game: CoupledGame,
) -> None:
    points = [float(point.state.prefill) for point in fixed_points(game).points]
    least, greatest = State(0.0, 1.0, 1.0), State(float(game.cold_split), 0.0, 0.5)
    for _ in range(300):
        least, greatest = best_response_map(game, least), best_response_map(game, greatest)
    # The orbits approach monotonically from outside and never step over a fixed point.
    assert float(least.prefill) <= points[0] + 1e-9
    assert float(greatest.prefill) >= points[-1] - 1e-9


@settings(max_examples=60, deadline=None)
@given(games, shares, shares, shares, shares)
def test_replies_preserve_the_order(
    game: CoupledGame, a: Fraction, b: Fraction, c: Fraction, d: Fraction
) -> None:
    low = State(game.cold_split * max(a, b), min(c, d), (1 + min(a, c)) / 2)
    high = State(game.cold_split * min(a, b), max(c, d), (1 + max(a, c)) / 2)
    below, above = best_response_map(game, low), best_response_map(game, high)
    assert below.prefill >= above.prefill
    assert below.cached <= above.cached
    assert below.load_share <= above.load_share


@settings(max_examples=40, deadline=None)
@given(games)
def test_cheap_memory_leaves_one_stable_fixed_point(game: CoupledGame) -> None:
    report = fixed_points(game)
    if game.memory_price * game.cold_split < game.allocation.prefill.offered_load:
        (point,) = report.points
        assert 0 < point.state.cached < 1
        assert point.slope < 1
        assert point.spectral_radius < 1
    else:
        assert report.points[-1].state.cached == 0


@settings(max_examples=40, deadline=None)
@given(games, shares)
def test_planner_asks_for_the_equilibrium_of_the_load_that_is_left(
    game: CoupledGame, cached: Fraction
) -> None:
    share = (1 + cached) / 2
    spared = share * (1 - (1 - cached) ** 2)
    first, second = game.allocation.prefill, game.allocation.decode
    left = Pool("mm1", first.service_rate, first.arrival_rate * (1 - spared), first.weight)
    wanted = variational_equilibrium(AllocationGame(game.allocation.budget, left, second))
    assert float(planner_reply(game, cached, share)) == pytest.approx(float(wanted.prefill))


@settings(max_examples=60, deadline=None)
@given(games, fractions("1/10", 1, max_denominator=20))
def test_settled_caches_and_routes_answer_each_other(game: CoupledGame, part: Fraction) -> None:
    prefill = game.cold_split * part
    state = settled(game, prefill)
    reply = best_response_map(game, state)
    assert float(reply.cached) == pytest.approx(float(state.cached), abs=1e-12)
    assert float(reply.load_share) == pytest.approx(float(state.load_share))
    assert as_floats(settled(game, float(prefill))) == pytest.approx(as_floats(state), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(games)
def test_slope_and_jacobian_are_the_differences_of_the_maps(game: CoupledGame) -> None:
    for point in fixed_points(game).points:
        state = point.state
        if not 0.01 < state.cached < 0.99:
            continue
        prefill = Fraction(state.prefill)
        rise = (target(game, prefill + STEP) - target(game, prefill - STEP)) / (2 * STEP)
        assert float(rise) == pytest.approx(slope(game, prefill), rel=1e-6)
        assert (point.slope < 1) == (point.spectral_radius < 1)
        centre = [Fraction(x) for x in (state.prefill, state.cached, state.load_share)]
        for i in range(3):
            ends = [
                best_response_map(
                    game, State(*(x + sign * STEP * (i == j) for j, x in enumerate(centre)))
                )
                for sign in (1, -1)
            ]
            column = np.subtract(*map(as_floats, ends)) / float(2 * STEP)
            assert jacobian(game, state)[:, i] == pytest.approx(column, rel=1e-5, abs=1e-5)


def test_warm_instance_worked_out_by_hand() -> None:
    # m = 1/2: load share 5/8, hits 15/32 of 16 GPUs' work; half of what they free, 15/4, returns.
    (point,) = fixed_points(warm()).points
    assert point.state == State(Fraction(25, 2), Fraction(1, 2), Fraction(5, 8))
    assert point.slope == pytest.approx(13 / 40)


def test_three_fixed_points_of_which_the_middle_one_repels() -> None:
    first, middle, last = fixed_points(bistable()).points
    assert first.state == State(Fraction(25, 2), Fraction(1, 2), Fraction(3, 4))
    assert last.state == State(Fraction(17), Fraction(0), Fraction(1, 2))
    assert first.slope < 1 < middle.slope
    assert last.slope == last.spectral_radius == 0
    for shift, end in ((-0.01, first), (0.01, last)):
        orbit = delayed_orbit(bistable(), middle.state.prefill + shift, 0, 1.0, 300)
        assert orbit[-1] == pytest.approx(float(end.state.prefill), abs=1e-6)


def test_no_fixed_point_once_the_offered_loads_fill_the_budget() -> None:
    pool = Pool("mm1", 1, 2)
    for budget in (4, 3):
        report = fixed_points(CoupledGame(AllocationGame(budget, pool, pool), 1, 1))
        assert report.points == ()
        assert report.reason == NO_SLACK


def test_without_arrivals_nothing_is_worth_caching() -> None:
    idle = CoupledGame(AllocationGame(4, Pool("mm1", 1, 0), Pool("mm1", 1, 2)), 1, 1)
    (point,) = fixed_points(idle).points
    assert point.state == State(1, 0, Fraction(1, 2))
    assert point.slope == spectral_radius(idle, point.state) == 0


def test_router_without_credit_shares_equally() -> None:
    (point,) = fixed_points(warm(credit=0)).points
    assert point.state.load_share == Fraction(1, 2)
    assert 0 < point.state.cached < 1


def test_huge_weights_leave_only_their_ratio() -> None:
    heavy = [Pool("mm1", 1, load, 10**150) for load in (16, "15/2")]
    found = fixed_points(CoupledGame(AllocationGame(24, *heavy), "4/5", "1/2"))
    assert found.points == fixed_points(warm()).points


@pytest.mark.parametrize("delay", range(4))
def test_delayed_planner_rests_below_its_threshold_and_swings_above(delay: int) -> None:
    game = warm()
    threshold = gain_threshold(delay, 13 / 40)
    for factor, rests in ((0.9, True), (1.1, False)):
        orbit = delayed_orbit(game, 14.0, delay, factor * threshold, 1500, step_limit=1.0)
        assert (max(orbit[-40:]) - min(orbit[-40:]) < 1e-3) is rests


@pytest.mark.parametrize("delay", range(6))
def test_at_the_threshold_a_root_of_the_planner_is_on_the_unit_circle(delay: int) -> None:
    gain = gain_threshold(delay, 0.0)
    root = complex(math.cos(math.pi / (2 * delay + 1)), math.sin(math.pi / (2 * delay + 1)))
    assert abs(root ** (delay + 1) - root**delay + gain) < 1e-12


def test_settling_gains_by_hand() -> None:
    """d = 2: waiting at -1 and then following its whole error, the planner gets to 1."""
    assert settling_gain(0) == 2
    assert settling_gain(1) == 1
    gain = 2 - math.sqrt(2)
    assert settling_gain(2) == pytest.approx(gain)
    path = [-1.0, -1.0, -1.0]
    for _ in range(4):
        path.append(path[-1] - gain * path[-3])
    assert max(path) == pytest.approx(1) == -path[0]
    assert settling_gain(3) == pytest.approx(1 - 1 / math.sqrt(3))
    assert settling_gain(300) == pytest.approx(3 / 600, rel=1e-2)


@given(st.integers(1, 4), st.data())
def test_below_the_settling_gain_no_choice_of_shares_leads_further_out(
    delay: int, data: st.DataObject
) -> None:
    gain = 0.999 * settling_gain(delay)
    moves = data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=30, max_size=60))
    path = data.draw(st.lists(st.floats(-1, 1), min_size=delay + 1, max_size=delay + 1))
    for share in moves:
        path.append(path[-1] - share * gain * path[-1 - delay])
    begun = 3 * delay + 1  # the history itself need not obey the rule
    farthest = max(map(abs, path[: begun + 1]))
    assert max(map(abs, path[begun:])) <= farthest * (1 + 1e-12)


@settings(max_examples=30, deadline=None)
@given(games, st.floats(0.05, 1), st.floats(0.05, 1))
def test_prompt_planner_that_does_not_overshoot_never_turns_back(
    game: CoupledGame, gain: float, start: float
) -> None:
    if game.allocation.budget < 2:
        return
    highest = float(game.allocation.budget) - 1
    orbit = delayed_orbit(game, 1 + start * (highest - 1), 0, gain, 60)
    moves = [b - a for a, b in itertools.pairwise(orbit)]
    assert min(moves) > -1e-9 or max(moves) < 1e-9


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(0, 2),
    fractions(0, 2, max_denominator=4),
    st.sampled_from([0, Fraction(1, 2)]),
)
def test_cycles_are_those_of_the_theorem(
    load: int, delay: int, band: Fraction, credit: object
) -> None:
    game = CoupledGame(
        AllocationGame(16, Pool("mm1", 1, load), Pool("mm1", 1, "9/2")), "1/10", credit
    )
    held, cycles = held_splits(game, band), planner_cycles(game, delay, band)
    resting = {cycle[0] for cycle in cycles if len(cycle) == 1}
    assert resting == set(held)
    if len(held) > delay:
        assert all(len(cycle) == 1 for cycle in cycles)
    for cycle in cycles:
        assert all(abs(b - a) <= 1 for a, b in itertools.pairwise((*cycle, cycle[0])))


def test_cycle_of_six_worked_out_by_hand() -> None:
    # The error changes sign between 12 and 13; the planner learns of each move one interval late.
    assert planner_cycles(warm(), 1, 0) == ((11, 12, 13, 14, 13, 12),)


def test_planner_without_delay_or_dead_band_alternates() -> None:
    assert planner_cycles(warm(), 0, 0) == ((12, 13),)
    assert period_two_orbits(warm(), 0, 0) == ((12, 13),)
    assert period_two_orbits(warm(), 0, "1/2") == ()


def test_two_gpus_leave_the_planner_no_move() -> None:
    pool = Pool("mm1", 1, "1/2")
    game = CoupledGame(AllocationGame(2, pool, pool), 1, 0)
    assert planner_cycles(game, 1, 0) == ((1,),)
    assert set(delayed_orbit(game, 1.0, 1, 5.0, 5)) == {1.0}


def test_one_gpu_cannot_be_shared_by_two_workers() -> None:
    pool = Pool("mm1", 1, "1/4")
    game = CoupledGame(AllocationGame(1, pool, pool), 1, 0)
    assert fixed_points(game).reason is None
    with pytest.raises(InputError, match="budget: must be a whole number of at least 2 GPUs"):
        planner_cycles(game, 0, 0)
    with pytest.raises(InputError, match="budget: needs at least 2 GPUs"):
        delayed_orbit(game, 0.5, 0, 1.0, 3)


def test_bad_input_is_refused_by_key() -> None:
    pool = Pool("mm1", 1, 1)
    plain = AllocationGame(9, pool, pool)
    with pytest.raises(InputError, match="mmc needs integer: true"):
        CoupledGame(AllocationGame(9, pool, Pool("mmc", 1, 1)), 1, 1)
    with pytest.raises(InputError, match="memory_price: must be greater than 0"):
        CoupledGame(plain, 0, 1)
    with pytest.raises(InputError, match="credit: must be from 0 to 1, got 2"):
        CoupledGame(plain, 1, 2)
    with pytest.raises(InputError, match="slope: must be below 1"):
        gain_threshold(0, 1.0)
    with pytest.raises(InputError, match="delay: must be a whole number"):
        gain_threshold(-1, 0.0)
    with pytest.raises(InputError, match="delay: must leave at most"):
        planner_cycles(warm(), 30, 0)
    with pytest.raises(InputError, match="dead_band: must be at least 0"):
        held_splits(warm(), -1)
