"""What the optimum may do: how n requests of a window are matched with m workers.

A matching turns the matrices of windows of n requests into the least cost of each. Infinite
entries are never used.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anarchy.common.registry import Registry
from anarchy.measure.estimators.assignment import balanced, cheapest, dense, rectangular
from anarchy.measure.estimators.numerators import chosen_entries
from anarchy.serving.log.request_log import Floats, Ints


@dataclass(frozen=True)
class Matching:
    """A matching of requests with workers, windows x n x m to workers, or with their places.

    With `assign` None the matrices have an axis more, the places of each worker.
    """

    assign: Callable[[Floats], Ints] | None

    def optimum(self, matrices: Floats) -> Floats:
        """The least cost of each window."""
        if self.assign is None:
            return np.array([_places_cost(matrix) for matrix in matrices], dtype=float)
        workers = self.assign(matrices)
        entries = chosen_entries(matrices, np.maximum(workers, 0))
        used = zip(entries, workers >= 0, strict=True)
        return np.array([row[assigned].sum() for row, assigned in used], dtype=float)


MATCHINGS: Registry[Matching] = Registry("matching")

for _name, _matching in {
    # Each worker has ceil(n / m) places and every request is assigned. If workers are out of
    # service, the places are the fewest, equally many for each worker that is in service at all,
    # with which every request has one.
    "balanced": Matching(balanced),
    # The matrix goes to the solver as it is, which assigns min(n, m) requests, fewer if workers
    # are out of service, while the numerator counts all n.
    "rectangular": Matching(rectangular),
    # One request on each worker; for windows of m requests only.
    "perfect": Matching(rectangular),
    # Each request takes its cheapest worker.
    "unconstrained": Matching(cheapest),
    # Each worker has n places, which cost what the k-th request there adds.
    "places": Matching(None),
}.items():
    MATCHINGS.register(_name)(_matching)


def taken_places(workers: Ints, count: int) -> Ints:
    """The place of each request on its worker, 0, 1, ... in order; windows x n to windows x n."""
    places = np.zeros(workers.shape, dtype=np.int64)
    for worker in range(count):
        here = workers == worker
        places = np.where(here, np.cumsum(here, axis=1) - 1, places)
    return places


def _places_cost(matrix: Floats) -> float:
    """Every request on a place, n x m x K; equal requests take the cheapest places."""
    n = len(matrix)
    columns = matrix.reshape(n, -1)
    if (columns == columns[:1]).all():
        return float(np.sort(columns[0])[:n].sum())
    rows, places = dense(columns)
    return float(columns[rows, places].sum())
