"""Exact assignment against brute force, and certificates that catch every change."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.common.latency import MM1, Polynomial
from anarchy.games.common.rational import Extended
from anarchy.games.routing.congestion import CongestionGame, Strategy
from anarchy.games.routing.min_cost_assignment import (
    MAX_PAIRS,
    Assignment,
    minimise,
    social_marginals,
)
from anarchy.games.routing.solve import solve_routing
from tests.games.rationals import fractions
from tests.sandbox import inputs

numbers = fractions(min_value=-4, max_value=4, max_denominator=3)
Instance = tuple[list[list[Extended]], list[list[Fraction | None]]]


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    workers = draw(st.integers(1, 4))
    row = st.lists(st.none() | numbers, min_size=workers, max_size=workers)
    offsets = draw(st.lists(row.filter(lambda r: any(b is not None for b in r)), max_size=5))
    marginals: list[list[Extended]] = []
    for worker in range(workers):
        users = sum(b[worker] is not None for b in offsets)
        values = sorted(draw(st.lists(numbers, min_size=users, max_size=users)))
        finite = draw(st.integers(0, users))
        marginals.append([*values[:finite], *[math.inf] * (users - finite)])
    return marginals, offsets


def total(marginals: Sequence, offsets: Sequence, workers: Sequence[int]) -> Extended:
    """Cost of an assignment from the definition."""
    cost = sum((row[w] for row, w in zip(offsets, workers, strict=True)), Fraction(0))
    return cost + sum(sum(row[: workers.count(w)]) for w, row in enumerate(marginals))


@pytest.mark.random
@inputs(1)
@given(instances())
def test_assignment_is_the_cheapest_of_all(instance: Instance) -> None:
    marginals, offsets = instance
    found = minimise(marginals, offsets)
    allowed = [[w for w, b in enumerate(row) if b is not None] for row in offsets]
    everything = [total(marginals, offsets, workers) for workers in product(*allowed)]
    assert found.cost == min(everything) == total(marginals, offsets, found.workers)
    assert found.check()


@settings(max_examples=60, deadline=None)
@given(instances())
def test_check_refuses_every_dearer_assignment(instance: Instance) -> None:
    marginals, offsets = instance
    found = minimise(marginals, offsets)
    for request, row in enumerate(offsets):
        for worker in range(len(row)):
            moved = (*found.workers[:request], worker, *found.workers[request + 1 :])
            if row[worker] is None:
                assert not replace(found, workers=moved).check()
                continue
            cost = total(marginals, offsets, moved)
            if cost > found.cost:
                assert not replace(found, workers=moved, cost=cost).check()


def test_check_refuses_wrong_prices_costs_and_penalties() -> None:
    found = minimise([[1, 3], [2, 2]], [[Fraction(0)] * 2] * 2)
    assert found.check()
    assert not replace(found, prices=(found.prices[0] + 9, found.prices[1])).check()
    assert not replace(found, cost=found.cost - 1).check()
    assert not replace(found, penalty=Fraction(1)).check()


def test_check_does_not_trust_marginals_that_fall() -> None:
    # Both on worker 0 cost 5 + 0, a greedy first step avoids it; no prices prove any assignment.
    marginals, offsets = [[5, 0], [3, 3]], [[Fraction(0)] * 2] * 2
    for workers in product(range(2), repeat=2):
        claimed = Assignment(
            marginals,
            offsets,
            workers,
            total(marginals, offsets, workers),
            (Fraction(5, 2), Fraction(3)),
            Fraction(100),
        )
        assert claimed.check() == (workers == (0, 0))
    assert not minimise(marginals, offsets).check()


def test_overload_of_every_assignment_is_proven_infinite() -> None:
    marginals = [social_marginals([MM1(2)(x) for x in (1, 2, 3)], "w") for _ in range(2)]
    found = minimise(marginals, [[Fraction(0)] * 2] * 3)
    assert found.cost == math.inf
    assert found.check()
    assert not replace(found, cost=Fraction(2)).check()


def test_ties_are_broken_alike_each_time() -> None:
    marginals, offsets = [[Fraction(1)] * 6] * 3, [[Fraction(0)] * 3] * 6
    assert minimise(marginals, offsets) == minimise(marginals, offsets)
    assert minimise(marginals, offsets).cost == 6


def test_one_request_takes_its_cheapest_worker() -> None:
    found = minimise([[5], [1], [3]], [[Fraction(0), Fraction(3), Fraction(2)]])
    assert (found.workers, found.cost, found.check()) == ((1,), 4, True)


def test_one_worker_takes_all() -> None:
    found = minimise([[1, 2, 3]], [[Fraction(i)] for i in range(3)])
    assert (found.workers, found.cost, found.check()) == ((0, 0, 0), 9, True)


def test_zero_costs_are_proven_as_well() -> None:
    found = minimise([[0, 0], [0, 0]], [[Fraction(0)] * 2] * 2)
    assert (found.cost, found.check()) == (0, True)


def test_a_worker_that_nobody_may_use_stays_empty() -> None:
    found = minimise([[], [1, 1]], [[None, Fraction(0)]] * 2)
    assert (found.workers, found.check()) == ((1, 1), True)


def test_thousand_requests_with_overlap_are_proven() -> None:
    draw = random.Random(5)
    offsets = [[Fraction(draw.randint(0, 300), 10) for _ in range(8)] for _ in range(1000)]
    marginals = [
        social_marginals([Polynomial((1, Fraction(j + 1, 50)))(x) for x in range(1, 1001)], "w")
        for j in range(8)
    ]
    found = minimise(marginals, offsets)
    assert found.check()
    assert all(found.workers.count(worker) for worker in range(8))


def test_non_convex_worker_is_refused_by_name_and_load() -> None:
    with pytest.raises(InputError, match=r"latency\.w3: .* at load 2 it rises by 1 after 3"):
        social_marginals([Fraction(3), Fraction(2)], "w3")
    players = tuple(
        (Strategy(frozenset(["a"]), Fraction(i)), Strategy(frozenset(["b"]))) for i in range(20)
    )
    latency = {"a": Polynomial((0, 1)), "b": Polynomial((30, -1))}
    with pytest.raises(InputError, match=r"latency\.b: load times latency must be convex"):
        solve_routing(CongestionGame(latency, players))


def test_marginals_that_pass_belong_to_latencies_that_never_fall() -> None:
    # Half an M/M/1 server that can take 3 requests.
    assert social_marginals([MM1(3)(x) for x in range(1, 5)], "w") == [
        Fraction(1, 2),
        Fraction(3, 2),
        math.inf,
        math.inf,
    ]


def test_too_many_pairs_are_refused() -> None:
    with pytest.raises(InputError, match=f"allowed: {MAX_PAIRS} pairs"):
        minimise([[]] * 2, [[None, None]] * MAX_PAIRS)
