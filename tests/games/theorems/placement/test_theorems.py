"""Cache placement: every closed form against solvers that do not know it, and its rows."""

import math
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.placement import line, topology
from anarchy.games.placement.game import CachingGame
from anarchy.games.placement.solve import solve_placement
from anarchy.games.theorems.checks import Row
from anarchy.games.theorems.placement import closed_forms as forms
from anarchy.games.theorems.placement import theorems
from anarchy.games.theorems.placement.curves import MAX_NODES, Placements, broom_price
from tests.games.theorems.conftest import RowsOf


@pytest.fixture(scope="module")
def checks(rows_of: RowsOf) -> list[Row]:
    return rows_of(theorems)


@pytest.fixture(scope="module")
def curves() -> list[Row]:
    return theorems.curve_rows()


NUMBERS = Path(__file__).parents[4] / "paper" / "numbers.d" / "placement.yaml"

quarters = st.integers(1, 40).map(lambda k: Fraction(k, 4))


def prices(game: CachingGame) -> tuple[object, object]:
    report = solve_placement(game)
    return report.price_of_anarchy, report.price_of_stability


def test_every_check_holds_and_has_an_id_of_its_own(checks: list[Row]) -> None:
    assert [row["id"] for row in checks if not row["holds"]] == []
    assert len({row["id"] for row in checks}) == len(checks)
    assert all(row["id"].startswith("placement-") for row in checks)


def test_the_paper_reads_rows_that_exist(checks: list[Row], curves: list[Row]) -> None:
    known = {row["id"] for row in checks} | {row["id"] for row in curves}
    assert {entry["id"] for entry in yaml.safe_load(NUMBERS.read_text())} <= known


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), quarters, st.none() | quarters)
def test_complete_graph(nodes: int, cost: Fraction, miss: Fraction | None) -> None:
    game = CachingGame.of(topology.complete(nodes), cost, miss_cost=miss)
    assert prices(game) == forms.complete(nodes, cost, miss)


@settings(max_examples=40, deadline=None)
@given(st.lists(quarters, min_size=2, max_size=6))
def test_unequal_costs(costs: list[Fraction]) -> None:
    game = CachingGame.of(topology.complete(len(costs)), costs)
    assert prices(game) == forms.unequal_costs(costs)


@settings(max_examples=60, deadline=None)
@given(quarters, st.lists(quarters | st.just(Fraction(0)), min_size=2, max_size=6).filter(any))
def test_unequal_demands_lose_less_than_a_factor_of_two(
    cost: Fraction, demands: list[Fraction]
) -> None:
    found = prices(CachingGame.of(topology.complete(len(demands)), cost, demands))
    assert found == forms.unequal_demands(cost, demands)
    assert found[0] < 2


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 4), quarters, quarters, quarters, quarters)
def test_one_slot(
    nodes: int, cost: Fraction, low: Fraction, more: Fraction, excess: Fraction
) -> None:
    high, miss = low + more - Fraction(1, 4), max(Fraction(1), cost / low) + excess
    alike = [[low, high]] * nodes
    found = prices(CachingGame.of(topology.complete(nodes), cost, alike, miss, 1))
    assert found == forms.one_slot(nodes, cost, low, high, miss)
    assert found[0] < nodes
    assert prices(CachingGame.of(topology.complete(nodes), cost, alike, miss)) == (1, 1)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([(2, 1), (2, 2), (2, 3), (2, 4), (3, 2), (3, 3), (4, 2)]),
    quarters.map(lambda d: d - Fraction(1, 4)),
    quarters,
    quarters,
    st.sampled_from(["below", "at", "above"]),
)
def test_islands(
    shape: tuple[int, int], intra: Fraction, more: Fraction, step: Fraction, where: str
) -> None:
    inter = intra + more
    cost = {"below": inter / (1 + step), "at": inter, "above": inter + step}[where]
    count, size = shape
    found = prices(CachingGame.of(topology.clusters(count, size, intra, inter), cost))
    assert found == forms.islands(count, size, intra, inter, cost)
    assert found[0] <= min(size, inter / intra if intra else size)


