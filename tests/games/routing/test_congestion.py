"""Routing games: the array solver against the definition, and every degenerate game."""

import math
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.common.latency import MM1, Polynomial, Table
from anarchy.games.common.rational import Extended
from anarchy.games.routing import symmetric
from anarchy.games.routing.congestion import Colocation, CongestionGame, Strategy
from anarchy.games.routing.solve import solve_routing
from tests.games.rationals import fractions

LINEAR = Polynomial((0, 1))


def on(*resources: str, offset: object = 0) -> Strategy:
    return Strategy(frozenset(resources), offset)


def costs(game: CongestionGame, profile: tuple[int, ...], perceived: bool) -> list[Extended]:
    """Cost of every player from the definition, one player and one resource at a time."""
    chosen = [strategies[s] for strategies, s in zip(game.players, profile, strict=True)]
    weight = game.perceived_offset_weight if perceived else Fraction(1)
    result: list[Extended] = []
    for player, strategy in enumerate(chosen):
        cost: Extended = weight * strategy.offset
        for resource in strategy.resources:
            cost += game.latency[resource](sum(resource in other.resources for other in chosen))
        if game.colocation:
            gains = [
                game.colocation.credit[player][k]
                for k, other in enumerate(chosen)
                if k != player and other.resources == strategy.resources
            ]
            best = max(gains, default=0) if game.colocation.combine == "max" else sum(gains)
            cost -= game.colocation.weight * best
        result.append(cost)
    return result


def by_definition(game: CongestionGame) -> tuple[list[tuple[int, ...]], dict[tuple, Extended]]:
    """Equilibria and social costs, straight from the definitions."""
    ranges = [range(len(strategies)) for strategies in game.players]
    equilibria, social = [], {}
    for profile in product(*ranges):
        social[profile] = sum(costs(game, profile, perceived=False))
        here = costs(game, profile, perceived=True)
        if all(
            here[i] <= costs(game, (*profile[:i], s, *profile[i + 1 :]), perceived=True)[i]
            for i in range(len(profile))
            for s in ranges[i]
        ):
            equilibria.append(profile)
    return equilibria, social


numbers = fractions(min_value=-2, max_value=3, max_denominator=4)
latencies = st.one_of(
    st.builds(Polynomial, st.lists(numbers, min_size=1, max_size=3).map(tuple)),
    st.builds(MM1, fractions(min_value=Fraction(1, 2), max_value=5, max_denominator=3)),
    st.builds(Table, st.lists(numbers, min_size=4, max_size=4).map(tuple)),
)


@st.composite
def games(draw: st.DrawFn) -> CongestionGame:
    names = ["a", "b", "c"]
    strategies = st.builds(Strategy, st.frozensets(st.sampled_from(names)), numbers)
    players = draw(
        st.lists(
            st.lists(strategies, min_size=1, max_size=3).map(tuple), min_size=1, max_size=4
        ).map(tuple)
    )
    matrix = st.tuples(*[st.tuples(*[numbers] * len(players))] * len(players))
    together = st.builds(Colocation, matrix, st.sampled_from(["sum", "max"]), numbers)
    return CongestionGame(
        latency={name: draw(latencies) for name in names},
        players=players,
        perceived_offset_weight=draw(numbers),
        colocation=draw(st.none() | together),
    )


@settings(max_examples=60, deadline=None)
@given(games())
def test_solver_agrees_with_the_definition(game: CongestionGame) -> None:
    report = solve_routing(game)
    equilibria, social = by_definition(game)
    assert list(report.profiles) == equilibria
    assert report.equilibria == len(equilibria)
    assert report.optimum == min(social.values()) == social[report.optimum_profile]
    assert report.worst_equilibrium == max((social[p] for p in equilibria), default=None)
    assert report.best_equilibrium == min((social[p] for p in equilibria), default=None)
    assert (report.price_of_anarchy is None) == (report.reason is not None)


