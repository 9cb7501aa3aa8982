"""Overlap counted as a gain instead of a missing one as a cost: same choices, another ratio.

Both forms differ by a constant of each request, so equilibria and optimum agree; the ratio of
their costs does not, because the constant moves the zero from which it is counted.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from anarchy.common.errors import InputError
from anarchy.games import poa_table
from anarchy.games.common.latency import Polynomial
from anarchy.games.common.rational import at_least
from anarchy.games.routing.congestion import CongestionGame
from anarchy.games.routing.solve import solve_routing
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.games.theorems.plateau import (
    ENUMERATION,
    PLAYERS,
    PROGRAM,
    affine_worst_ratio,
    named,
    program_value,
)

BETAS = tuple(Fraction(*pair) for pair in ((0, 1), (1, 4), (1, 2), (9, 10)))
"""Credits, as shares of the unloaded latency, at which the form with gains is checked."""


def gain_worst_ratio(beta: object) -> Fraction:
    """Worst price of anarchy of linear games that count overlap as a gain.

    A choice earns at most `beta` times the latency that it would have alone, 0 <= beta < 1;
    `InputError` otherwise.
    """
    b = at_least(beta, "beta", 0)
    if b >= 1:
        raise InputError(f"beta: must be less than 1, got {b}")
    return 1 + (3 - b) / ((1 - b) * (2 - b))


def gain_game(beta: Fraction, plus: bool = False) -> CongestionGame:
    """A game that attains `gain_worst_ratio(beta)`; with `plus`, overlap missed is a cost instead.

    The resources of `poa_table.three_player_game`, those used by one player at equilibrium cheaper
    by the factor 1 - beta. Each choice earns beta times its latency alone; in the other form it
    pays what it earns less than the player's best choice.
    """
    slopes = {"h": Fraction(1), "g": 1 - beta}
    players = []
    for strategies in poa_table.three_player_game().players:
        gains = [beta * sum(slopes[r[0]] for r in s.resources) for s in strategies]
        zero = max(gains) if plus else Fraction(0)
        players.append(
            tuple(replace(s, offset=zero - gain) for s, gain in zip(strategies, gains, strict=True))
        )
    names = sorted({r for player in players for s in player for r in s.resources})
    latency = {name: Polynomial((Fraction(0), slopes[name[0]])) for name in names}
    return CongestionGame(latency, tuple(players))


def check_rows(most: int | None = None) -> list[Row]:
    """The checks of this module's statements; see `checks.check` for the fields of a row."""
    return rows_of(_credit_rows, _vanishing_rows, most=most)


def _credit_rows() -> Iterator[Row]:
    for beta in BETAS:
        yield from _rows(beta)


def _vanishing_rows() -> Iterator[Row]:
    yield check(
        "gains-instance-1",
        "prop:zero",
        "price of anarchy where the optimum costs nothing",
        "three requests, credit of the whole unloaded latency",
        solve_routing(gain_game(Fraction(1))).price_of_anarchy,
        None,
        ENUMERATION,
        "none",
    )


def _rows(beta: Fraction) -> Iterator[Row]:
    stated, label = gain_worst_ratio(beta), named(beta)
    gain, cost = (solve_routing(gain_game(beta, plus)) for plus in (False, True))
    setting = f"three requests, credit of {beta} of the unloaded latency"
    yield check(
        f"gains-program-{label}",
        "prop:zero",
        "worst price of anarchy, overlap as a gain",
        f"latency x - {beta}, {PLAYERS} requests",
        program_value(Polynomial((-beta, Fraction(1))), PLAYERS, None).poa,
        stated,
        PROGRAM,
    )
    yield check(
        f"gains-instance-{label}",
        "prop:zero",
        "price of anarchy of the instance, overlap as a gain",
        setting,
        gain.price_of_anarchy,
        stated,
        ENUMERATION,
    )
    yield check(
        f"gains-as-cost-{label}",
        "prop:zero",
        "price of anarchy of the instance, missing overlap as a cost",
        setting,
        cost.price_of_anarchy,
        affine_worst_ratio(1),
        ENUMERATION,
        "<=",
    )
    differing = set(gain.profiles or ()) ^ set(cost.profiles or ())
    yield check(
        f"gains-same-choices-{label}",
        "prop:zero",
        "equilibria of one form that the other lacks",
        setting,
        Fraction(len(differing)),
        Fraction(0),
        ENUMERATION,
    ) | {"unit": "count"}