@st.composite
def connected(draw: st.DrawFn) -> list[list[int]]:
    """Distances in links of a random connected network: a tree with a few further links."""
    nodes = draw(st.integers(2, 9))
    linked = {(draw(st.integers(0, node - 1)), node) for node in range(1, nodes)}
    pairs = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1))
    linked |= set(draw(st.lists(pairs, max_size=4)))
    steps = [[0 if i == j else nodes for j in range(nodes)] for i in range(nodes)]
    for i, j in linked:
        if i != j:
            steps[i][j] = steps[j][i] = 1
    for k in range(nodes):
        for i in range(nodes):
            for j in range(nodes):
                steps[i][j] = min(steps[i][j], steps[i][k] + steps[k][j])
    return steps


@settings(max_examples=60, deadline=None)
@given(connected(), quarters)
def test_unit_links_are_bounded_and_the_classes_are_exact(
    steps: list[list[int]], cost: Fraction
) -> None:
    distance = topology.distance(steps)
    report = solve_placement(CachingGame.of(distance, cost))
    found = report.price_of_anarchy
    assert Placements.of(distance).price_of_anarchy(cost) == found
    if cost < 1:
        assert found == 1
    else:
        assert found <= forms.unit_links_bound(len(steps), cost)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4), min_size=4, max_size=4), quarters
)
def test_directed_distances_lose_at_most_the_number_of_nodes(
    matrix: list[list[int]], cost: Fraction
) -> None:
    distance = topology.distance(
        [[0 if i == j else d for j, d in enumerate(r)] for i, r in enumerate(matrix)]
    )
    found = solve_placement(CachingGame.of(distance, cost)).price_of_anarchy
    assert Placements.of(distance).price_of_anarchy(cost) == found
    assert found is None or found <= 4


@pytest.mark.parametrize(("handle", "bristles"), [(1, 1), (1, 6), (2, 2), (4, 8), (7, 2), (9, 1)])
def test_broom_is_solved_along_its_spine(handle: int, bristles: int) -> None:
    game = CachingGame.of(forms.broom(handle, bristles), handle + 2)
    report = solve_placement(game)
    assert report.equilibria == handle + 1 + bristles
    assert report.price_of_anarchy == broom_price(handle, bristles)


def test_broom_distances_by_hand() -> None:
    assert forms.broom(1, 2) == ((0, 1, 2, 2), (1, 0, 1, 1), (2, 1, 0, 2), (2, 1, 2, 0))


def test_a_tree_loses_more_than_the_root_of_its_size() -> None:
    assert broom_price(144, 864) > math.sqrt(1009)


def test_large_brooms_and_the_bound_have_one_constant() -> None:
    """Both tend to 2^(2/3)/3 times n^(2/3)."""
    for bend in (300, 3000):
        nodes = 1 + bend**2 + bend**3 // 2
        scale = (4 ** (1 / 3) / 3) * nodes ** (2 / 3)
        bound = forms.unit_links_bound(nodes, Fraction(bend**2 + 2))
        assert float(forms.broom_bound(bend)) / scale == pytest.approx(1, abs=2 / bend)
        assert bound / scale == pytest.approx(1, abs=2 / bend)


@st.composite
def metrics(draw: st.DrawFn) -> list[list[int]]:
    """Symmetric distances with the triangle inequality, from lengths of all pairs."""
    nodes = draw(st.integers(2, 6))
    steps = [[0] * nodes for _ in range(nodes)]
    for i in range(nodes):
        for j in range(i):
            steps[i][j] = steps[j][i] = draw(st.integers(0, 8))
    for k, i, j in product(range(nodes), repeat=3):
        steps[i][j] = min(steps[i][j], steps[i][k] + steps[k][j])
    return steps


@settings(max_examples=80, deadline=None)
@given(metrics(), quarters)
def test_no_metric_loses_more_than_half_the_number_of_nodes(
    steps: list[list[int]], cost: Fraction
) -> None:
    found = solve_placement(CachingGame.of(topology.distance(steps), cost)).price_of_anarchy
    assert found <= forms.any_network(len(steps))