@settings(max_examples=40, deadline=None)
@given(games())
def test_offsets_alone_keep_an_exact_potential_and_so_an_equilibrium(game: CongestionGame) -> None:
    plain = CongestionGame(game.latency, game.players, game.perceived_offset_weight)
    report = solve_routing(plain)
    assert report.exact_potential
    assert report.equilibria >= 1


@settings(max_examples=40, deadline=None)
@given(games(), st.integers(10**20, 10**21))
def test_huge_numbers_change_nothing_but_the_unit(game: CongestionGame, unit: int) -> None:
    # Multiplied by 10^20 the costs no longer fit 64 bits; offsets make all of the cost here.
    def scaled(factor: int) -> CongestionGame:
        players = tuple(
            tuple(Strategy(s.resources, s.offset * factor) for s in strategies)
            for strategies in game.players
        )
        free = dict.fromkeys(game.latency, Polynomial((0,)))
        return CongestionGame(free, players, game.perceived_offset_weight)

    small, large = solve_routing(scaled(1)), solve_routing(scaled(unit))
    assert small.profiles == large.profiles
    assert small.optimum * unit == large.optimum
    assert small.price_of_anarchy == large.price_of_anarchy


def test_symmetric_pairwise_credit_keeps_the_potential_and_asymmetric_credit_breaks_it() -> None:
    players = ((on("a"), on("b")),) * 2

    def game(theirs: int) -> CongestionGame:
        return CongestionGame(
            {"a": LINEAR, "b": LINEAR}, players, 1, Colocation(((0, 1), (theirs, 0)))
        )

    assert solve_routing(game(1)).exact_potential is True
    assert solve_routing(game(0)).exact_potential is False


def test_no_pure_equilibrium_gives_no_ratio() -> None:
    # One request chases the other, which flees.
    free = Polynomial((0,))
    game = CongestionGame(
        {"a": free, "b": free}, ((on("a"), on("b")),) * 2, 1, Colocation(((0, 1), (-1, 0)))
    )
    report = solve_routing(game)
    assert (report.equilibria, report.profiles) == (0, ())
    assert report.worst_equilibrium is report.best_equilibrium is None
    assert report.price_of_anarchy is report.price_of_stability is None
    assert report.reason == "no pure equilibrium"
    assert report.exact_potential is False


def test_best_partner_of_two_counts_alone_and_negative_credit_is_kept() -> None:
    players = ((on("a"),),) * 3
    credit = ((0, 2, 3), (-2, 0, -1), (0, 0, 0))
    game = CongestionGame({"a": Polynomial((1,))}, players, 1, Colocation(credit, "max", 2))
    assert solve_routing(game).optimum == 3 - 2 * (3 - 1 + 0)


def test_best_partner_is_chosen_before_a_negative_weight_turns_credit_into_cost() -> None:
    players = ((on("a"),),) * 3
    credit = ((0, 2, 3), (0, 0, 0), (0, 0, 0))
    game = CongestionGame({"a": Polynomial((1,))}, players, 1, Colocation(credit, "max", -1))
    assert solve_routing(game).optimum == 3 + 3


def test_large_sum_over_the_players_is_not_taken_for_infinity() -> None:
    game = CongestionGame({"a": Table((0, 0, 0, 5))}, ((on("a"),),) * 4)
    assert solve_routing(game).optimum == 20


def test_ties_are_weak_equilibria() -> None:
    game = CongestionGame({"a": Polynomial((1,)), "b": Polynomial((1,))}, ((on("a"), on("b")),) * 2)
    assert solve_routing(game).equilibria == 4


def test_optimum_of_zero_gives_no_ratio() -> None:
    report = solve_routing(CongestionGame({"a": Polynomial((0,))}, ((on("a"),),)))
    assert report.optimum == 0
    assert report.price_of_anarchy is None
    assert report.reason == "the optimum is 0, a ratio needs one above 0"


def test_negative_optimum_gives_no_ratio() -> None:
    report = solve_routing(CongestionGame({"a": LINEAR}, ((on("a", offset=-3),),)))
    assert report.optimum == -2
    assert report.price_of_stability is None
    assert report.reason == "the optimum is -2, a ratio needs one above 0"


