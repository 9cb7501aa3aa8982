"""The four windows of safe weights, beside linear programs, played passes and enumerated games."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations_with_replacement, product
from typing import Any, NamedTuple

from anarchy.games.common.exact_program import Optimum
from anarchy.games.common.latency import Polynomial
from anarchy.games.common.rational import Extended, exact_text, rational
from anarchy.games.routing.congestion import CongestionGame, Strategy
from anarchy.games.routing.solve import solve_routing
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.games.theorems.plateau import ENUMERATION, OCTAVES, PER_OCTAVE, PROGRAM, named
from anarchy.games.theorems.windows import chains, programs
from anarchy.games.theorems.windows import closed_forms as forms

WINDOWS = "thm:windows"

LOADS = 40
"""Largest load in the programs whose value only tends to the worst case."""

NONATOMIC_WEIGHTS = tuple(
    Fraction(*pair) for pair in ((1, 3), (3, 4), (9, 10), (1, 1), (5, 4), (5, 3), (3, 1))
)
PASS_WEIGHTS = tuple(
    Fraction(*pair) for pair in ((1, 8), (3, 10), (1, 2), (1, 1), (13, 10), (4, 3), (5, 3), (4, 1))
)
CURVE_WEIGHTS = tuple(Fraction(*pair) for pair in ((9, 8), (11, 8), (7, 4), (5, 2), (4, 1), (6, 1)))
"""Weights above one, at which only a program bounds the best equilibrium."""

BEST_WEIGHTS = tuple(Fraction(*pair) for pair in ((1, 3), (3, 5), (2, 3), (1, 1)))


class Link(NamedTuple):
    """Latency slope x + constant, and the offset of whoever uses it."""

    slope: Fraction
    constant: Fraction
    offset: Fraction


def check_rows(most: int | None = None) -> list[Row]:
    """The checks of the theorem; see `checks.check` for the fields of a row."""
    return rows_of(
        _nonatomic_rows, _nonatomic_games_rows, _pass_rows, _chain_rows, _best_rows, most=most
    )


def split_costs(links: tuple[Link, Link], gamma: Fraction) -> tuple[Fraction, Fraction]:
    """Cost of the worst equilibrium and of the optimum of one small-request stream on two links."""
    one, two = links

    def cost(x: Fraction) -> Fraction:
        return sum(
            (s.slope * f * f + (s.constant + s.offset) * f for s, f in ((one, x), (two, 1 - x))),
            Fraction(0),
        )

    def balanced(factor: int, weight: Fraction) -> list[Fraction]:
        """Flows on the first link at which both cost the same, or the nearer end."""
        gap = two.constant - one.constant + weight * (two.offset - one.offset)
        slopes = factor * (one.slope + two.slope)
        if slopes == 0:
            return [Fraction(0), Fraction(1)] if gap == 0 else [Fraction(gap > 0)]
        return [min(max((gap + factor * two.slope) / slopes, Fraction(0)), Fraction(1))]

    equilibria, optimum = balanced(1, gamma), balanced(2, Fraction(1))
    return max(map(cost, equilibria)), min(map(cost, optimum))


def _nonatomic_rows() -> Iterator[Row]:
    for gamma in NONATOMIC_WEIGHTS:
        yield check(
            f"windows-nonatomic-program-{named(gamma)}",
            WINDOWS,
            f"worst case of many small requests, {_place(gamma, forms.NONATOMIC_WINDOW)}",
            f"affine, perceived weight {gamma}",
            _value(programs.nonatomic(2 * gamma.numerator + gamma.denominator, gamma)),
            forms.nonatomic_worst(gamma),
            PROGRAM,
        )


def _nonatomic_games_rows() -> Iterator[Row]:
    for gamma in NONATOMIC_WEIGHTS:
        offsets = (Fraction(0), 1 / (2 * gamma), 1 / gamma)
        links = [Link(Fraction(a), Fraction(c), b) for a, c, b in product((0, 1), (0, 1), offsets)]
        costs = [split_costs(pair, gamma) for pair in combinations_with_replacement(links, 2)]
        yield check(
            f"windows-nonatomic-games-{named(gamma)}",
            WINDOWS,
            f"worst stream of small requests on two links, {_place(gamma, forms.NONATOMIC_WINDOW)}",
            f"{len(costs)} games, perceived weight {gamma}",
            max(worst / best for worst, best in costs if best > 0),
            forms.nonatomic_worst(gamma),
            "equilibria and optimum in rational arithmetic",
        )


def _pass_rows() -> Iterator[Row]:
    for gamma in PASS_WEIGHTS:
        yield check(
            f"windows-pass-program-{named(gamma)}",
            WINDOWS,
            f"worst case of one pass at bounded loads, {_place(gamma, forms.ONE_PASS_WINDOW)}",
            f"affine, loads up to {LOADS}, perceived weight {gamma}",
            _value(programs.one_pass(LOADS, gamma)),
            forms.one_pass_worst(gamma),
            PROGRAM,
            "<=",
        )


def _chain_rows() -> Iterator[Row]:
    """One family of chains for each branch of the closed form."""
    for name, requests, gamma in (
        ("short", chains.short_chain(200, Fraction(1, 5)), Fraction(1, 5)),
        ("window", chains.long_chain(5000, 13, 5, None), Fraction(1)),
        ("long", chains.long_chain(6000, 20, 6, Fraction(5, 3)), Fraction(5, 3)),
    ):
        yield check(
            f"windows-pass-chain-{name}",
            WINDOWS,
            f"cost of one pass over that of another profile, {name} chain",
            f"{len(requests)} requests, perceived weight {gamma}",
            float(chains.chain_ratio(requests, gamma)),
            forms.one_pass_worst(gamma),
            "the pass, request by request",
            "<=",
        )


def _best_rows() -> Iterator[Row]:
    for gamma in BEST_WEIGHTS:
        yield check(
            f"windows-best-program-{named(gamma)}",
            WINDOWS,
            f"worst best equilibrium at bounded loads, {_place(gamma, forms.BEST_WINDOW)}",
            f"affine, loads up to {LOADS}, perceived weight {gamma}",
            _value(programs.best_equilibrium(LOADS, gamma)),
            forms.best_worst(gamma),
            PROGRAM,
            "<=",
        )
    gamma = Fraction(1, 3)
    offset = (1 - Fraction(1, 1000)) / gamma
    one = Polynomial((Fraction(1),))
    free = Polynomial((Fraction(0), Fraction(0)))
    player = (Strategy(frozenset("a")), Strategy(frozenset("b"), offset))
    game = CongestionGame({"a": one, "b": free}, (player,), gamma)
    yield check(
        "windows-best-game-1-3",
        WINDOWS,
        "price of stability of one request with an undervalued offset",
        f"perceived weight {gamma}",
        solve_routing(game).price_of_stability,
        forms.best_worst(gamma),
        ENUMERATION,
        "<=",
    )


def _place(gamma: Fraction, window: tuple[float, float]) -> str:
    """Which branch of a closed form a weight belongs to, as part of the quantity."""
    low, high = window
    return f"{'below' if gamma < low else 'above' if gamma > high else 'within'} the window"


def _value(optimum: Optimum) -> Fraction:
    """The value of a program; ArithmeticError if its certificate does not hold."""
    if not optimum.check():
        raise ArithmeticError("the certificate of a program does not hold")
    return optimum.point[0]


def curve_rows() -> list[dict[str, Any]]:
    """The rows behind the figure of the windows.

    Every row: id, reading (of "equilibrium"), series ("closed form" or "program"), gamma (float),
    value, exact, unit, and the ends of the window of that reading.
    """
    grid = sorted(
        Fraction(2) ** octave * Fraction(PER_OCTAVE + k, PER_OCTAVE)
        for octave in OCTAVES
        for k in range(PER_OCTAVE)
    )
    rows = []
    for reading, (worst, ends) in forms.CURVES.items():
        corners = {Fraction(end).limit_denominator(10**6) for end in ends}
        for gamma in sorted({*grid, *corners, Fraction(1)}):
            if gamma <= 1 or reading != "best equilibrium":
                rows.append(_curve_row(reading, "closed form", gamma, worst(gamma)))
    for gamma in CURVE_WEIGHTS:
        value = _value(programs.best_equilibrium(LOADS, gamma))
        rows.append(_curve_row("best equilibrium", "program", gamma, value))
    return rows


def _curve_row(reading: str, series: str, gamma: Fraction, value: Extended) -> dict[str, Any]:
    low, high = forms.CURVES[reading][1]
    return {
        "id": f"windows-{reading}-{series}-{named(gamma)}".replace(" ", "-"),
        "reading": reading,
        "series": series,
        "gamma": float(gamma),
        "value": float(value),
        "exact": exact_text(rational(value, "value")) if isinstance(value, Fraction) else None,
        "unit": "ratio",
        "window_low": low,
        "window_high": high,
    }
