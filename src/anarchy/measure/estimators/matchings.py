"""What the optimum may do: how n requests of a window are matched with m workers.

A matching turns the matrices of windows of n requests into the least cost of each. Infinite
entries are never used.
"""

from collections.abc import Callable

import numpy as np

from anarchy.common.registry import Registry
from anarchy.measure.estimators import assignment
from anarchy.measure.estimators.numerators import chosen_entries
from anarchy.serving.log.request_log import Floats, Ints

Matching = Callable[[Floats], Floats]
"""The optima of windows x n x m matrices; of windows x n x m x K with places."""

PLACES = "places"
"""The matching whose matrices have an axis more, the places of each worker."""

MATCHINGS: Registry[Matching] = Registry("matching")


@MATCHINGS.register("balanced")
def balanced(matrices: Floats) -> Floats:
    """Each worker has ceil(n / m) places and every request is assigned.

    If workers are out of service, the places are the fewest, equally many for each worker that is
    in service at all, with which every request has one.
    """
    return _cost(matrices, assignment.balanced(matrices))


@MATCHINGS.register("rectangular")
def rectangular(matrices: Floats) -> Floats:
    """The matrix as it is: min(n, m) requests are assigned, while the numerator counts all n.

    Fewer are assigned if workers are out of service.
    """
    return _cost(matrices, assignment.rectangular(matrices))


@MATCHINGS.register("perfect")
def perfect(matrices: Floats) -> Floats:
    """One request on each worker, for windows of as many requests as workers."""
    return _cost(matrices, assignment.rectangular(matrices))


@MATCHINGS.register("unconstrained")
def unconstrained(matrices: Floats) -> Floats:
    """Each request takes its cheapest worker."""
    least: Floats = matrices.min(axis=2).sum(axis=1)
    return least


@MATCHINGS.register(PLACES)
def places(matrices: Floats) -> Floats:
    """Each worker has n places, of which the k-th costs what a k-th request adds."""
    return np.array([_places_cost(matrix) for matrix in matrices], dtype=float)


def _cost(matrices: Floats, workers: Ints) -> Floats:
    """The entries of the workers assigned, added up in order of the requests."""
    entries = chosen_entries(matrices, np.maximum(workers, 0))
    used = zip(entries, workers >= 0, strict=True)
    return np.array([row[assigned].sum() for row, assigned in used], dtype=float)


def taken_places(workers: Ints, count: int) -> Ints:
    """The place of each request on its worker, 0, 1, ... in order; windows x n to windows x n."""
    taken = np.zeros(workers.shape, dtype=np.int64)
    for worker in range(count):
        here = workers == worker
        taken = np.where(here, np.cumsum(here, axis=1) - 1, taken)
    return taken


def _places_cost(matrix: Floats) -> float:
    """Every request on a place, n x m x K; equal requests take the cheapest places."""
    n = len(matrix)
    columns = matrix.reshape(n, -1)
    if (columns == columns[:1]).all():
        return float(np.sort(columns[0])[:n].sum())
    rows, taken = assignment.dense(columns)
    return float(columns[rows, taken].sum())
