"""The plateau: closed forms against the linear program, games that attain them, random games."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games import poa_table
from anarchy.games.common.latency import MM1, Polynomial, Table
from anarchy.games.common.smoothness import tight_poa
from anarchy.games.routing.congestion import CongestionGame, Strategy
from anarchy.games.routing.solve import solve_routing
from anarchy.games.theorems import finite, plateau
from anarchy.games.theorems.gains import gain_game, gain_worst_ratio
from anarchy.games.theorems.plateau import LINEAR, affine_game, affine_worst_ratio, polynomial
from anarchy.games.theorems.worst_game import worst_game
from tests.games.rationals import fractions
from tests.games.theorems.conftest import RowsOf

THIRD = Fraction(1, 3)


def test_every_check_holds_under_an_id_of_its_own(rows_of: RowsOf) -> None:
    rows = rows_of(plateau)
    assert [row["id"] for row in rows if not row["holds"]] == []
    assert len({row["id"] for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("gamma", "value"),
    [
        ("1/8", 9),
        ("2/3", "5/2"),
        (1, "5/2"),
        ("5/3", "5/2"),
        (2, "8/3"),
        ("11/5", "11/4"),
        (3, "24/7"),
        (4, "48/11"),
    ],
)
def test_values_worked_out_by_hand(gamma: object, value: object) -> None:
    assert affine_worst_ratio(gamma) == Fraction(value)


@settings(max_examples=25, deadline=None)
@given(fractions(min_value=Fraction(1, 10), max_value=8, max_denominator=20))
def test_closed_form_is_the_linear_program_and_a_game_attains_it(gamma: Fraction) -> None:
    stated = affine_worst_ratio(gamma)
    assert tight_poa([LINEAR], 16, gamma).poa == stated
    assert solve_routing(affine_game(gamma)).price_of_anarchy == stated


@given(fractions(min_value=Fraction(5, 3), max_value=200, max_denominator=50))
def test_no_whole_number_beats_the_chosen_one_above_the_plateau(gamma: Fraction) -> None:
    tried = (gamma * x * x / (gamma + x * x - x - 1) for x in range(2, 1000))
    assert affine_worst_ratio(gamma) == max(tried)


def test_few_players_lose_what_one_loses_alone_when_overlap_is_overvalued() -> None:
    # With three players the closed form over all games is not reached: it needs more of them.
    assert tight_poa([LINEAR], 3, 8).poa == 8 < affine_worst_ratio(8)


STEPS = (Fraction(1, 10**6), Fraction(1, 10))


@pytest.mark.parametrize(("latency", "players"), [(LINEAR, 4), (polynomial(0, 0, 1), 8)])
def test_the_window_ends_where_it_is_said_to(latency: Polynomial, players: int) -> None:
    plain = tight_poa([latency], players)
    low, high = plateau.window(plain)
    assert high / low == plain.poa
    for gamma in (low, (low + high) / 2, high):
        assert tight_poa([latency], players, gamma).poa == plain.poa
    for gamma in [end for s in STEPS for end in (low * (1 - s), high * (1 + s))]:
        assert tight_poa([latency], players, gamma).poa > plain.poa


def test_the_plateau_can_reach_below_the_window_where_the_program_has_many_optima() -> None:
    # One row of this program is active alone, so that larger nu are optimal too.
    latency = MM1(Fraction(5))
    plain = tight_poa([latency], 4)
    low, high = plateau.window(plain)
    for gamma in (low * Fraction(9, 10), low, high):
        assert tight_poa([latency], 4, gamma).poa == plain.poa
    for gamma in (low / 2, *(high * (1 + s) for s in STEPS)):
        assert tight_poa([latency], 4, gamma).poa > plain.poa


def test_an_infinite_bound_has_neither_window_nor_game() -> None:
    bound = tight_poa([Table((0, 1, 2))], 3)
    with pytest.raises(ValueError, match="infinite"):
        plateau.window(bound)
    with pytest.raises(ValueError, match="infinite"):
        worst_game(bound.certificate)


def test_weight_zero_is_refused() -> None:
    with pytest.raises(InputError, match="gamma: must be greater than 0"):
        affine_worst_ratio(0)


tables = st.lists(
    fractions(min_value=0, max_value=5, max_denominator=4), min_size=4, max_size=4
).map(lambda values: Table(tuple(values)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(tables.filter(lambda t: t(1) > 0), min_size=1, max_size=2),
    st.none() | fractions(min_value=Fraction(1, 4), max_value=4, max_denominator=12),
)
def test_any_finite_bound_with_offsets_is_attained(
    latencies: list[Table], gamma: Fraction | None
) -> None:
    bound = tight_poa(latencies, 4, gamma)
    assert bound.certificate.check()
    if bound.certificate.rho is not None:
        report = solve_routing(worst_game(bound.certificate))
        assert report.price_of_anarchy == bound.poa


affine = st.builds(polynomial, st.integers(0, 3), st.integers(0, 3)).filter(lambda c: c(1) > 0)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(affine, affine, affine),
    st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=2, max_size=3),
    st.sampled_from([THIRD, Fraction(2, 3), Fraction(1), Fraction(5, 3), Fraction(4)]),
)
def test_no_coarse_correlated_equilibrium_exceeds_the_bound(
    latencies: tuple[Polynomial, ...], offsets: list[tuple[int, ...]], gamma: Fraction
) -> None:
    workers = dict(zip("abc", latencies, strict=True))
    players = tuple(
        tuple(Strategy(frozenset(r), Fraction(b)) for r, b in zip("abc", row, strict=True))
        for row in offsets
    )
    game = finite.FiniteGame.of_congestion(CongestionGame(workers, players, gamma))
    found = finite.worst_coarse_correlated(game)
    pure = solve_routing(CongestionGame(workers, players, gamma)).price_of_anarchy
    assert float(pure) <= found * (1 + 1e-9)
    assert found <= float(affine_worst_ratio(gamma)) * (1 + 1e-9)


@given(fractions(min_value=0, max_value=Fraction(39, 40), max_denominator=40))
def test_overlap_as_a_gain_attains_its_own_ratio(beta: Fraction) -> None:
    gain, cost = (solve_routing(gain_game(beta, plus)) for plus in (False, True))
    assert gain.price_of_anarchy == gain_worst_ratio(beta)
    assert gain.profiles == cost.profiles
    assert gain.optimum_profile == cost.optimum_profile
    assert cost.price_of_anarchy <= Fraction(5, 2)


@settings(max_examples=15, deadline=None)
@given(fractions(min_value=0, max_value=Fraction(39, 40), max_denominator=40))
def test_overlap_as_a_gain_is_a_latency_less_a_constant(beta: Fraction) -> None:
    latency = Polynomial((-beta, Fraction(1)))
    assert tight_poa([latency], 10).poa == gain_worst_ratio(beta)


@pytest.mark.parametrize("beta", [-1, 1, "3/2"])
def test_credits_beyond_the_unloaded_latency_are_refused(beta: object) -> None:
    with pytest.raises(InputError, match="beta: must be"):
        gain_worst_ratio(beta)


def test_curve_rows_hold_three_series_that_agree() -> None:
    rows = plateau.curve_rows()
    assert len({row["id"] for row in rows}) == len(rows)
    values = {(row["series"], row["gamma_exact"]): row["exact"] for row in rows}
    marked = [gamma for series, gamma in values if series == "instance"]
    assert {"1/8", "2/3", "5/3", "8"} <= set(marked)
    for gamma in marked:
        assert (
            values["instance", gamma]
            == values["linear programme", gamma]
            == values["closed form", gamma]
        )


def test_the_program_of_two_players_is_attained_by_the_game_at_the_lower_end() -> None:
    report = solve_routing(poa_table.two_worker_game(Fraction(2, 3)))
    assert report.price_of_anarchy == tight_poa([LINEAR], 2, Fraction(2, 3)).poa
