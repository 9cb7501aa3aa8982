"""Bounds of large games: each lies on the side that the report names."""

import math
from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from anarchy.common.errors import InputError
from anarchy.games.placement import bounds, topology
from anarchy.games.placement.best_response import is_equilibrium
from anarchy.games.placement.game import CachingGame
from anarchy.games.placement.solve import solve_placement
from tests.games.placement.caching_games import caching_games

RUNS = 60
"""Of best-response dynamics; a quarter of the usual number finds all that is looked for here."""


@pytest.fixture(autouse=True, scope="module")
def _fewer_runs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "RUNS", RUNS)
        yield


@settings(max_examples=20, deadline=None)
@given(caching_games(bits=7))
def test_bounds_enclose_what_enumeration_finds(game: CachingGame) -> None:
    every, bound = solve_placement(game, "enumeration"), solve_placement(game, "bounds")
    assert not bound.exact
    assert bound.equilibria is bound.profiles is None
    assert bound.optimum == every.optimum
    assert bound.bounds is not None
    assert bound.bounds.startswith("optimum proven")
    if bound.worst_equilibrium is None:
        assert bound.reason.startswith("no pure equilibrium")
        assert every.equilibria == 0 or bound.reason.startswith("no pure equilibrium found")
        return
    assert every.best_equilibrium <= bound.best_equilibrium
    assert bound.worst_equilibrium <= every.worst_equilibrium
    assert bound.reason == every.reason
    if bound.reason is None:
        assert bound.price_of_anarchy <= every.price_of_anarchy
        assert bound.price_of_stability >= every.price_of_stability


def test_open_gap_is_told_and_the_ratios_stay_on_their_sides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "MAX_WORK", 0)
    monkeypatch.setattr(bounds, "KICKS", 0)
    game = CachingGame.of(topology.grid(8, 8), 2)
    report, known = solve_placement(game), bounds.bounds(game)
    assert not known.certificate.proven
    assert known.certificate.check()
    assert report.bounds.startswith(
        f"optimum at most the one given and at least {known.certificate.lower} (relative gap "
    )
    assert report.price_of_anarchy == report.worst_equilibrium / known.certificate.upper
    assert report.price_of_stability == report.best_equilibrium / known.certificate.lower


def test_two_hundred_nodes_on_a_grid() -> None:
    game = CachingGame.of(topology.grid(10, 20), 10)
    known = bounds.bounds(game)
    assert known.certificate.check()
    assert known.certificate.proven
    assert known.certificate.upper == 482
    assert known.extremes is None
    assert is_equilibrium(game, known.found.best)
    assert is_equilibrium(game, known.found.worst)


def test_islands_of_two_hundred_nodes_keep_one_copy_selfishly() -> None:
    """Every equilibrium has one copy, the optimum one on each island."""
    report = solve_placement(CachingGame.of(topology.clusters(10, 20, 0, 99), 100))
    assert report.optimum == 10 * 100
    assert report.best_equilibrium == report.worst_equilibrium == 100 + 180 * 99
    assert report.price_of_anarchy == report.price_of_stability


def test_objects_that_compete_for_room_on_islands() -> None:
    game = CachingGame.of(topology.clusters(4, 8, 1, 9), 10, [[3, 2, 1]] * 32, capacity=1)
    known = bounds.bounds(game)
    assert known.certificate.check()
    assert known.found.worst_cost == math.inf
    assert is_equilibrium(game, known.found.best)
    assert is_equilibrium(game, known.found.worst)


def test_directed_ring_without_equilibrium_says_so() -> None:
    nodes = 21
    ring = [[1 if (i + 1) % nodes == j else 4 for j in range(nodes)] for i in range(nodes)]
    report = solve_placement(CachingGame.of(topology.distance(ring), 2))
    assert report.price_of_anarchy is report.worst_equilibrium is None
    assert report.reason.startswith("no pure equilibrium by integer programming")
    assert f"{RUNS} of {RUNS} runs met a cycle" in report.reason


def test_optimum_zero_has_no_ratio() -> None:
    report = solve_placement(CachingGame.of(topology.grid(5, 5), 0))
    assert (report.optimum, report.worst_equilibrium) == (0, 0)
    assert report.price_of_anarchy is report.price_of_stability is None
    assert report.reason == "the optimum is 0, a ratio needs one above 0"


def test_infinite_optimum_has_no_ratio() -> None:
    report = solve_placement(CachingGame.of(topology.grid(5, 5), 1, [[1, 1]] * 25, capacity=0))
    assert report.optimum == report.worst_equilibrium == math.inf
    report = solve_placement(CachingGame.of(topology.grid(5, 5), 1, capacity=0), "bounds")
    assert report.optimum == math.inf
    assert report.price_of_anarchy is None
    assert report.reason == "every outcome costs infinitely much"


def test_the_best_placement_found_is_never_dearer_than_an_equilibrium_found() -> None:
    report = solve_placement(CachingGame.of(topology.grid(6, 8), 3, [[2, 1]] * 48, 9, 1))
    assert report.optimum <= report.best_equilibrium <= report.worst_equilibrium


def test_more_prices_than_can_be_searched_are_refused() -> None:
    game = CachingGame.of(topology.star(400), 4, [[1] * 8] * 400)
    with pytest.raises(InputError, match="have 1280000 prices, too many to search; allowed: 10000"):
        solve_placement(game)