def test_overload_is_infinite_and_never_negative() -> None:
    report = solve_routing(CongestionGame({"a": MM1(2)}, ((on("a"),),) * 3))
    assert report.optimum == report.worst_equilibrium == math.inf
    assert report.price_of_anarchy is None
    assert report.reason == "every outcome costs infinitely much"


def test_equilibrium_in_overload_has_an_infinite_price() -> None:
    # Each of two players is stuck: the way out of the overloaded server a is overloaded too.
    rate = MM1(2)
    game = CongestionGame(
        {"a": rate, "b": rate, "c": rate},
        ((on("a", "b"), on("c")), (on("a", "c"), on("b"))),
    )
    report = solve_routing(game)
    assert report.optimum == 2
    assert report.worst_equilibrium == report.price_of_anarchy == math.inf
    assert report.price_of_stability == 1


def test_one_player_and_one_worker() -> None:
    report = solve_routing(CongestionGame({"a": LINEAR}, ((on("a"),),)))
    assert (report.equilibria, report.price_of_anarchy, report.exact_potential) == (1, 1, True)
    assert report.exact


def test_strategy_without_resources_costs_its_offset() -> None:
    report = solve_routing(CongestionGame({"a": LINEAR}, ((on("a"), on(offset="1/2")),)))
    assert report.profiles == ((1,),)
    assert report.optimum == Fraction(1, 2)


def test_empty_strategy_set_is_refused() -> None:
    with pytest.raises(InputError, match=r"players\[1\].strategies: at least one"):
        CongestionGame({"a": LINEAR}, ((on("a"),), ()))


def test_game_without_players_is_refused() -> None:
    with pytest.raises(InputError, match="players: at least one"):
        solve_routing(CongestionGame({"a": LINEAR}, ()))


def test_unknown_resource_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="no resource 'w00', did you mean 'w0'"):
        CongestionGame({"w0": LINEAR, "link": LINEAR}, ((on("w00"),),))


def test_short_table_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"latency\.a\.table: gives loads 1 to 1, load 2"):
        solve_routing(CongestionGame({"a": Table((1,))}, ((on("a"),),) * 2))


def test_bad_colocation_is_refused() -> None:
    with pytest.raises(InputError, match="square"):
        Colocation(((0, 1),))
    with pytest.raises(InputError, match="did you mean 'sum'"):
        Colocation(((0,),), "summ")
    with pytest.raises(InputError, match="needs 1 rows"):
        CongestionGame({"a": LINEAR}, ((on("a"),),), 1, Colocation(((0, 1), (1, 0))))


def chain(players: int) -> CongestionGame:
    """Players who each use one or two links: no method but enumeration knows such games."""
    latency = {"a": LINEAR, "b": LINEAR}
    return CongestionGame(latency, ((on("a"), on("a", "b")),) * players)


def routed(players: int, weight: object = 1) -> CongestionGame:
    """Requests on two workers, with the blocks that they miss on each as offsets."""
    choices = tuple(
        (on("a", offset=Fraction(i, 3)), on("b", offset=Fraction(players - i, 5)))
        for i in range(players)
    )
    return CongestionGame({"a": LINEAR, "b": Polynomial((1, "3/2"))}, choices, weight)


def test_too_many_profiles_are_refused_with_their_number_and_the_scalable_methods() -> None:
    with pytest.raises(InputError) as refused:
        solve_routing(chain(19))
    message = str(refused.value)
    assert "19 players have 524288 profiles" in message
    assert "allowed: 262144 profiles" in message
    assert "identical players are solved by counting" in message
    assert "assignment and best response" in message
    with pytest.raises(InputError, match=r"have about 10\^301 profiles"):
        solve_routing(chain(1000))
    with pytest.raises(InputError, match="and 8388608 player-profile pairs"):
        solve_routing(CongestionGame(chain(1).latency, chain(18).players + ((on("a", "b"),),) * 15))


