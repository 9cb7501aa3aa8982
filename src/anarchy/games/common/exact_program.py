"""Small linear programs solved exactly: minimise the first variable over rows a x >= c, x >= 0.

The optimum is found in floats; the rows that decide it are then solved in rationals, and every
row is checked. The weights on these rows prove that no point does better: together they say that
the first variable is at least the value found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

Row = tuple[tuple[Fraction, ...], Fraction]
"""Coefficients and the right side of a row a x >= c."""


TIGHT = 1e-8
"""Float value of a variable or slack of a scaled row up to which it counts as zero."""

SPARE = 6
"""Tight rows beyond those needed, highest price first, among which combinations are tried."""


@dataclass(frozen=True)
class Optimum:
    """A point and, by number of the row, the weights that prove it optimal."""

    rows: tuple[Row, ...]
    point: tuple[Fraction, ...]
    weights: dict[int, Fraction]

    def check(self) -> bool:
        """Verify both sides from the rows alone: the point is feasible and none is better."""
        if min(self.point) < 0 or any(_dot(a, self.point) < c for a, c in self.rows):
            return False
        if any(weight < 0 for weight in self.weights.values()):
            return False
        columns = range(len(self.point))
        sums = [sum(w * self.rows[i][0][k] for i, w in self.weights.items()) for k in columns]
        bound = sum(w * self.rows[i][1] for i, w in self.weights.items())
        return sums[0] <= 1 and all(s <= 0 for s in sums[1:]) and bound == self.point[0]


def least(rows: Sequence[Row]) -> Optimum:
    """The exact optimum; `ArithmeticError` if there is none or the floats mislead."""
    # SciPy's optimiser takes long to import and is needed here only.
    from scipy.optimize import linprog

    # Rows are scaled to one size so that the solver's tolerance means the same for all.
    scaled = np.array([[float(v / max(map(abs, (*a, c)))) for v in (*a, c)] for a, c in rows])
    size = scaled.shape[1] - 1
    solved = linprog(
        [1.0, *[0.0] * (size - 1)],
        A_ub=-scaled[:, :size],
        b_ub=-scaled[:, size],
        bounds=[(0, None)] * size,
        method="highs-ds",
    )
    if solved.x is None:
        raise ArithmeticError(f"no optimum: {solved.message}")
    used = [k for k in range(size) if solved.x[k] > TIGHT]
    slack = scaled[:, :size] @ solved.x - scaled[:, size]
    by_price = np.argsort(solved.ineqlin.marginals, kind="stable")
    tight = _unlike(rows, [int(i) for i in by_price if slack[i] <= TIGHT])
    for active in combinations(tight[: len(used) + SPARE], len(used)):
        found = _vertex(rows, active, used)
        if found is not None and found.check():
            return found
    raise ArithmeticError("the rows that the floats name do not decide the optimum")


def _unlike(rows: Sequence[Row], numbers: Sequence[int]) -> list[int]:
    """One row, the first, of each family of rows that differ by a positive factor."""
    kept: dict[tuple[Fraction, ...], int] = {}
    for number in numbers:
        entries = (*rows[number][0], rows[number][1])
        size = max(map(abs, entries))
        kept.setdefault(tuple(entry / size for entry in entries), number)
    return list(kept.values())


def _vertex(rows: Sequence[Row], active: Sequence[int], used: Sequence[int]) -> Optimum | None:
    """Where these rows hold with equality, with their weights; None if they are dependent."""
    matrix = [[rows[i][0][k] for k in used] for i in active]
    values = _solve(matrix, [rows[i][1] for i in active])
    columns = [list(column) for column in zip(*matrix, strict=True)]
    weights = _solve(columns, [Fraction(k == 0) for k in used])
    if values is None or weights is None:
        return None
    point = [Fraction(0)] * len(rows[0][0])
    for k, value in zip(used, values, strict=True):
        point[k] = value
    return Optimum(tuple(rows), tuple(point), dict(zip(active, weights, strict=True)))


def _dot(one: Sequence[Fraction], two: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(one, two, strict=True)), Fraction(0))


def _solve(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction] | None:
    """Gauss-Jordan elimination in rationals; None for a singular matrix."""
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for k in range(len(rows)):
        pivot = next((i for i in range(k, len(rows)) if rows[i][k]), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for i, line in enumerate(rows):
            if i != k and line[k]:
                rows[i] = [a - line[k] * b for a, b in zip(line, rows[k], strict=True)]
    return [line[-1] for line in rows]
