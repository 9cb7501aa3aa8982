"""Lines by dynamic programming: against enumeration, against the textbook condition, long ones."""

from fractions import Fraction
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.games.common.equilibrium_report import MAX_LISTED, EquilibriumReport
from anarchy.games.placement import enumeration, line, topology
from anarchy.games.placement.game import CachingGame
from anarchy.games.placement.solve import solve_placement
from tests.games.rationals import fractions

PLACEMENT_COSTS = ["0", "1/2", "1", "3/2", "2", "7/3", "4", "11", "100"]


def by_gaps(game: CachingGame) -> EquilibriumReport:
    return line.solve(game.placement_cost, game.demand, game.miss_cost)


def assert_same(game: CachingGame) -> None:
    """Both solvers give one report, but for its method and for profiles too many to list."""
    found, exhausted = vars(by_gaps(game)), vars(enumeration.solve(game))
    assert found.pop("method") != exhausted.pop("method")
    if exhausted["equilibria"] > MAX_LISTED:
        assert found.pop("profiles") is None
        exhausted.pop("profiles")
    assert found == exhausted


@pytest.mark.parametrize("cost", PLACEMENT_COSTS)
@pytest.mark.parametrize("nodes", range(1, 13))
def test_every_small_line_agrees_with_enumeration(nodes: int, cost: str) -> None:
    assert_same(CachingGame.of(topology.line(nodes), cost))


@pytest.mark.parametrize("cost", PLACEMENT_COSTS)
@pytest.mark.parametrize("nodes", range(1, 9))
def test_equilibria_are_copies_apart_and_nodes_close(nodes: int, cost: str) -> None:
    """Chun et al.: copies at least alpha apart, every node within alpha of one (ties allowed)."""
    alpha = Fraction(cost)
    stable = [
        copies
        for count in range(1, nodes + 1)
        for copies in combinations(range(nodes), count)
        if all(b - a >= alpha for a, b in pairwise(copies))
        and all(min(abs(node - copy) for copy in copies) <= alpha for node in range(nodes))
    ]
    wanted = {tuple((0,) if node in copies else () for node in range(nodes)) for copies in stable}
    profiles = by_gaps(CachingGame.of(topology.line(nodes), cost)).profiles
    assert profiles is not None
    assert set(profiles) == wanted
    assert len(profiles) == len(wanted)


@st.composite
def line_games(draw: st.DrawFn) -> CachingGame:
    """Lines on which cost, demand and miss cost differ by node; up to three objects.

    Half of them have whole numbers up to 3 throughout, so that most choices are ties.
    """
    objects = draw(st.integers(1, 3))
    nodes = draw(st.integers(1, 12 // objects))
    amounts = draw(
        st.sampled_from(
            [
                st.integers(0, 3).map(Fraction),
                fractions(min_value=0, max_value=9, max_denominator=4),
            ]
        )
    )

    def vector(length: int) -> list[Fraction]:
        return draw(st.lists(amounts, min_size=length, max_size=length))

    return CachingGame.of(
        topology.line(nodes),
        draw(amounts | st.just(vector(nodes))),
        [vector(objects) for _ in range(nodes)],
        draw(st.none() | amounts | st.lists(amounts, min_size=nodes, max_size=nodes)),
    )


@settings(max_examples=150, deadline=None)
@given(line_games())
def test_uneven_lines_agree_with_enumeration(game: CachingGame) -> None:
    assert_same(game)


def test_line_without_demand_has_no_ratio() -> None:
    """Any number of copies will do, and none costs nothing."""
    game = CachingGame.of(topology.line(3), [1, 1, 1], [0, 0, 0])
    assert_same(game)
    assert by_gaps(game).reason is not None


def test_a_long_line_is_counted_exactly() -> None:
    report = solve_placement(CachingGame.of(topology.line(400), "33/2", "3/2", miss_cost=40))
    assert report.method == line.METHOD
    assert report.profiles is None
    assert report.equilibria > MAX_LISTED


def test_long_uneven_line_of_two_objects() -> None:
    """Objects do not compete, so the two together are the sum of each alone."""
    nodes = range(400)
    costs = [Fraction(20 + i % 7, 2) for i in nodes]
    demand = [[1 + i % 2, Fraction(i % 5, 3)] for i in nodes]
    miss = [30 + i % 11 for i in nodes]
    both = solve_placement(CachingGame.of(topology.line(400), costs, demand, miss))
    alone = [
        solve_placement(CachingGame.of(topology.line(400), costs, [[d[k]] for d in demand], miss))
        for k in (0, 1)
    ]
    assert both.method == line.METHOD
    assert both.optimum == sum(one.optimum for one in alone)
    assert both.worst_equilibrium == sum(one.worst_equilibrium for one in alone)
    assert both.equilibria == alone[0].equilibria * alone[1].equilibria
    assert both.optimum < both.best_equilibrium < both.worst_equilibrium


def test_cost_beyond_the_length_leaves_one_copy_anywhere() -> None:
    report = solve_placement(CachingGame.of(topology.line(300), 10**6))
    assert report.equilibria == 300
    assert report.profiles is not None
    assert all(sum(map(len, profile)) == 1 for profile in report.profiles)
    assert report.worst_equilibrium == 10**6 + sum(range(300))
    assert report.optimum == 10**6 + sum(range(150)) + sum(range(1, 151))


def test_free_copies_are_kept_everywhere() -> None:
    report = solve_placement(CachingGame.of(topology.line(200), 0))
    assert (report.equilibria, report.optimum) == (1, 0)
    assert report.price_of_anarchy is None
    assert report.reason is not None


def test_cheap_misses_leave_a_long_line_empty() -> None:
    report = solve_placement(CachingGame.of(topology.line(100), 10, miss_cost=3))
    assert report.profiles == (((),) * 100,)
    assert report.worst_equilibrium == 300


def test_short_lines_and_tight_caches_are_enumerated() -> None:
    assert solve_placement(CachingGame.of(topology.line(10), 2)).method != line.METHOD
    tight = CachingGame.of(topology.line(30), 2, capacity=0, miss_cost=1)
    assert solve_placement(tight).method != line.METHOD


def test_only_unit_steps_make_a_line() -> None:
    assert line.is_line(topology.line(5))
    assert not line.is_line(topology.star(4))
    assert line.is_line(((7, 1), (1, 7)))
    assert not line.is_line(((0, 1, 2), (1, 0, 1), (3, 1, 0)))
