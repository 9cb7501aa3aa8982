"""What a softmax router adds to the worst case: a regret that its temperature bounds.

A request that draws its worker by a softmax over expected costs pays at most r times the
temperature more than with the cheapest one, r e^(r + 1) = m - 1 for m workers; r < ln m.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import product

from anarchy.common.errors import InputError
from anarchy.games import poa_table
from anarchy.games.common.rational import rational
from anarchy.games.routing import congestion
from anarchy.games.theorems import finite
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.games.theorems.plateau import CORRELATED, affine_worst_ratio, mixed_game, polynomial

TEMPERATURES = (0.05, 0.25, 1.0)
"""Softmax temperatures of the checks, in units of the cost."""

BISECTIONS = 80
"""Steps that bring a bracket of width 1 + ln m below the spacing of floats."""


def regret_factor(options: int) -> float:
    """The r >= 0 with r e^(r + 1) = options - 1: the largest regret over the temperature."""
    if options < 1:
        raise InputError(f"options: must be at least 1, got {options}")
    if options == 1:
        return 0.0
    # In logarithms, so that very many options do not overflow.
    low, high = 0.0, 1 + math.log(options)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        short = math.log(middle) + middle + 1 < math.log(options - 1)
        low, high = (middle, high) if short else (low, middle)
    return high


def affine_softmax_bound(gamma: Fraction, regret: float, optimum: Fraction) -> float:
    """Largest expected cost over the optimum, affine latencies, of regrets that sum to `regret`.

    gamma is the weight at which offsets are perceived, `regret` has the unit of `optimum`.
    """
    worst = affine_worst_ratio(gamma)
    # The multiplier nu of the linear program: what a unit of regret can cost.
    if gamma < Fraction(2, 3):
        price = 1 / gamma
    else:
        price = Fraction(3, 2) if gamma <= Fraction(5, 3) else worst / gamma
    return float(worst + price * rational(regret, "regret") / optimum)


def check_rows(most: int | None = None) -> list[Row]:
    """The checks of this module's statements; see `checks.check` for the fields of a row."""
    return rows_of(
        _regret_rows, _logarithm_rows, _normalised_rows, _attained_rows, _profile_rows, most=most
    )


def _regret_rows() -> Iterator[Row]:
    """What one softmax choice loses, in units of its temperature."""
    for options in (2, 3, 5):
        factor = regret_factor(options)
        gap = 1 + factor
        cases = {
            "worst": [0.0] + [gap] * (options - 1),
            "equal": [0.0] * options,
            "spread": [float(k) for k in range(options)],
        }
        for name, costs in cases.items():
            yield check(
                f"softmax-regret-{options}-{name}",
                "lem:softmax",
                "largest regret of a softmax choice over its temperature"
                if name == "worst"
                else "regret of a softmax choice over its temperature",
                f"{options} workers, {name} gaps",
                finite.softmax_regret(costs, 1.0),
                factor,
                "definition",
                "=" if name == "worst" else "<=",
            )


def _logarithm_rows() -> Iterator[Row]:
    """The simpler factor ln m is loose for few workers and the right one for very many."""
    for options in (2, 5, 10**60):
        gap = 1 + regret_factor(options)
        # The softmax over one cheapest option and m - 1 dearer ones, all equal.
        dear = (options - 1) * math.exp(-gap)
        yield check(
            f"softmax-logarithm-{options:g}".replace("+", ""),
            "lem:softmax",
            "regret of a softmax choice over its temperature, against ln m",
            f"{options:g} workers, worst gaps",
            gap * dear / (1 + dear),
            math.log(options),
            "definition",
            "<=",
        )


def _normalised_rows() -> Iterator[Row]:
    """With costs divided by their range, two workers lose the same share of it at every gap."""
    for gap in (0.001, 1.0, 1000.0):
        for temperature in TEMPERATURES:
            yield check(
                f"softmax-normalised-{gap:g}-{temperature}".replace(".", "-"),
                "lem:softmax",
                "regret over the range of the costs, two workers",
                f"gap {gap:g}, normalised temperature {temperature}",
                finite.softmax_regret([0.0, gap], temperature * gap) / gap,
                1 / (1 + math.exp(1 / temperature)),
                "definition",
            )


def _attained_rows() -> Iterator[Row]:
    """Two requests whose offsets use up the regret as well: the bound is exact up to the plateau.

    Both away from home perceive 2 + r there and 2 at home, and cost 1 + (1 + r)/gamma, not 1.
    """
    regret = Fraction(1, 2)
    here, there = frozenset("a"), frozenset("b")
    latency = {name: polynomial(0, 1) for name in "ab"}
    for gamma in (Fraction(1, 3), Fraction(2, 3)):
        away = (1 + regret) / gamma
        first = (congestion.Strategy(here), congestion.Strategy(there, away))
        second = (congestion.Strategy(here, away), congestion.Strategy(there))
        game = congestion.CongestionGame(latency, (first, second), gamma)
        yield check(
            f"softmax-attained-{gamma}".replace("/", "-"),
            "prop:softmax",
            "expected cost of the worst distribution of such regret",
            f"two requests, weight {gamma}, regret {regret} each",
            finite.worst_coarse_correlated(finite.FiniteGame.of_congestion(game), float(regret)),
            affine_softmax_bound(gamma, float(2 * regret), Fraction(2)),
            CORRELATED,
        )


def _profile_rows() -> Iterator[Row]:
    """The worst distribution with the regrets of softmax profiles, and one such profile."""
    games = {
        "two-workers": (poa_table.two_worker_game(Fraction(2, 3)), Fraction(2, 3)),
        "three-players": (poa_table.three_player_game(), Fraction(1)),
        "mixed": (mixed_game(Fraction(4)), Fraction(4)),
    }
    for (name, (routing, gamma)), temperature in product(games.items(), TEMPERATURES):
        game = finite.FiniteGame.of_congestion(routing)
        regret = [temperature * regret_factor(count) for count in game.counts]
        yield check(
            f"softmax-regret-{name}-{temperature}".replace(".", "-"),
            "prop:softmax",
            "expected cost of the worst distribution of such regret",
            f"{name.replace('-', ' ')}, temperature {temperature}",
            finite.worst_coarse_correlated(game, max(regret)),
            affine_softmax_bound(gamma, sum(regret), game.optimum),
            CORRELATED,
            "<=",
        )
    routing, gamma = games["two-workers"]
    game, temperature = finite.FiniteGame.of_congestion(routing), TEMPERATURES[-1]
    yield check(
        "softmax-profile-two-workers",
        "prop:softmax",
        "expected cost of the worst softmax profile found",
        f"two workers, temperature {temperature}",
        finite.worst_softmax(game, temperature),
        affine_softmax_bound(gamma, 2 * temperature * regret_factor(2), game.optimum),
        "damped fixed points",
        "<=",
    )
