"""The quick solvers against scipy's dense one and the project's exact one."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from anarchy.games.routing.min_cost_assignment import minimise
from anarchy.measure.estimators import assignment
from anarchy.measure.estimators.assignment import balanced, rectangular


def cost(matrix, workers):
    assigned = workers >= 0
    return matrix[assigned, workers[assigned]].sum()


def square(matrix, capacity):
    """The cost by the dense solver, each worker as so many equal columns."""
    wide = np.repeat(matrix, capacity, axis=1)
    return wide[linear_sum_assignment(wide)].sum()


def exact(matrix, capacity):
    """The cost by the exact solver, which proves it."""
    free = [[Fraction(0)] * capacity + [float("inf")] * (len(matrix) - capacity)] * matrix.shape[1]
    found = minimise(free, [[Fraction(c) for c in row] for row in matrix.tolist()])
    assert found.check()
    return found.cost


kinds = st.sampled_from(["real", "ties", "equal rows", "equal columns", "steep"])


def draw(kind, seed, n, m):
    rng = np.random.default_rng(seed)
    matrix = rng.random((n, m))
    if kind == "ties":
        matrix = rng.integers(0, 3, (n, m)).astype(float)
    elif kind == "equal rows":
        matrix = np.tile(rng.integers(0, 9, m).astype(float), (n, 1)) + 0.25
    elif kind == "equal columns":
        matrix = np.tile(rng.random((n, 1)), (1, m))
    elif kind == "steep":
        matrix = np.arange(1.0, m + 1) * rng.integers(1, 50, (n, 1))
    return matrix


@given(kinds, st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 6), st.booleans())
@settings(deadline=None)
def test_balanced_costs_what_both_other_solvers_say(kind, seed, n, m, by_paths):
    matrix = draw(kind, seed, n, m)
    capacity = -(-n // m)
    workers = assignment._by_paths(matrix, capacity) if by_paths else balanced(matrix[None])[0]
    assert (workers >= 0).all()
    assert np.bincount(workers, minlength=m).max() <= capacity
    assert cost(matrix, workers) == pytest.approx(square(matrix, capacity), rel=1e-12)
    assert cost(matrix, workers) == pytest.approx(float(exact(matrix, capacity)), rel=1e-12)


@given(kinds, st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 6))
@settings(deadline=None)
def test_rectangular_costs_what_the_dense_solver_says(kind, seed, n, m):
    matrix = draw(kind, seed, n, m)
    workers = rectangular(matrix[None])[0]
    used = workers[workers >= 0]
    assert len(used) == min(n, m) == len(set(used))
    dense = matrix[linear_sum_assignment(matrix)].sum()
    assert cost(matrix, workers) == pytest.approx(dense, rel=1e-12)


@pytest.mark.parametrize("kind", ["real", "ties", "steep"])
def test_paths_are_taken_for_many_requests_and_agree(kind):
    n, m = assignment.DENSE + 51, 5
    matrices = np.stack([draw(kind, seed, n, m) for seed in range(3)])
    for matrix, workers in zip(matrices, balanced(matrices), strict=True):
        assert cost(matrix, workers) == pytest.approx(square(matrix, -(-n // m)), rel=1e-12)
        assert (workers == assignment._by_paths(matrix, -(-n // m))).all()


def test_many_windows_are_solved_each_for_itself():
    matrices = np.stack([draw("real", seed, 12, 2) for seed in range(20)])
    alone = [balanced(matrix[None])[0] for matrix in matrices]
    assert (balanced(matrices) == alone).all()
