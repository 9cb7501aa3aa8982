"""Routing when overlap is misjudged: a window of weights in which the worst case does not move.

Requests pay latency plus an offset, the time to prefill again what their worker does not hold; the
router perceives the offset at weight gamma. The worst ratio of equilibrium to optimum is known
exactly for every gamma. Here are its closed form for affine latencies, instances that attain it,
and the window for any latency.

Sources: smoothness is Roughgarden's (2015), the linear program Chandan et al.'s (2024).
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import combinations_with_replacement, product
from typing import Any

from anarchy.games import poa_table
from anarchy.games.common.latency import MM1, Latency, Polynomial
from anarchy.games.common.rational import exact_text, positive, rational
from anarchy.games.common.smoothness import TightBound, tight_poa
from anarchy.games.routing.congestion import CongestionGame, Strategy
from anarchy.games.routing.solve import solve_routing
from anarchy.games.theorems import finite
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.games.theorems.worst_game import worst_game

PLAYERS = 16
"""Players of the linear program: enough for its value to be that of all games up to weight 8."""

STEP = Fraction(1, 1000)
"""How far "just outside" the plateau is."""

WEIGHTS = (
    Fraction(1, 8),
    Fraction(1, 3),
    Fraction(2, 3) - STEP,
    Fraction(2, 3),
    Fraction(1),
    Fraction(5, 3),
    Fraction(5, 3) + STEP,
    Fraction(11, 5),
    Fraction(4),
    Fraction(8),
)
"""Weights of the checks: both ends of the plateau, just outside, a kink at 11/5, far away."""

CURVE_POINTS = (*WEIGHTS, *(Fraction(*pair) for pair in ((1, 5), (1, 2), (4, 5), (5, 4), (3, 1))))
"""Weights at which the figure shows the linear program and an enumerated instance."""

OCTAVES, PER_OCTAVE = range(-3, 3), 32
"""The closed form is drawn from 2^-3 to 2^3, with so many points for each factor of two."""

ENUMERATION, PROGRAM = "exhaustive enumeration", "linear program, certificate checked"
CORRELATED = "linear program over distributions on profiles"


def polynomial(*coefficients: int) -> Polynomial:
    """The latency c0 + c1 x + ... with whole coefficients."""
    return Polynomial(tuple(map(Fraction, coefficients)))


LINEAR = polynomial(0, 1)


CLASSES: tuple[tuple[str, Latency, int], ...] = (
    ("quadratic", polynomial(0, 0, 1), 8),
    ("cubic", polynomial(0, 0, 0, 1), 8),
    ("mm1", MM1(Fraction(5)), 4),
)
"""Latencies whose windows are checked, and the number of requests."""


def affine_worst_ratio(gamma: object) -> Fraction:
    """Exact worst price of anarchy of affine games with offsets perceived at weight gamma.

    Raises `InputError` unless gamma > 0.
    """
    weight = positive(gamma, "gamma")
    if weight < Fraction(2, 3):
        return 1 + 1 / weight
    if weight <= Fraction(5, 3):
        return Fraction(5, 2)
    x = _crowd(weight)
    return weight * x * x / (weight + x * x - x - 1)


def _crowd(gamma: Fraction) -> int:
    """The x that maximises gamma x^2/(gamma + x^2 - x - 1), for gamma >= 5/3: at least 2."""
    x = 2
    # x + 1 is better than x exactly when gamma - 1 > x (x + 1)/(2 x + 1).
    while gamma - 1 > Fraction(x * (x + 1), 2 * x + 1):
        x += 1
    return x


def affine_game(gamma: Fraction) -> CongestionGame:
    """A game that attains `affine_worst_ratio(gamma)`.

    Up to 2/3: two requests, each with its prefix on the other one's worker. Within the plateau:
    three requests without any offset. Above: x + 1 requests that each spread over x workers to
    avoid the offset on the one that would be theirs alone.
    """
    if gamma < Fraction(2, 3):
        return poa_table.two_worker_game(gamma)
    if gamma <= Fraction(5, 3):
        return replace(poa_table.three_player_game(), perceived_offset_weight=gamma)
    x = _crowd(gamma)
    names = [f"w{i}" for i in range(x + 1)]
    offset = (x * x - x - 1) / gamma
    players = tuple(
        (Strategy(frozenset(names) - {name}), Strategy(frozenset({name}), offset)) for name in names
    )
    return CongestionGame(dict.fromkeys(names, LINEAR), players, gamma)


def window(bound: TightBound) -> tuple[Fraction, Fraction]:
    """Weights at which a class of latencies keeps its tight bound: [1 - mu, lambda].

    The whole plateau where the linear program has one optimum, part of it where it has several.
    Raises ValueError for an infinite bound.
    """
    if bound.lam is None or bound.mu is None:
        raise ValueError("bound: an infinite bound has no plateau")
    return 1 - bound.mu, bound.lam


def check_rows(most: int | None = None) -> list[Row]:
    """The checks of this module's statements; see `checks.check` for the fields of a row."""
    return rows_of(
        _affine_rows,
        _family_rows,
        _certificate_rows,
        _window_rows,
        _outside_rows,
        _correlated_rows,
        most=most,
    )


