"""Cache placement: the array solver against the definition, known graphs, degenerate games."""

import math
from fractions import Fraction
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.common import enumeration
from anarchy.games.placement import line, topology
from anarchy.games.placement.game import CachingGame
from anarchy.games.placement.solve import solve_placement
from tests.games.placement.caching_games import caching_games, node_cost
from tests.games.rationals import fractions


@settings(max_examples=100, deadline=None)
@given(caching_games(bits=6))
def test_solver_agrees_with_the_definition(game: CachingGame) -> None:
    most = game.objects if game.capacity is None else min(game.capacity, game.objects)
    sets = [c for size in range(most + 1) for c in combinations(range(game.objects), size)]
    equilibria, social = [], {}
    for placement in product(sets, repeat=game.nodes):
        paid = [node_cost(game, i, placement) for i in range(game.nodes)]
        social[placement] = sum(paid)
        if all(
            paid[i] <= node_cost(game, i, (*placement[:i], kept, *placement[i + 1 :]))
            for i in range(game.nodes)
            for kept in sets
        ):
            equilibria.append(placement)
    report = solve_placement(game)
    assert list(report.profiles) == equilibria
    assert report.optimum == min(social.values()) == social[report.optimum_profile]
    assert report.worst_equilibrium == max((social[p] for p in equilibria), default=None)
    assert report.best_equilibrium == min((social[p] for p in equilibria), default=None)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 7), fractions(min_value=Fraction(1, 10), max_value=20))
def test_complete_graph_has_price_one_at_every_placement_cost(nodes: int, cost: Fraction) -> None:
    assert solve_placement(CachingGame.of(topology.complete(nodes), cost)).price_of_anarchy == 1


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 6),
    fractions(min_value=1, max_value=9, max_denominator=5),
    fractions(min_value=Fraction(1, 5), max_value=9, max_denominator=5),
)
def test_complete_graph_with_a_miss_cost_below_the_placement_cost(
    nodes: int, miss: Fraction, excess: Fraction
) -> None:
    cost = miss + excess
    report = solve_placement(CachingGame.of(topology.complete(nodes), cost, miss_cost=miss))
    expected = max(Fraction(1), nodes * miss / (cost + nodes - 1))
    assert report.price_of_anarchy == report.price_of_stability == expected
    assert report.profiles == (((),) * nodes,)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 6),
    fractions(min_value=Fraction(1, 5), max_value=9, max_denominator=5),
    fractions(min_value=Fraction(1, 5), max_value=9, max_denominator=5),
)
def test_complete_graph_with_a_miss_cost_above_the_placement_cost(
    nodes: int, cost: Fraction, excess: Fraction
) -> None:
    game = CachingGame.of(topology.complete(nodes), cost, miss_cost=max(Fraction(1), cost) + excess)
    assert solve_placement(game).price_of_anarchy == 1


def test_two_islands_keep_one_copy_between_them() -> None:
    report = solve_placement(CachingGame.of(topology.clusters(2, 3, 0, 9), 10))
    assert all(sum(map(len, placement)) == 1 for placement in report.profiles)
    assert report.price_of_anarchy == Fraction(10 + 3 * 9, 2 * 10)


def test_directed_distances_can_leave_no_equilibrium() -> None:
    # Around a directed ring of three each node follows the copy of the next one.
    near, far = 1, 4
    ring = [[near if (i + 1) % 3 == j else far for j in range(3)] for i in range(3)]
    report = solve_placement(CachingGame.of(topology.distance(ring), 2))
    assert report.equilibria == 0
    assert report.reason == "no pure equilibrium"


def test_distances_that_violate_the_triangle_inequality_are_used_as_given() -> None:
    detour = topology.distance([[0, 1, 9], [1, 0, 1], [9, 1, 0]])
    report = solve_placement(CachingGame.of(detour, [20, 20, 0]))
    assert report.profiles == (((), (), (0,)),)
    assert report.optimum == 9 + 1


def test_own_copy_is_free_whatever_the_diagonal_says() -> None:
    assert solve_placement(CachingGame.of(topology.distance([[7]]), 2)).optimum == 2


def test_nobody_keeping_an_object_is_infinitely_bad_without_a_miss_cost() -> None:
    game = CachingGame.of(topology.complete(2), 1, capacity=0)
    report = solve_placement(game)
    assert report.optimum == math.inf
    assert report.price_of_anarchy is None
    assert report.reason == "every outcome costs infinitely much"


def test_zero_demand_costs_nothing() -> None:
    report = solve_placement(CachingGame.of(topology.complete(3), 1, demand=0))
    assert report.optimum == 0
    assert report.profiles == (((), (), ()),)
    assert report.reason == "the optimum is 0, a ratio needs one above 0"


def test_one_node_keeps_its_object() -> None:
    assert solve_placement(CachingGame.of(topology.line(1), 3)).profiles == (((0,),),)


def test_huge_rationals_are_solved_exactly() -> None:
    unit = 10**25 + 1
    report = solve_placement(CachingGame.of(topology.star(4), Fraction(3 * unit, 2 * unit + 2)))
    plain = solve_placement(CachingGame.of(topology.star(4), Fraction(3, 2)))
    assert report.profiles == plain.profiles
    assert plain.price_of_anarchy == Fraction(11, 9)
    assert report.price_of_anarchy != plain.price_of_anarchy


def test_sixteen_nodes_are_enumerated() -> None:
    report = solve_placement(CachingGame.of(topology.grid(4, 4), 4))
    assert report.equilibria == 38


@pytest.mark.parametrize(
    ("game", "count"),
    [
        (CachingGame.of(topology.star(100), 4), "about 10^30"),
        (CachingGame.of(topology.complete(3), 4, [[1] * 60] * 3), "about 10^54"),
        (CachingGame.of(topology.line(20), 4), "1048576"),
        (CachingGame.of(topology.line(30), 4, [[1, 1]] * 30, capacity=1), "205891132094649"),
    ],
)
def test_enumeration_refuses_too_many_placements_before_they_are_listed(
    game: CachingGame, count: str
) -> None:
    with pytest.raises(InputError) as refused:
        solve_placement(game, "enumeration")
    assert str(refused.value) == (
        f"topology: {game.nodes} nodes have {count} placements, too many to enumerate; "
        "allowed: 262144 profiles; method auto solves long lines and bounds the rest"
    )


def test_auto_enumerates_what_fits_then_takes_lines_then_bounds() -> None:
    assert solve_placement(CachingGame.of(topology.line(18), 4)).method == enumeration.METHOD
    assert solve_placement(CachingGame.of(topology.line(19), 4)).method == line.METHOD
    assert solve_placement(CachingGame.of(topology.star(19), 4)).bounds is not None
    assert solve_placement(CachingGame.of(topology.line(5), 4), "bounds").bounds is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"placement_cost": [1, 2, 3]}, "placement_cost: needs 2 numbers"),
        ({"placement_cost": -1}, "placement_cost: must be at least 0"),
        ({"demand": [1, -1]}, "demand: must be at least 0"),
        ({"demand": [[1, 1], [1]]}, "demand: must be 2 rows"),
        ({"demand": [[], []]}, "demand: must be 2 rows"),
        ({"miss_cost": [1]}, "miss_cost: needs 2 numbers"),
        ({"capacity": -1}, "capacity: must be a whole number"),
        ({"capacity": True}, "capacity: must be a whole number"),
    ],
)
def test_bad_input_is_refused_by_key(changes: dict[str, object], message: str) -> None:
    arguments = {"placement_cost": 1, **changes}
    with pytest.raises(InputError, match=message):
        CachingGame.of(topology.complete(2), **arguments)
