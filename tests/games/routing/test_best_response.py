"""Best responses and one-pass greedy against equilibria and against every way to break ties."""

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.common.latency import MM1, Polynomial
from anarchy.games.routing import best_response
from anarchy.games.routing.best_response import Rule, best_responses, one_pass, restarts
from anarchy.games.routing.congestion import Colocation, CongestionGame, Strategy
from anarchy.games.routing.solve import solve_routing
from tests.games.routing.test_congestion import costs, games

LINEAR = Polynomial((0, 1))


def on(*resources: str, offset: object = 0) -> Strategy:
    return Strategy(frozenset(resources), offset)


def pursuit() -> CongestionGame:
    """One request chases the other, which flees."""
    free = Polynomial((0,))
    return CongestionGame(
        {"a": free, "b": free}, ((on("a"), on("b")),) * 2, 1, Colocation(((0, 1), (-1, 0)))
    )


@settings(max_examples=60, deadline=None)
@given(games(), st.integers(0, 2**20))
def test_runs_end_in_equilibria_and_only_there(game: CongestionGame, seed: int) -> None:
    report = solve_routing(game)
    start = [seed >> 2 * i & 3 for i in range(len(game.players))]
    start = [s % len(own) for s, own in zip(start, game.players, strict=True)]
    run = best_responses(game, start)
    assert (run.outcome == "converged") == (run.profile in report.profiles)
    assert run.social_cost == sum(costs(game, run.profile, perceived=False))
    if report.exact_potential and all(not isinstance(q, MM1) for q in game.latency.values()):
        assert run.outcome == "converged"


@settings(max_examples=40, deadline=None)
@given(games(), st.integers(0, 1000))
def test_restarts_find_equilibria_between_the_best_and_the_worst(
    game: CongestionGame, seed: int
) -> None:
    report = solve_routing(game)
    found = restarts(game, seed, count=4)
    assert found.runs == 4
    if found.converged:
        assert {found.best_profile, found.worst_profile} <= set(report.profiles)
        assert report.best_equilibrium <= found.best <= found.worst <= report.worst_equilibrium


def play(game: CongestionGame, rule: Rule, order: tuple[int, ...]) -> Iterator[tuple]:
    """Every outcome of one pass, from the definition: the game of those who came so far."""

    def extend(chosen: dict[int, int]) -> Iterator[tuple]:
        if len(chosen) == len(order):
            yield tuple(chosen[player] for player in range(len(order)))
            return
        player = order[len(chosen)]
        present = sorted([*chosen, player])
        credit = game.colocation and Colocation(
            tuple(tuple(game.colocation.credit[i][k] for k in present) for i in present),
            game.colocation.combine,
            game.colocation.weight,
        )
        here = CongestionGame(
            game.latency,
            tuple(game.players[i] for i in present),
            game.perceived_offset_weight,
            credit,
        )
        values = []
        for strategy in range(len(game.players[player])):
            profile = tuple({**chosen, player: strategy}[i] for i in present)
            if rule == "selfish":
                values.append(costs(here, profile, perceived=True)[present.index(player)])
            else:
                values.append(sum(costs(here, profile, perceived=False)))
        for strategy, value in enumerate(values):
            if value == min(values):
                yield from extend({**chosen, player: strategy})

    return extend({})


@settings(max_examples=60, deadline=None)
@given(games(), st.sampled_from(["selfish", "least-increase"]), st.randoms(use_true_random=False))
def test_one_pass_covers_every_way_to_break_ties(
    game: CongestionGame, rule: Rule, random: object
) -> None:
    order = tuple(random.sample(range(len(game.players)), len(game.players)))
    outcomes = {p: sum(costs(game, p, perceived=False)) for p in play(game, rule, order)}
    found = one_pass(game, rule, order)
    assert found.best == min(outcomes.values()) == outcomes[found.best_profile]
    assert found.worst == max(outcomes.values()) == outcomes[found.worst_profile]


def test_cycle_is_recognised() -> None:
    run = best_responses(pursuit(), [0, 0])
    assert run.outcome == "cycle"
    assert restarts(pursuit(), seed=1).converged == 0
    assert restarts(pursuit(), seed=1).worst is None