def test_colocation_is_not_solved_beyond_enumeration() -> None:
    credit = Colocation(((Fraction(0),) * 20,) * 20)
    game = CongestionGame({"a": LINEAR, "b": LINEAR}, ((on("a"), on("b")),) * 20, 1, credit)
    with pytest.raises(InputError, match="no colocation"):
        solve_routing(game)
    with pytest.raises(InputError, match="no colocation; allowed here: method enumeration"):
        solve_routing(game, "bounds")


def test_enumeration_of_a_large_game_is_refused_with_the_method_that_solves_it() -> None:
    same = CongestionGame({"a": LINEAR, "b": LINEAR}, ((on("a"), on("b")),) * 19)
    with pytest.raises(InputError, match="method auto solves this game by counting"):
        solve_routing(same, "enumeration")
    with pytest.raises(InputError, match="method auto solves this game by bounds"):
        solve_routing(routed(40), "enumeration")
    assert solve_routing(chain(3), "enumeration") == solve_routing(chain(3))


def test_large_game_of_equal_players_is_counted() -> None:
    report = solve_routing(CongestionGame({"a": LINEAR, "b": LINEAR}, ((on("a"), on("b")),) * 200))
    assert report.exact
    assert report.method == symmetric.METHOD
    assert report.equilibria == math.comb(200, 100)


@pytest.mark.parametrize("weight", [1, 0, "1/2", 3])
def test_bounds_lie_on_the_side_that_they_say(weight: object) -> None:
    game = routed(10, weight)
    truth, bounds = solve_routing(game), solve_routing(game, "bounds")
    assert (bounds.exact, bounds.equilibria, bounds.profiles) == (False, None, None)
    assert bounds.optimum == truth.optimum
    assert sum(costs(game, bounds.optimum_profile, perceived=False)) == truth.optimum
    assert truth.best_equilibrium <= bounds.best_equilibrium
    assert bounds.worst_equilibrium <= truth.worst_equilibrium
    assert bounds.price_of_anarchy == bounds.worst_equilibrium / truth.optimum
    assert bounds.exact_potential == truth.exact_potential
    assert "lower bounds" in bounds.bounds
    assert truth.bounds is None


@settings(max_examples=40, deadline=None)
@given(games())
def test_bounds_hold_for_all_games_of_single_workers(game: CongestionGame) -> None:
    # Two strategies may use one worker, and not every player may use every worker.
    rising = {name: Polynomial((i, i + 1)) for i, name in enumerate(sorted(game.latency))}
    rising["c"] = MM1(2)
    players = tuple(
        tuple(Strategy(frozenset([min(s.resources or {"a"})]), s.offset) for s in strategies)
        for strategies in game.players
    )
    single = CongestionGame(rising, players, game.perceived_offset_weight)
    truth, bounds = solve_routing(single), solve_routing(single, "bounds")
    assert bounds.optimum == truth.optimum
    assert truth.best_equilibrium <= bounds.best_equilibrium
    assert bounds.worst_equilibrium <= truth.worst_equilibrium
    assert (bounds.price_of_anarchy is None) == (truth.price_of_anarchy is None)


def test_equal_games_get_equal_bounds() -> None:
    assert solve_routing(routed(60)) == solve_routing(routed(60))
    assert not solve_routing(routed(60)).exact


def test_bounds_of_overload_are_infinite() -> None:
    players = tuple((on("a", offset=i), on("b")) for i in range(20))
    report = solve_routing(CongestionGame({"a": MM1(5), "b": MM1(6)}, players))
    assert report.optimum == report.worst_equilibrium == math.inf
    assert report.reason == "every outcome costs infinitely much"


def test_number_of_copies_is_no_reason_to_check_them_one_by_one() -> None:
    with pytest.raises(InputError, match="1000000 players on 2 workers are too many to assign"):
        solve_routing(CongestionGame({"a": LINEAR, "b": LINEAR}, ((on("a"), on("b")),) * 10**6))


def test_sixteen_players_on_two_workers_are_enumerated() -> None:
    players = tuple((on("a", offset=Fraction(i, 7)), on("b")) for i in range(16))
    report = solve_routing(
        CongestionGame({"a": LINEAR, "b": Polynomial((0, "3/2"))}, players, "1/3")
    )
    assert report.equilibria > 0
