"""Patterns of identical requests: none is missing, and what is proved of one is right."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from anarchy.games.routing import two_stage
from anarchy.games.theorems.stages import instances, patterns
from anarchy.games.theorems.stages.patterns import FREE, Pattern

MISMATCH = Pattern(((0, 0), (1, 1)), ((0, 1), (1, 0)))


def test_one_request_loses_nothing() -> None:
    found = list(patterns.patterns(1))
    assert {p.optimum for p in found} == {((p, q),) for p in (FREE, 0) for q in (FREE, 0)}
    assert {patterns.worst_case(pattern) for pattern in found} == {1}


def test_every_way_to_put_two_requests_on_pairs_is_there() -> None:
    equilibria = {pattern.equilibrium for pattern in patterns.patterns(2)}
    assert equilibria == {((0, 0), (0, k)) for k in (0, 1)} | {((0, 0), (1, k)) for k in (0, 1)}
    assert MISMATCH in set(patterns.patterns(2))


def test_multipliers_of_a_half_prove_three_halves_of_the_mismatch() -> None:
    """Half of each of the four moves to a pair of the optimum; six were tried."""
    rows = patterns.program(MISMATCH)
    tried = {
        sum(values): patterns.proved(rows, [Fraction(v, 2) for v in values])
        for values in product((0, 1), repeat=6)
        if patterns.proved(rows, [Fraction(v, 2) for v in values]) == Fraction(3, 2)
    }
    assert min(tried) == 4
    assert patterns.worst_case(MISMATCH) == Fraction(3, 2)
    assert patterns.proved(rows, [Fraction(0)] * 6) == math.inf


def test_no_small_game_exceeds_what_is_proved() -> None:
    """Games of two requests on two workers a stage, drawn at random from a grid."""
    random = np.random.default_rng(1)
    ratios = []
    for _ in range(120):
        one, two = (
            {f"w{i}": instances.linear(int(s)) for i, s in enumerate(row)}
            for row in random.integers(0, 4, (2, 2))
        )
        links = {pair: Fraction(int(random.integers(0, 5))) for pair in product(one, two)}
        anywhere = [dict.fromkeys(stage, Fraction(0)) for stage in (one, two)]
        game = two_stage.TwoStageGame(one, two, (two_stage.Request(*anywhere),) * 2, links)
        ratios.append(two_stage.solve(game).price_of_anarchy or 1)
    assert 1 < max(ratios) <= Fraction(3, 2)


@pytest.mark.nightly
def test_four_requests_lose_eleven_sevenths_at_most(
    record_property: Callable[[str, object], None],
) -> None:
    found = [patterns.worst_case(pattern) for pattern in patterns.patterns(4)]
    record_property("patterns", len(found))
    assert max(found) == Fraction(11, 7)