def named(weight: Fraction) -> str:
    """A number as part of an id."""
    return str(weight).replace("/", "-")


def program_value(latency: Latency, players: int, gamma: Fraction | None) -> TightBound:
    """The linear program's bound, its certificate checked; ArithmeticError if that fails."""
    bound = tight_poa([latency], players, gamma)
    if bound.certificate is None or not bound.certificate.check():
        raise ArithmeticError("the certificate of a bound does not hold")
    return bound


def _affine_rows() -> Iterator[Row]:
    """The closed form against the linear program, and against enumerated games."""
    for gamma in WEIGHTS:
        stated, setting = affine_worst_ratio(gamma), f"affine, perceived weight {gamma}"
        yield check(
            f"plateau-program-{named(gamma)}",
            "cor:plateau-affine",
            "worst price of anarchy, affine",
            f"{setting}, {PLAYERS} requests",
            program_value(LINEAR, PLAYERS, gamma).poa,
            stated,
            PROGRAM,
        )
        game = affine_game(gamma)
        yield check(
            f"plateau-instance-{named(gamma)}",
            "cor:plateau-affine",
            "price of anarchy of the instance",
            f"{setting}, {len(game.players)} requests",
            solve_routing(game).price_of_anarchy,
            stated,
            ENUMERATION,
        )


def _family_rows() -> Iterator[Row]:
    """The worst of every small game of a family: none may exceed the closed form."""
    latencies = [polynomial(*c) for c in ((0, 1), (0, 2), (1, 1), (1,))]
    offsets = [Fraction(k) for k in (0, 1, 2)]
    for gamma in (Fraction(1, 2), Fraction(2, 3), Fraction(5, 3), Fraction(2)):
        ratios = []
        for (one, two), paid in product(
            combinations_with_replacement(latencies, 2), product(offsets, repeat=4)
        ):
            players = tuple(
                (Strategy(frozenset("a"), here), Strategy(frozenset("b"), there))
                for here, there in (paid[:2], paid[2:])
            )
            report = solve_routing(CongestionGame({"a": one, "b": two}, players, gamma))
            ratios.append(rational(report.price_of_anarchy, "ratio"))
        yield check(
            f"plateau-family-{named(gamma)}",
            "cor:plateau-affine",
            "worst of a family of games",
            f"two requests, two workers, {len(ratios)} games, perceived weight {gamma}",
            max(ratios),
            affine_worst_ratio(gamma),
            ENUMERATION,
            "<=",
        )


def _certificate_rows() -> Iterator[Row]:
    """The linear program with offsets against the game built from its certificate."""
    classes: tuple[tuple[str, Latency, int], ...] = (
        ("affine", LINEAR, 3),
        ("quadratic", polynomial(0, 0, 1), 8),
        ("mm1", MM1(Fraction(5)), 4),
    )
    for (name, latency, players), gamma in product(
        classes, (Fraction(1, 3), Fraction(1), Fraction(8))
    ):
        bound = program_value(latency, players, gamma)
        assert bound.certificate is not None  # as checked by program_value
        yield check(
            f"plateau-tight-{name}-{named(gamma)}",
            "prop:offset",
            "price of anarchy of the game built from the certificate",
            f"{name} latency, {players} requests, perceived weight {gamma}",
            solve_routing(worst_game(bound.certificate)).price_of_anarchy,
            bound.poa,
            ENUMERATION,
        )