def test_equal_islands_are_not_the_worst_metric() -> None:
    """The counterexample to "two equal islands lose about the most": a node alone loses twice."""
    nodes, cost = 8, 6
    lone = [[0 if i == j or 0 not in (i, j) else cost for j in range(nodes)] for i in range(nodes)]
    found = solve_placement(CachingGame.of(topology.distance(lone), cost)).price_of_anarchy
    islands = forms.islands(2, nodes // 2, Fraction(0), Fraction(cost), Fraction(cost)).anarchy
    assert found == Fraction(nodes, 2) > islands == Fraction(nodes + 2, 4)


@pytest.mark.parametrize("nodes", [1, 2, 5, 17, 64, 150])
@pytest.mark.parametrize("cost", ["1", "3/2", "2", "7/3", "5", "16", "29/2", "64"])
def test_line_bounds(nodes: int, cost: str) -> None:
    alpha = Fraction(cost)
    report = line.solve([alpha] * nodes, [[Fraction(1)]] * nodes)
    root = math.sqrt(alpha)
    assert report.equilibria == forms.line_equilibria(nodes, alpha)
    assert report.optimum >= nodes * math.sqrt(alpha - Fraction(1, 4)) * (1 - 1e-12)
    if nodes >= 2:
        low, high = forms.line_range(nodes, alpha)
        assert low <= report.price_of_anarchy <= high
        low, high = forms.line_stability_range(nodes, alpha)
        assert low <= report.price_of_stability <= high
    if alpha <= nodes:
        assert report.best_equilibrium >= 3 * nodes * alpha / 16
        assert report.optimum <= (nodes + 2 * root) * (root + 1 / 32)
        low, high = forms.short_line_range(nodes, alpha)
        assert low <= report.price_of_stability <= report.price_of_anarchy <= high
    else:
        found = (report.price_of_anarchy, report.price_of_stability)
        assert found == forms.dear_line(nodes, alpha)


def test_line_limit_by_hand() -> None:
    # Gap 33 has 32 fetching nodes and costs 16 + 272; gap 8 costs 16 + 16, gap 7 only 16 + 12.
    limits = forms.line_limits(Fraction(16))
    assert limits == (Fraction(288, 33), Fraction(4), Fraction(24, 11), 7)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 10), st.integers(4, 44).map(lambda k: Fraction(k, 4)))
def test_one_way_ring(nodes: int, cost: Fraction) -> None:
    ring = topology.distance([[(j - i) % nodes for j in range(nodes)] for i in range(nodes)])
    stable = solve_placement(CachingGame.of(ring, cost)).equilibria > 0
    assert stable == forms.ring_is_stable(nodes, cost)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(-12, 24),
    st.lists(st.integers(0, 8), min_size=3, max_size=3),
    quarters,
)
def test_third_cache_costs_the_first_two_less_than_a_third_more(
    gap: int, side: int, place: int, demands: list[int], cost: Fraction
) -> None:
    # Two nodes on a line; the third lies on a second axis as well, in Manhattan distance.
    points = [(0, 0), (gap, 0), (place, side)]
    distance = [[abs(a - c) + abs(b - d) for c, d in points] for a, b in points]

    def paid(nodes: int, keeps: tuple[tuple[int, ...], ...]) -> Fraction:
        owners = [node for node in range(nodes) if keeps[node]]
        return sum(
            (
                cost if i in owners else Fraction(demands[i]) * min(distance[i][o] for o in owners)
                for i in (0, 1)
                if demands[i] or i in owners
            ),
            Fraction(0),
        )

    pair = [row[:2] for row in distance[:2]]
    before = solve_placement(CachingGame.of(topology.distance(pair), cost, demands[:2]))
    if before.equilibria == 1 and any(demands[:2]):
        after = solve_placement(CachingGame.of(topology.distance(distance), cost, demands))
        first = paid(2, before.profiles[0])
        assert all(3 * paid(3, keeps) < 4 * first for keeps in after.profiles)


def test_curves_have_one_shape_and_rise_as_the_theorems_say(curves: list[Row]) -> None:
    keys = [*curves[0]]
    assert all([*row] == keys and row["value"] >= 1 and row["reason"] is None for row in curves)

    def values(name: str, network: str) -> list[float]:
        chosen = (r for r in curves if r["id"] == name and r["topology"] == network)
        return [row["value"] for row in chosen]

    assert set(values("by-placement-cost", "complete graph")) == {1.0}
    assert all(b > a for a, b in pairwise(values("by-nodes", "two islands")))
    assert all(b > a for a, b in pairwise(values("by-nodes", "broom")))
    assert np.ptp(values("by-nodes", "line")[-6:]) < 0.1


def test_placements_refuse_what_they_cannot_enumerate() -> None:
    with pytest.raises(InputError, match=f"allowed: up to {MAX_NODES}"):
        Placements.of(topology.line(MAX_NODES + 1))
    with pytest.raises(InputError, match="must be whole numbers"):
        Placements.of(topology.clusters(1, 2, "1/2", 1))


def test_one_node_keeps_its_object() -> None:
    assert Placements.of(topology.line(1)).price_of_anarchy(Fraction(3)) == 1
