"""Distance matrices of the networks on which caches are placed; every edge has length 1.

Each function returns `distance[i][j]`, what node i pays per unit of demand to fetch from node j.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache

from anarchy.common.errors import InputError
from anarchy.games.common.rational import at_least

Distances = tuple[tuple[Fraction, ...], ...]


def complete(nodes: int) -> Distances:
    """Every node one step from every other: an NVLink island."""
    return _matrix(_count(nodes, "complete"), lambda i, j: int(i != j))


def star(nodes: int) -> Distances:
    """Node 0 in the centre, the others one step from it and two from each other."""
    return _matrix(_count(nodes, "star"), lambda i, j: 0 if i == j else 1 if 0 in (i, j) else 2)


def line(nodes: int) -> Distances:
    """Nodes in a row."""
    return _matrix(_count(nodes, "line"), lambda i, j: abs(i - j))


def grid(rows: int, columns: int) -> Distances:
    """Nodes on a rectangular grid, row by row, with Manhattan distance."""
    size = _count(rows, "grid") * _count(columns, "grid")

    def steps(i: int, j: int) -> int:
        return abs(i // columns - j // columns) + abs(i % columns - j % columns)

    return _matrix(size, steps)


def clusters(count: int, size: int, intra: object, inter: object) -> Distances:
    """`count` islands of `size` nodes: `intra` between two nodes of one island, else `inter`."""
    near = at_least(intra, "clusters.intra", 0)
    far = at_least(inter, "clusters.inter", 0)

    def between(i: int, j: int) -> Fraction:
        return Fraction(0) if i == j else near if i // size == j // size else far

    return _matrix(_count(count, "clusters.count") * _count(size, "clusters.size"), between)


def distance(matrix: Sequence[Sequence[object]]) -> Distances:
    """Distances as given: they may be directed and may violate the triangle inequality."""
    rows = tuple(tuple(at_least(d, "distance", 0) for d in row) for row in matrix)
    if not rows or any(len(row) != len(rows) for row in rows):
        raise InputError("distance: must be a square matrix with at least one node")
    return rows


def _matrix(size: int, entry: Callable[[int, int], int | Fraction]) -> Distances:
    exact = cache(Fraction)  # few entries differ
    return tuple(tuple(exact(entry(i, j)) for j in range(size)) for i in range(size))


def _count(value: int, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{key}: must be a whole number of at least 1, got {value!r}")
    return value
