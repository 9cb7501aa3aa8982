"""Requests on workers at least total cost, in floats and quickly, for many matrices at a time.

A worker with several places is one column of a transportation problem, not several equal columns
of a square. Three cases cover the matrices of an index: two workers (sort by what the second costs
more), requests that differ by a constant only (count places), and the rest, where the cheapest
worker of each request is a start from which overfull workers give away along shortest paths: the
successive shortest path method, as `games.routing.min_cost_assignment` has it exactly. With workers
out of service, or few requests, the dense solver of scipy does (Jonker and Volgenant 1987).

All functions return workers, -1 for a request that is not assigned.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anarchy.serving.log.request_log import Floats, Ints

DENSE = 256
"""Requests up to which the dense solver, which is compiled, takes less time than paths."""

EQUAL = 1e-13
"""Lengths of paths that differ by less, relative to the largest entry, are equal: rounding."""


def balanced(matrices: Floats) -> Ints:
    """Every request on a worker that has ceil(n / m) places; windows x n x m to windows x n.

    With workers out of service (infinite entries) the places are the fewest, equally many for
    each worker that serves any request, with which every request has one.
    """
    _, n, m = matrices.shape
    capacity = -(-n // m)
    if not np.isfinite(matrices).all():
        return np.array([_balanced_partly(matrix) for matrix in matrices], dtype=np.int64)
    extra = matrices - matrices[..., :1]
    if (extra == extra[:, :1]).all():
        return _counted(matrices[:, 0], n, capacity)
    if m == 2:
        return _two_workers(extra[..., 1], capacity)
    if n <= DENSE:
        return np.array([_dense(matrix, capacity) for matrix in matrices], dtype=np.int64)
    return np.array([_by_paths(matrix, capacity) for matrix in matrices], dtype=np.int64)


def rectangular(matrices: Floats) -> Ints:
    """At most one request on each worker, and as many as possible; windows x n to windows x n."""
    return np.array([_one_each(matrix) for matrix in matrices], dtype=np.int64)


def dense(matrix: NDArray[np.float64]) -> tuple[Ints, Ints]:
    """Rows and columns of the cheapest of all assignments that use the most finite entries."""
    # Imported here: it takes as long to load as a small point takes to simulate.
    from scipy.optimize import linear_sum_assignment

    finite = np.isfinite(matrix)
    if not finite.all():
        # Dearer than any exchange of finite entries, so that the solver avoids it where it can.
        low, high = matrix[finite].min(), matrix[finite].max()
        dearest = 1.0 + abs(high) + min(matrix.shape) * (high - low)
        matrix = np.where(finite, matrix, dearest)
    rows, columns = linear_sum_assignment(matrix)
    used = finite[rows, columns]
    return rows[used], columns[used]


def _counted(costs: Floats, n: int, capacity: int) -> Ints:
    """Equal requests: the cheapest workers are filled one after the other."""
    order = np.argsort(costs, axis=1, kind="stable")
    return order[:, np.arange(n) // capacity]


def _two_workers(extra: Floats, capacity: int) -> Ints:
    """Those whom worker 1 costs least more, as many as it pays for within both capacities."""
    n = extra.shape[1]
    order = np.argsort(extra, axis=1, kind="stable")
    moved = np.clip((extra < 0).sum(axis=1), n - capacity, capacity)
    workers = np.zeros(extra.shape, dtype=np.int64)
    np.put_along_axis(workers, order, (np.arange(n) < moved[:, None]).astype(np.int64), axis=1)
    return workers


def _dense(matrix: Floats, capacity: int) -> Ints:
    workers = np.full(len(matrix), -1)
    rows, columns = dense(np.repeat(matrix, capacity, axis=1))
    workers[rows] = columns // capacity
    return workers


def _balanced_partly(matrix: Floats) -> Ints:
    """With workers out of service: more places until every request has one."""
    serving = np.isfinite(matrix).any(axis=0).sum()
    for capacity in range(-(-len(matrix) // serving), len(matrix) + 1):
        workers = _dense(matrix, capacity)
        if (workers >= 0).all():
            break
    return workers


def _one_each(matrix: Floats) -> Ints:
    """Only the m cheapest requests of each worker can be assigned to it."""
    n, m = matrix.shape
    workers = np.full(n, -1)
    rows = np.arange(n)
    if n > m:
        rows = np.unique(np.argsort(matrix, axis=0, kind="stable")[:m])
    found, columns = dense(matrix[rows])
    workers[rows[found]] = columns
    return workers


def _by_paths(matrix: Floats, capacity: int) -> Ints:
    """Start at every request's cheapest worker; while one is overfull, one request leaves it."""
    n, m = matrix.shape
    workers: Ints = matrix.argmin(axis=1)
    load = np.bincount(workers, minlength=m)
    extra = matrix - matrix[np.arange(n), workers][:, None]
    rounding = EQUAL * float(np.abs(matrix).max())
    while load.max() > capacity:
        step = np.full((m, m), np.inf)
        mover = np.zeros((m, m), dtype=np.int64)
        for here in np.flatnonzero(load).tolist():
            own = np.flatnonzero(workers == here)
            best = extra[own].argmin(axis=0)
            mover[here], step[here] = own[best], extra[own[best], np.arange(m)]
        path = _shortest_path(step, load > capacity, load < capacity, rounding)
        load[path[0]] -= 1
        load[path[-1]] += 1
        for here, there in pairwise(path):
            request = mover[here, there]
            workers[request] = there
            extra[request] = matrix[request] - matrix[request, there]
    return workers


def _shortest_path(
    step: Floats, sources: NDArray[np.bool_], sinks: NDArray[np.bool_], rounding: float
) -> list[int]:
    """The nodes of a shortest path from any source to any sink (Bellman and Ford)."""
    distance = np.where(sources, 0.0, np.inf)
    before = np.full(len(step), -1)
    for _ in range(len(step)):
        through = distance[:, None] + step
        np.fill_diagonal(through, np.inf)
        best = through.argmin(axis=0)
        shorter = through[best, np.arange(len(step))] < distance - rounding
        if not shorter.any():
            break
        distance = np.where(shorter, through.min(axis=0), distance)
        before = np.where(shorter, best, before)
    path = [int(np.where(sinks, distance, np.inf).argmin())]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    return path[::-1]
