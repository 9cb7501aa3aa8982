"""What the index bounds: the statements on random windows, then the values worked out by hand."""

import itertools
from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import pytest
import scipy.optimize  # noqa: F401 -- loaded here, so that no example pays for it
from hypothesis import given
from hypothesis import strategies as st

from anarchy.games.common.latency import Latency, Polynomial, Table
from anarchy.measure import counterexamples
from anarchy.measure.counterexamples import LOAD, check_rows, index, index_by_places, solve

checks = cache(check_rows)


def loss(latencies: Sequence[Latency], offsets: Sequence[Sequence[int]], chosen) -> Fraction:
    """True cost of a routing over the least, straight from the definition."""

    def cost(routing) -> Fraction:
        return sum(latencies[j](routing.count(j)) + offsets[i][j] for i, j in enumerate(routing))

    routings = itertools.product(range(len(latencies)), repeat=len(offsets))
    return cost(tuple(chosen)) / min(cost(routing) for routing in routings)


@st.composite
def windows(draw, latency):
    """Latencies of 2 or 3 workers, offsets of up to 5 requests, and a routing."""
    workers = draw(st.integers(2, 3))
    n = draw(st.integers(1, 5))
    latencies = draw(st.lists(latency, min_size=workers, max_size=workers))
    row = st.lists(st.integers(0, 9), min_size=workers, max_size=workers)
    offsets = draw(st.lists(row, min_size=n, max_size=n))
    chosen = draw(st.lists(st.integers(0, workers - 1), min_size=n, max_size=n))
    return latencies, offsets, chosen


convex = st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(0, 2)).map(Polynomial)
tables = st.lists(st.integers(1, 12), min_size=5, max_size=5).map(Table)
rising = st.lists(st.integers(1, 12), min_size=5, max_size=5).map(lambda v: Table(sorted(v)))


@given(windows(convex))
def test_places_with_marginal_costs_give_the_true_loss(window):
    latencies, offsets, chosen = window
    assert index_by_places(latencies, offsets, chosen) == loss(latencies, offsets, chosen)


@given(windows(tables))
def test_places_never_understate_the_loss_whatever_the_latency(window):
    latencies, offsets, chosen = window
    try:
        found = index_by_places(latencies, offsets, chosen)
    except ZeroDivisionError:
        # Marginal costs may add up to nothing; then there is no index.
        return
    assert found < 0 or found >= loss(latencies, offsets, chosen)


@given(rising, st.integers(2, 3), st.lists(st.integers(1, 6), min_size=2, max_size=5), st.randoms())
def test_idle_index_and_the_slow_down_bracket_the_loss(latency, m, sizes, random):
    def paid(routing):
        pairs = zip(sizes, routing, strict=True)
        return [size * int(latency(routing.count(worker))) for size, worker in pairs]

    chosen = [random.randrange(m) for _ in sizes]
    routings = itertools.product(range(m), repeat=len(sizes))
    true = Fraction(sum(paid(chosen)), min(sum(paid(routing)) for routing in routings))
    options = {"freezing": "idle", "numerator": "realised", "matching": "unconstrained"}
    empty = [[0] * m] * len(sizes)
    found = index(chosen, empty, options, latency, paid(chosen), sizes)
    slow_down = latency(-(-len(sizes) // m)) / latency(1)
    assert found / slow_down <= true <= found


@given(st.integers(2, 4), st.integers(0, 5), st.data())
def test_rectangular_index_of_an_idle_matrix_is_a_function_of_the_sizes_alone(m, extra, data):
    n = m + extra
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=n, max_size=n))
    chosen = data.draw(st.lists(st.integers(0, m - 1), min_size=n, max_size=n))
    found = index(chosen, [[0] * m] * n, RECTANGULAR | {"freezing": "idle"}, tokens=sizes)
    assert found == Fraction(sum(sizes), sum(sorted(sizes)[:m]))


@given(st.integers(2, 4), st.integers(0, 6), st.integers(1, 9), st.integers(0, 9), st.data())
def test_rectangular_index_stays_between_its_ends(m, extra, low, spread, data):
    n, high = m + extra, low + spread
    row = st.lists(st.integers(low - 1, high - 1), min_size=m, max_size=m)
    seen = data.draw(st.lists(row, min_size=n, max_size=n))
    chosen = data.draw(st.lists(st.integers(0, m - 1), min_size=n, max_size=n))
    found = index(chosen, seen, RECTANGULAR)
    assert Fraction(n * low, low + (m - 1) * high) <= found <= Fraction(n * high, m * low)


RECTANGULAR = {"matching": "rectangular"}


@given(windows(rising))
def test_a_greedy_run_reads_one_without_capacity(window):
    latencies, offsets, _ = window
    workers = range(len(latencies))
    chosen: list[int] = []
    seen = []
    for row in offsets:
        costs = [int(latencies[j](chosen.count(j) + 1)) + row[j] for j in workers]
        seen.append(costs)
        chosen.append(costs.index(min(costs)))
    options = {"entry": "router-cost", "matching": "unconstrained"}
    assert index(chosen, seen, options) == 1


# ------------------------------------------------------------------------ worked out by hand


def test_one_equilibrium_of_price_one_reads_from_five_eighths_to_sixteen() -> None:
    values = {row["id"].removeprefix("counterexamples-8-2-load-"): row for row in checks()}
    assert values["poa"]["exact"] == "1"
    assert values["idle-final"]["exact"] == "4"
    assert values["final-met"]["exact"] == "5/8"


def test_greedy_at_the_edge_loses_a_third_in_the_limit() -> None:
    rows = {row["id"]: row for row in checks()}
    assert rows["counterexamples-greedy-4-poa"]["exact"] == "8/7"
    assert rows["counterexamples-greedy-6-unconstrained"]["exact"] == "1"
    assert rows["counterexamples-greedy-6-balanced"]["exact"] == "7/12"


def test_a_run_at_the_best_equilibrium_says_nothing_of_the_worst() -> None:
    crossed = [[0, 1], [1, 0]]
    game = solve([LOAD, LOAD], crossed)
    assert game.price_of_stability == 1
    assert game.price_of_anarchy == 2
    assert index_by_places([LOAD, LOAD], crossed, [0, 1]) == 1


def test_places_of_a_falling_marginal_cost_overstate_the_loss() -> None:
    dipping = counterexamples.DIPPING
    assert loss([dipping] * 2, [[0, 0]] * 4, [0, 1, 0, 1]) == Fraction(12, 10)
    assert index_by_places([dipping] * 2, [[0, 0]] * 4, [0, 1, 0, 1]) == Fraction(12, 8)


def test_every_row_holds_under_a_name_of_its_own() -> None:
    rows = checks()
    assert [row["id"] for row in rows if not row["holds"]] == []
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["id"].startswith("counterexamples-") for row in rows)


@pytest.mark.parametrize("claim", ["READINGS", "RECTANGULAR", "GREEDY", "BOUNDS"])
def test_every_statement_has_rows(claim: str) -> None:
    label = getattr(counterexamples, claim)
    assert sum(row["theorem"] == label for row in checks()) >= 4