def test_cap_on_moves_is_kept() -> None:
    game = CongestionGame({"a": LINEAR, "b": LINEAR}, ((on("a"), on("b")),) * 10)
    full = best_responses(game, [0] * 10)
    assert (full.outcome, full.steps) == ("converged", 5)
    capped = best_responses(game, [0] * 10, max_steps=3)
    assert (capped.outcome, capped.steps, capped.profile.count(1)) == ("stopped", 3, 3)
    assert best_responses(game, [0] * 10, max_steps=5).outcome == "converged"


def test_order_of_the_players_decides_who_moves() -> None:
    game = CongestionGame({"a": LINEAR, "b": LINEAR}, ((on("a"), on("b")),) * 2)
    ends = {order: best_responses(game, [0, 0], order).profile for order in permutations(range(2))}
    assert ends == {(0, 1): (1, 0), (1, 0): (0, 1)}


def test_equal_seeds_give_equal_runs_and_longer_series_keep_the_first() -> None:
    game = CongestionGame(
        {"a": Polynomial((0, 1)), "b": Polynomial((0, 2)), "c": Polynomial((1, 1))},
        tuple((on("a", "b"), on("c", offset=i), on("b")) for i in range(6)),
    )
    assert restarts(game, 7) == restarts(game, 7)
    short, long = restarts(game, 7, count=2), restarts(game, 7, count=12)
    assert long.best <= short.best
    assert long.worst >= short.worst


def test_ties_of_one_pass_decide_between_good_and_bad() -> None:
    # The first player is free to take the worker that the second one cannot leave.
    game = CongestionGame({"a": LINEAR, "b": LINEAR}, ((on("a"), on("b")), (on("a"),)))
    found = one_pass(game, "selfish")
    assert (found.best, found.best_profile) == (2, (1, 0))
    assert (found.worst, found.worst_profile) == (4, (0, 0))


def test_selfish_and_least_increase_differ() -> None:
    # A third on the first worker costs it 3 and the others 1 each; the second costs it 4.
    game = CongestionGame(
        {"a": LINEAR, "b": Polynomial((4,))}, ((on("a"),), (on("a"),), (on("a"), on("b")))
    )
    assert one_pass(game, "selfish").worst == 9
    assert one_pass(game, "least-increase").worst == 8


def test_overloaded_players_see_no_difference_and_stay() -> None:
    game = CongestionGame({"a": MM1(1), "b": MM1(1)}, ((on("a"), on("b")),) * 3)
    run = best_responses(game, [0, 0, 1])
    assert (run.outcome, run.steps, run.social_cost) == ("converged", 0, math.inf)
    assert one_pass(game, "least-increase").best == math.inf


def test_one_player_and_one_worker() -> None:
    game = CongestionGame({"a": LINEAR}, ((on("a"),),))
    assert best_responses(game, [0]).social_cost == 1
    assert one_pass(game, "selfish").worst == 1


def test_zero_latency_leaves_everyone_content() -> None:
    game = CongestionGame({"a": Polynomial((0,)), "b": Polynomial((0,))}, ((on("a"), on("b")),) * 4)
    assert best_responses(game, [0, 1, 0, 1]).steps == 0
    assert one_pass(game, "selfish").worst == Fraction(0)


def test_wrong_starts_and_orders_are_refused() -> None:
    game = CongestionGame({"a": LINEAR}, ((on("a"),),) * 2)
    with pytest.raises(InputError, match="start: needs 2 strategy numbers"):
        best_responses(game, [0])
    with pytest.raises(InputError, match="start: needs 2 strategy numbers"):
        best_responses(game, [0, 1])
    with pytest.raises(InputError, match="order: needs every player from 0 to 1 once"):
        best_responses(game, [0, 0], [0, 0])


def test_too_many_ties_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(best_response, "MAX_TIE_STATES", 10)
    game = CongestionGame({"a": LINEAR, "b": LINEAR}, ((on("a"), on("b")),) * 30)
    with pytest.raises(InputError, match="too many states; allowed: 10"):
        one_pass(game, "selfish")
