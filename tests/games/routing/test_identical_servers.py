"""Identical servers: the program against enumerated games, and the constant it tends to."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, combinations_with_replacement

import pytest

from anarchy.games.common.latency import Polynomial
from anarchy.games.routing.congestion import CongestionGame, Strategy
from anarchy.games.routing.identical_servers import worst_case
from anarchy.games.routing.solve import solve_routing


def restricted_games(requests: int, servers: str) -> Iterator[CongestionGame]:
    """All games in which each request may use some of the servers, of latency k at load k."""
    choices = [
        tuple(Strategy(frozenset(name)) for name in chosen)
        for size in range(1, len(servers) + 1)
        for chosen in combinations(servers, size)
    ]
    latency = dict.fromkeys(servers, Polynomial((Fraction(0), Fraction(1))))
    for players in combinations_with_replacement(choices, requests):
        yield CongestionGame(latency, players)


@pytest.mark.parametrize(
    ("requests", "servers", "worst"), [(3, "abc", Fraction(5, 3)), (4, "abcd", Fraction(3, 2))]
)
def test_no_small_game_is_worse_than_the_program_says(
    requests: int, servers: str, worst: Fraction
) -> None:
    """The worst game of three requests attains the program's value at load two."""
    games = restricted_games(requests, servers)
    ratios = [ratio for game in games if (ratio := solve_routing(game).price_of_anarchy)]
    assert max(ratios) == worst <= worst_case(2).point[0]


def test_the_bound_grows_to_the_constant_of_the_literature() -> None:
    values = [worst_case(most).point[0] for most in (2, 3, 4, 6, 12)]
    assert values[:2] == [Fraction(5, 3), Fraction(21, 11)]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(2.012067, abs=2e-5)
    assert worst_case(4).check()
