"""Games of other kinds as tables: the names of players and strategies, and what they pay."""

from fractions import Fraction

from anarchy.games.common.latency import Polynomial
from anarchy.games.normal_form import tabulation
from anarchy.games.placement import topology
from anarchy.games.placement.game import CachingGame
from anarchy.games.routing.congestion import CongestionGame, Strategy

LOAD = Polynomial((Fraction(0), Fraction(1)))


def test_requests_are_players_and_their_workers_strategies() -> None:
    choices = (Strategy(frozenset({"w1", "w0"})), Strategy(frozenset(), Fraction(2)))
    game = CongestionGame({"w0": LOAD, "w1": LOAD}, (choices, choices[:1]), Fraction(3))
    form = tabulation.of_congestion(game)
    assert form.players == ("player 0", "player 1")
    assert form.strategies == (("w0, w1", "nothing"), ("w0, w1",))
    scale = form.costs.scale
    # Alone on both workers or with the other, or away at an offset that is perceived threefold.
    assert [[scale.value(int(c)) for c in row] for row in form.costs.perceived] == [[4, 6], [4, 2]]
    assert [scale.value(int(c)) for c in form.costs.social] == [8, 4]


def test_strategies_with_the_same_workers_have_their_numbers() -> None:
    choices = (Strategy(frozenset({"w0"})), Strategy(frozenset({"w0"}), Fraction(2)))
    form = tabulation.of_congestion(CongestionGame({"w0": LOAD}, (choices,)))
    assert form.strategies == (("0: w0", "1: w0"),)


def test_nodes_are_players_and_what_they_keep_strategies() -> None:
    game = CachingGame.of(topology.complete(2), 3, [[1, 2], [1, 1]], capacity=1)
    form = tabulation.of_caching(game)
    assert form.players == ("node 0", "node 1")
    assert form.strategies == (("nothing", "0", "1"),) * 2
    kept = form.costs.space.counts
    assert kept == (3, 3)
    first = [form.costs.scale.value(int(c)) for c in form.costs.perceived[0]]
    # Node 0 keeps object 0, node 1 object 1: it pays 3 and fetches two units from next door.
    assert first[1 * 3 + 2] == 5
