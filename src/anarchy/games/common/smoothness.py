"""Tight price-of-anarchy bounds of congestion games as a linear program in two variables.

For latencies l and n players the worst price of anarchy is the least rho such that for some
nu >= 0, every l and all whole x, y, z >= 0 with 1 <= x + y + z <= n

    rho (y+z) l(y+z) + nu [x l(x+z) - y l(x+z+1)] >= (x+z) l(x+z),

where on a resource x players are found at equilibrium only, y at the optimum only and z at both.
A term with factor 0 is left out even where l is infinite. Then lambda = rho/nu and mu = 1 - 1/nu
are smoothness parameters in the sense of Roughgarden (2015).

When every strategy also carries a non-negative offset that players perceive with weight gamma, an
offset paid at equilibrium asks for nu gamma >= 1 and one paid at the optimum for rho >= nu gamma.

Source: Chandan, Paccagnan and Marden (2024), in which the bound without offsets is shown to be
attained; the paper of this project shows the same with offsets (prop:offset).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

from anarchy.common.errors import InputError
from anarchy.games.common.latency import Latency
from anarchy.games.common.rational import Extended, positive

MAX_PLAYERS = 60
"""Largest number of players: the program has a row for each of about n^3/6 triples."""

MAX_ROWS = 2**17
"""Most rows of the program, over all latencies: a few seconds of exact arithmetic."""

MAX_DIGITS = 250
"""Most digits of a latency at a load, those of its denominator included: exact arithmetic on all
rows then takes seconds, too."""

ACTIVE = 1e-7
"""Slack, relative to the largest entry of a row, up to which the float solution calls it active."""

Key = tuple[int, int, int, int] | tuple[str]
"""Names a row: (number of the latency, x, y, z), or an offset row."""

_PAID_AT_EQUILIBRIUM, _PAID_AT_OPTIMUM = ("offset-at-equilibrium",), ("offset-at-optimum",)


@dataclass(frozen=True)
class Row:
    """The constraint rho * a + nu * b >= c and its name."""

    a: Fraction
    b: Fraction
    c: Fraction
    key: Key

    def holds(self, rho: Fraction, nu: Fraction) -> bool:
        """Whether a point meets the constraint."""
        return self.a * rho + self.b * nu >= self.c


@dataclass(frozen=True)
class Certificate:
    """Proof that rho is the optimum: a point that meets every row, and weights on a few rows.

    For a finite bound the weights w >= 0 combine the named rows to rho + (at most 0) nu >= rho*,
    so no point does better. For an infinite one (rho and nu None) they combine to
    0 rho + (at most 0) nu >= a positive number, so no point exists at all.
    """

    latencies: tuple[Latency, ...]
    players: int
    perceived_offset_weight: Fraction | None
    rho: Fraction | None
    nu: Fraction | None
    weights: tuple[tuple[Fraction, Key], ...]

    def check(self) -> bool:
        """Verify the proof from the definition of the rows alone: no solver, exact arithmetic."""
        rows = {row.key: row for row in self._rows()}
        chosen = [(weight, rows[key]) for weight, key in self.weights if key in rows]
        if len(chosen) < len(self.weights) or any(weight < 0 for weight, _ in chosen):
            return False
        on_rho = sum(weight * row.a for weight, row in chosen)
        on_nu = sum(weight * row.b for weight, row in chosen)
        bound = sum(weight * row.c for weight, row in chosen)
        if self.rho is None or self.nu is None:
            return on_rho == 0 and on_nu <= 0 and bound > 0
        feasible = self.nu >= 0 and all(row.holds(self.rho, self.nu) for row in rows.values())
        return feasible and on_rho == 1 and on_nu <= 0 and bound == self.rho

    def _rows(self) -> Iterator[Row]:
        return _rows(self.latencies, self.players, self.perceived_offset_weight)


@dataclass(frozen=True)
class TightBound:
    """The tight price of anarchy of a class of games.

    poa          a Fraction, or `math.inf` when no finite bound holds
    lam, mu      smoothness parameters with poa = lam/(1 - mu); None when the bound is infinite
    certificate  its proof, None when an overloaded resource makes the bound infinite: `reason`
    """

    poa: Extended
    lam: Fraction | None
    mu: Fraction | None
    certificate: Certificate | None
    reason: str | None
    method: str


def tight_poa(
    latencies: Sequence[Latency], players: int, perceived_offset_weight: object = None
) -> TightBound:
    """The worst price of anarchy of all games with these latencies (times factors) and players.

    1. Drop latencies that are infinite for a single user: they occur in no finite optimum.
       A latency that becomes infinite at a load k with 2 <= k <= n makes the bound infinite, by
       the row x = k - 1, y = 1, z = 0 together with the row x = 1.
    2. Solve the program in floats and keep the rows active at the solution.
    3. Solve those rows exactly and check every row; a row that fails joins and the step repeats.

    Raises `InputError` for negative or vanishing latencies, for too many players and too long
    numbers.
    """
    if isinstance(players, bool) or not isinstance(players, int) or players < 1:
        raise InputError(f"players: must be a whole number of at least 1, got {players!r}")
    if players > MAX_PLAYERS:
        raise InputError(f"players: {players} give too many rows; allowed: 1 to {MAX_PLAYERS}")
    rows = len(latencies) * (math.comb(players + 3, 3) - 1)
    if rows > MAX_ROWS:
        raise InputError(
            f"latency: {len(latencies)} latencies of {players} players give {rows} rows, too many; "
            f"allowed: {MAX_ROWS}"
        )
    weight = None
    if perceived_offset_weight is not None:
        weight = positive(perceived_offset_weight, "perceived_offset_weight")
    try:
        values = [[latency(load) for load in range(1, players + 1)] for latency in latencies]
    except InputError as error:
        raise InputError(f"latency.{error}") from None
    digits = max((_digits(value) for row in values for value in row), default=0)
    if digits > MAX_DIGITS:
        raise InputError(f"latency: a value of {digits} digits is too long; allowed: {MAX_DIGITS}")
    usable = tuple(
        latency for latency, row in zip(latencies, values, strict=True) if row[0] != math.inf
    )
    finite_at_one = [row for row in values if row[0] != math.inf]
    if any(value < 0 for row in finite_at_one for value in row):
        raise InputError("latency: must not be negative at any load that the players can reach")
    if not any(value > 0 for row in finite_at_one for value in row):
        raise InputError("latency: at least one must be finite for one user and above 0")
    if any(row[-1] == math.inf for row in finite_at_one):
        reason = f"a resource is overloaded by at most {players} players"
        return TightBound(math.inf, None, None, None, reason, "overload")
    rho, nu, weights = _optimum(list(_rows(usable, players, weight)))
    certificate = Certificate(usable, players, weight, rho, nu, weights)
    method = "two-variable linear program, exact vertex with dual certificate"
    if rho is None or nu is None:
        reason = "no smoothness parameters exist"
        return TightBound(math.inf, None, None, certificate, reason, method)
    return TightBound(rho, rho / nu, 1 - 1 / nu, certificate, None, method)


def _digits(value: Extended) -> int:
    """About how many digits a value has, above and below the stroke of the fraction."""
    if not isinstance(value, Fraction):
        return 0
    bits = value.numerator.bit_length() + value.denominator.bit_length()
    return round(bits * math.log10(2))


def _rows(latencies: Sequence[Latency], players: int, weight: Fraction | None) -> Iterator[Row]:
    """All rows of the program, one per latency and triple, offset rows last."""
    for number, latency in enumerate(latencies):
        # The value at load 0 is never used: its factor is 0.
        values = [Fraction(0), *(Fraction(latency(load)) for load in range(1, players + 1))]
        for x in range(players + 1):
            for y in range(players + 1 - x):
                for z in range(int(x + y == 0), players + 1 - x - y):
                    gain = x * values[x + z] - (y * values[x + z + 1] if y else 0)
                    optimum, equilibrium = (y + z) * values[y + z], (x + z) * values[x + z]
                    yield Row(optimum, gain, equilibrium, (number, x, y, z))
    if weight is not None:
        yield Row(Fraction(0), weight, Fraction(1), _PAID_AT_EQUILIBRIUM)
        yield Row(Fraction(1), -weight, Fraction(0), _PAID_AT_OPTIMUM)


Solution = tuple[Fraction | None, Fraction | None, tuple[tuple[Fraction, Key], ...]]


def _optimum(rows: list[Row]) -> Solution:
    """Optimal point and dual weights over all rows; no point and infeasibility weights if none."""
    impossible = _infeasibility(rows)
    if impossible:
        return None, None, impossible
    working = _active_rows(rows)
    while True:
        rho, nu, weights = _exact_vertex(working)
        failed = [row for row in rows if not row.holds(rho, nu)]
        if not failed:
            return rho, nu, weights
        # The worst offender, measured by how far it pushes the bound (or nu) away.
        working.append(max(failed, key=lambda row: row.c - row.a * rho - row.b * nu))


def _infeasibility(rows: list[Row]) -> tuple[tuple[Fraction, Key], ...] | None:
    """Weights that prove that no point meets the rows, or None when some point does.

    Rows that involve rho can be met by a large rho, so only those with a = 0 can clash: they
    bound nu from below (b > 0) and from above (b < 0).
    """
    only_nu = [row for row in rows if row.a == 0]
    for row in only_nu:
        if row.c > 0 and row.b <= 0:
            return ((Fraction(1), row.key),)
    below = max((r for r in only_nu if r.b > 0), key=lambda r: r.c / r.b, default=None)
    above = min((r for r in only_nu if r.b < 0), key=lambda r: r.c / r.b, default=None)
    if below and above and below.c / below.b > above.c / above.b:
        return ((1 / below.b, below.key), (-1 / above.b, above.key))
    return None


def _active_rows(rows: list[Row]) -> list[Row]:
    """Rows that the float solution of the program meets with (almost) equality."""
    # SciPy's optimiser takes longer to import than every other solver of this package takes to run.
    from scipy.optimize import linprog

    matrix = np.array([[float(entry) for entry in _scaled(row)] for row in rows])
    solved = linprog(
        [1.0, 0.0],
        A_ub=-matrix[:, :2],
        b_ub=-matrix[:, 2],
        bounds=[(0, None), (0, None)],
        method="highs",
    )
    # Where the floats fail, the loop over violated rows still leads to the exact optimum.
    point = np.asarray(solved.x if solved.x is not None else [1.0, 1.0])
    slack = matrix[:, :2] @ point - matrix[:, 2]
    active = [row for row, s in zip(rows, slack, strict=True) if s <= ACTIVE * max(1.0, *point)]
    return [*_without_multiples(active), _floor_of_rho(rows)]


def _floor_of_rho(rows: list[Row]) -> Row:
    """A row rho >= 1 (all players stay where the optimum has them): it bounds every vertex."""
    return next(row for row in rows if row.b == 0 and row.a > 0 and row.a == row.c)


def _without_multiples(rows: list[Row]) -> list[Row]:
    """One row of each family of rows that differ by a positive factor."""
    kept: dict[tuple[Fraction, Fraction, Fraction], Row] = {}
    for row in rows:
        kept.setdefault(_scaled(row), row)
    return list(kept.values())


def _scaled(row: Row) -> tuple[Fraction, Fraction, Fraction]:
    """The entries of a row divided by the largest of them; a row of zeros stays as it is."""
    size = max(abs(row.a), abs(row.b), abs(row.c)) or Fraction(1)
    return row.a / size, row.b / size, row.c / size


def _exact_vertex(
    rows: list[Row],
) -> tuple[Fraction, Fraction, tuple[tuple[Fraction, Key], ...]]:
    """The optimum over a few rows, found among their crossings, with the weights that prove it.

    A crossing is optimal when it meets all rows and non-negative weights turn its two rows into
    the objective: w1 a1 + w2 a2 = 1 and w1 b1 + w2 b2 = 0. One row with b <= 0 proves its bound
    alone, at the least nu that the other rows allow.
    """
    best: tuple[Fraction, Fraction, tuple[tuple[Fraction, Key], ...]] | None = None
    axis = Row(Fraction(0), Fraction(1), Fraction(0), ("nu>=0",))
    for one, two in combinations([*rows, axis], 2):
        determinant = one.a * two.b - two.a * one.b
        if determinant == 0:
            continue
        weights = (two.b / determinant, -one.b / determinant)
        rho = (one.c * two.b - two.c * one.b) / determinant
        nu = (one.a * two.c - two.a * one.c) / determinant
        if min(weights) < 0 or nu < 0 or not all(row.holds(rho, nu) for row in rows):
            continue
        if best is None or nu < best[1]:
            # nu >= 0 is not a row of the program: leaving it out makes the weight of nu negative.
            proof = zip(weights, (one.key, two.key), strict=True)
            best = rho, nu, tuple((w, key) for w, key in proof if w > 0 and key != axis.key)
    if best is None:
        raise ArithmeticError("the rows have no optimal crossing")
    return best