def _window_rows() -> Iterator[Row]:
    """At both ends of its window every class of latencies has the bound it has without offsets."""
    for name, latency, players in CLASSES:
        plain = program_value(latency, players, None)
        for end, gamma in zip(("lower", "upper"), window(plain), strict=True):
            yield check(
                f"plateau-window-{name}-{end}",
                "thm:plateau",
                "worst price of anarchy at an end of the plateau",
                f"{name} latency, {players} requests, perceived weight {gamma}",
                program_value(latency, players, gamma).poa,
                plain.poa,
                PROGRAM,
            )


def _outside_rows() -> Iterator[Row]:
    """Just outside of its window a polynomial class has a larger worst case.

    That of M/M/1 latencies has not: its program has several optima, and the window is wider.
    """
    for name, latency, players in CLASSES[:2]:
        plain = program_value(latency, players, None)
        low, high = window(plain)
        outside = (low * (1 - STEP), high * (1 + STEP))
        worse = [program_value(latency, players, gamma).poa > plain.poa for gamma in outside]
        yield check(
            f"plateau-outside-{name}",
            "thm:plateau",
            "ends beyond which the worst case is larger at once",
            f"{name} latency, {players} requests",
            Fraction(sum(worse)),
            Fraction(2),
            PROGRAM,
        ) | {"unit": "count"}


def _correlated_rows() -> Iterator[Row]:
    """The worst coarse correlated equilibrium of the instances that attain the bound."""
    for gamma in (Fraction(1, 3), Fraction(2, 3), Fraction(5, 3), Fraction(4)):
        game = finite.FiniteGame.of_congestion(affine_game(gamma))
        yield check(
            f"plateau-correlated-{named(gamma)}",
            "thm:plateau",
            "worst coarse correlated equilibrium of the instance",
            f"affine, {len(game.counts)} requests, perceived weight {gamma}",
            finite.worst_coarse_correlated(game),
            affine_worst_ratio(gamma),
            CORRELATED,
        )


def mixed_game(gamma: Fraction) -> CongestionGame:
    """Three requests on three affine workers of unequal speed, with unequal overlaps."""
    latency: dict[str, Latency] = {
        "a": polynomial(0, 1),
        "b": polynomial(1, 1),
        "c": polynomial(0, 2),
    }
    offsets = ((0, 2, 3), (2, 0, 1), (3, 1, 0))
    players = tuple(
        tuple(Strategy(frozenset(r), Fraction(b)) for r, b in zip("abc", row, strict=True))
        for row in offsets
    )
    return CongestionGame(latency, players, gamma)


def curve_rows() -> list[dict[str, Any]]:
    """The worst case against the perceived weight: rows for the figure.

    Each row: id, gamma (float), gamma_exact, series ("closed form", "linear programme" or
    "instance"), value, exact and unit.
    """
    grid = {
        Fraction(2) ** octave * Fraction(PER_OCTAVE + k, PER_OCTAVE)
        for octave in OCTAVES
        for k in range(PER_OCTAVE + 1)
    }
    rows = [
        _curve_row("closed form", gamma, affine_worst_ratio(gamma))
        for gamma in sorted(grid | set(CURVE_POINTS))
    ]
    for gamma in sorted(CURVE_POINTS):
        bound = rational(program_value(LINEAR, PLAYERS, gamma).poa, "bound")
        attained = solve_routing(affine_game(gamma)).price_of_anarchy
        rows.append(_curve_row("linear programme", gamma, bound))
        rows.append(_curve_row("instance", gamma, rational(attained, "ratio")))
    return rows


def _curve_row(series: str, gamma: Fraction, value: Fraction) -> dict[str, Any]:
    return {
        "id": f"plateau-{series.replace(' ', '-')}-{named(gamma)}",
        "gamma": float(gamma),
        "gamma_exact": exact_text(gamma),
        "series": series,
        "value": float(value),
        "exact": exact_text(value),
        "unit": "ratio",
    }
