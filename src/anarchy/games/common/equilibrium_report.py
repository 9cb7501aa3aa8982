"""What a solver of a finite game reports."""

from dataclasses import dataclass
from typing import Any, Literal

from anarchy.games.common.rational import Extended

MAX_LISTED = 1000
"""Most equilibria that are listed where a game can have very many."""


Method = Literal["auto", "enumeration", "bounds"]
"""How a finite game is solved: as its size allows, profile by profile, or by bounds alone."""


@dataclass(frozen=True)
class EquilibriumReport:
    """Equilibria of a finite game against its optimum; costs are minimised.

    equilibria         number of pure Nash equilibria, ties included (weak equilibria); None when
                       it is unknown
    profiles           the equilibria themselves, one entry per player, in lexicographic order;
                       None when they are unknown or too many to list
    optimum            least social cost over all profiles, `math.inf` if none is finite
    optimum_profile    one profile of least social cost, by enumeration and by counting the first
                       in lexicographic order
    best_equilibrium   least and worst_equilibrium greatest social cost of an equilibrium,
                       None when there is none
    price_of_anarchy   worst equilibrium over optimum and price_of_stability best over optimum;
                       both None when `reason` says why a ratio would mean nothing
    exact_potential    whether unilateral changes derive from one potential; None if not asked
    exact              True when every number above is proven for the instance
    method             how the numbers were found
    bounds             when `exact` is False: on which side of the truth each number lies
    """

    equilibria: int | None
    profiles: tuple[tuple[Any, ...], ...] | None
    optimum: Extended
    optimum_profile: tuple[Any, ...]
    best_equilibrium: Extended | None
    worst_equilibrium: Extended | None
    price_of_anarchy: Extended | None
    price_of_stability: Extended | None
    reason: str | None
    exact_potential: bool | None
    exact: bool
    method: str
    bounds: str | None = None
