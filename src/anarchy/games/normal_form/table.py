"""A finite game as a table: what each player pays in each profile, and how it is solved."""

import math
from dataclasses import dataclass, replace

import numpy as np

from anarchy.common.errors import InputError
from anarchy.games.common.enumeration import CostTable, Integers, solve_by_enumeration
from anarchy.games.common.equilibrium_report import EquilibriumReport
from anarchy.games.common.rational import Extended, ratio

MAX_PAYOFFS = 2**20
"""Most players times profiles of a table that is read or written."""


@dataclass(frozen=True)
class NormalForm:
    """A table of costs, which are payoffs with the sign turned, and the names in it."""

    title: str
    players: tuple[str, ...]
    strategies: tuple[tuple[str, ...], ...]
    costs: CostTable


def require_small(players: int, profiles: int) -> None:
    """Raises `InputError` for a table with more than `MAX_PAYOFFS` entries."""
    if players * profiles > MAX_PAYOFFS:
        raise InputError(
            f"players: {players} players times {profiles} profiles are too many payoffs; "
            f"allowed: {MAX_PAYOFFS}"
        )


def solve_table(form: NormalForm) -> tuple[EquilibriumReport, str]:
    """Pure equilibria as strategy numbers, the optimum, and of what the ratios are.

    Of "costs" if the optimum costs something. If it pays, they are of "payoffs", turned round so
    that they too are at least 1 and grow with the loss.
    """
    report = solve_by_enumeration(form.costs, name=lambda profile: profile, with_potential=True)
    if report.optimum >= 0 or not report.equilibria:
        return report, "costs"
    worst, reason = _payoff_ratio(report.optimum, report.worst_equilibrium)
    best, _ = _payoff_ratio(report.optimum, report.best_equilibrium)
    turned = replace(report, price_of_anarchy=worst, price_of_stability=best, reason=reason)
    return turned, "payoffs"


def _payoff_ratio(
    optimum: Extended, equilibrium: Extended | None
) -> tuple[Extended | None, str | None]:
    if equilibrium is None or equilibrium >= 0:
        return None, "an equilibrium pays 0 or less in all, a ratio of payoffs needs more"
    return ratio(-optimum, -equilibrium)


def least_regret(table: CostTable) -> Extended:
    """The least, over all profiles, that the player with most to gain by changing alone can gain.

    It is 0 if and only if there is a pure equilibrium.
    """
    regret: Integers = np.zeros(table.space.size, dtype=table.scale.dtype)
    for player, costs in enumerate(table.perceived):
        after = math.prod(table.space.counts[player + 1 :])
        own = costs.reshape(-1, table.space.counts[player], after)
        gain = own - own.min(axis=1, keepdims=True)
        regret = np.maximum(regret, gain.reshape(-1))
    return table.scale.value(int(regret.min()))
