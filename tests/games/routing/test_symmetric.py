"""Counting by load vectors against enumeration of profiles, field by field."""

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.games.common.equilibrium_report import MAX_LISTED, EquilibriumReport
from anarchy.games.common.latency import MM1, Polynomial, Table
from anarchy.games.routing import symmetric
from anarchy.games.routing.congestion import CongestionGame, Strategy
from anarchy.games.routing.solve import solve_routing
from tests.games.rationals import fractions

MAX_TRIED = 5

numbers = fractions(min_value=-2, max_value=3, max_denominator=3)
small = st.integers(-1, 2).map(Fraction)
latencies = st.one_of(
    st.builds(Polynomial, st.lists(numbers, min_size=1, max_size=3).map(tuple)),
    st.builds(MM1, fractions(min_value=Fraction(1, 2), max_value=6, max_denominator=2)),
    # Few different values make ties, and values in any order make decreasing latencies.
    st.builds(Table, st.lists(small, min_size=MAX_TRIED, max_size=MAX_TRIED).map(tuple)),
)


def parallel(players: int, *workers: object, offsets: object = None, weight: object = 1):
    """Identical players on workers w0, w1, ... with these latencies."""
    offsets = offsets or [0] * len(workers)
    names = [f"w{number}" for number in range(len(workers))]
    strategies = tuple(
        Strategy(frozenset([name]), offset) for name, offset in zip(names, offsets, strict=True)
    )
    return CongestionGame(dict(zip(names, workers, strict=True)), (strategies,) * players, weight)


@st.composite
def games(draw: st.DrawFn) -> CongestionGame:
    workers = draw(st.lists(latencies, min_size=1, max_size=4))
    offsets = draw(st.lists(numbers, min_size=len(workers), max_size=len(workers)))
    players = draw(st.integers(1, MAX_TRIED))
    return parallel(players, *workers, offsets=offsets, weight=draw(numbers))


def counted(game: CongestionGame) -> EquilibriumReport:
    """The report of counting, whatever the size of the game."""
    players = len(game.players)
    strategies = game.players[0]
    latency = [
        [game.latency[name](load) for load in range(1, players + 1)]
        for strategy in strategies
        for name in strategy.resources
    ]
    assert symmetric.is_countable(latency)
    offsets = [strategy.offset for strategy in strategies]
    perceived = [game.perceived_offset_weight * offset for offset in offsets]
    return symmetric.solve(latency, offsets, perceived)


def assert_same(game: CongestionGame) -> None:
    """Counting and enumeration agree in every field but the method and a list too long to show."""
    expected = replace(solve_routing(game, "enumeration"), method=symmetric.METHOD)
    if expected.equilibria > MAX_LISTED:
        expected = replace(expected, profiles=None)
    assert counted(game) == expected


@settings(max_examples=150, deadline=None)
@given(games())
def test_counting_equals_enumeration_in_every_field(game: CongestionGame) -> None:
    assert_same(game)


@pytest.mark.parametrize("players", [1, 2, 9, 16])
def test_two_workers_equal_enumeration(players: int) -> None:
    offsets = [0, "1/3"]
    assert_same(parallel(players, Polynomial((0, 1)), MM1("19/2"), offsets=offsets, weight="3/2"))


def test_equilibrium_in_which_a_worker_would_gain_by_company() -> None:
    # One player on each worker: the first pays 3, and 0 if the other came, who has 0 already.
    game = parallel(2, Table((3, 0)), Table((0, 9)))
    assert_same(game)
    report = counted(game)
    assert report.profiles == ((0, 0), (0, 1), (1, 0))
    assert (report.best_equilibrium, report.worst_equilibrium) == (0, 3)


def test_ties_make_every_profile_an_equilibrium() -> None:
    report = counted(parallel(40, *[Polynomial((1,))] * 3))
    assert report.equilibria == 3**40
    assert report.profiles is None
    assert report.optimum == report.best_equilibrium == report.worst_equilibrium == 40


def test_large_count_is_the_multinomial_of_the_balanced_loads() -> None:
    report = counted(parallel(200, *[Polynomial((0, 1))] * 8))
    assert report.equilibria == math.factorial(200) // math.factorial(25) ** 8
    assert report.optimum == report.worst_equilibrium == 8 * 25**2
    assert report.price_of_anarchy == 1


def test_unequal_loads_of_many_players_are_counted_over_all_ties() -> None:
    # 13 players on 4 equal workers: one worker has 4, which of them is free.
    report = counted(parallel(13, *[Polynomial((0, 1))] * 4))
    assert report.equilibria == 4 * math.factorial(13) // (
        math.factorial(4) * math.factorial(3) ** 3
    )
    # The one more player may also move to any worker with 3 at no loss: still the same vectors.
    assert report.optimum == 4**2 + 3 * 3**2


def test_few_equilibria_of_many_players_are_listed_in_order() -> None:
    report = counted(parallel(300, Table((1,) * 299 + (0,)), Polynomial((2,))))
    assert report.profiles == ((0,) * 300,)
    free = counted(parallel(30, Polynomial((0, 1)), Polynomial((29,))))
    # 28 or 29 players on the first worker: who pays 29 on the second would pay as much there.
    assert free.equilibria == 435 + 30
    assert list(free.profiles) == sorted(free.profiles)


def test_overload_of_every_outcome_counts_all_profiles() -> None:
    game = parallel(4, MM1(1), MM1(2))
    assert_same(game)
    report = counted(parallel(100, MM1(1), MM1(2)))
    assert report.optimum == report.worst_equilibrium == math.inf
    assert report.reason == "every outcome costs infinitely much"
    assert report.optimum_profile == (0,) * 100


def test_overload_that_players_can_leave_is_no_equilibrium() -> None:
    # Selfish players leave both servers 5 to spare; 44 and 16 of them would wait less in total.
    report = counted(parallel(60, MM1(50), MM1(20)))
    assert report.equilibria == math.comb(60, 15)
    assert (report.worst_equilibrium, report.optimum) == (12, Fraction(34, 3))
    assert report.price_of_anarchy == Fraction(18, 17)


def test_one_worker_has_one_outcome() -> None:
    report = counted(parallel(50, Polynomial((0, 1))))
    assert (report.equilibria, report.optimum, report.price_of_anarchy) == (1, 2500, 1)


def test_one_player_takes_a_cheapest_worker() -> None:
    report = counted(parallel(1, Polynomial((0, 2)), Polynomial((0, 1)), Polynomial((1,))))
    assert report.profiles == ((1,), (2,))


def test_zero_latency_gives_no_ratio() -> None:
    report = counted(parallel(20, *[Polynomial((0,))] * 2))
    assert report.equilibria == 2**20
    assert report.price_of_anarchy is None
    assert report.reason == "the optimum is 0, a ratio needs one above 0"


def test_negative_optimum_gives_no_ratio() -> None:
    report = counted(parallel(20, Polynomial((0, 1)), Polynomial((0, 1)), offsets=[-50, -50]))
    assert report.optimum == 200 - 1000
    assert report.price_of_stability is None


def test_numbers_beyond_64_bits_equal_enumeration() -> None:
    unit = 10**30
    assert_same(parallel(5, Polynomial((0, unit)), MM1(4), Table((3 * unit,) * 5)))


def test_a_decreasing_latency_of_too_many_players_is_not_countable() -> None:
    falling = [[Fraction(1000 - load) for load in range(900)]] * 2
    assert not symmetric.is_countable(falling)
    assert symmetric.is_countable([row[::-1] for row in falling])
    assert not symmetric.is_countable([[Fraction(1)] * (symmetric.MAX_PLAYERS + 1)])
