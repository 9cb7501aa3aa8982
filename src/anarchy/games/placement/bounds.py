"""Cache placement games of hundreds of nodes: a proven optimum and the equilibria found.

The optimum comes with a certificate, the equilibria from best-response dynamics and, on smaller
networks, from integer programming. All costs are exact; `bounds` in the report says on which side
of the truth each lies.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

from anarchy.common.errors import InputError
from anarchy.games.common.equilibrium_report import EquilibriumReport
from anarchy.games.common.rational import Extended, exact_text, ratio
from anarchy.games.placement.best_response import RUNS, FoundEquilibria, search, with_known
from anarchy.games.placement.extreme_equilibria import Extremes, extremes
from anarchy.games.placement.game import CachingGame
from anarchy.games.placement.lagrangian_bound import OptimumCertificate
from anarchy.games.placement.optimum import KICKS, MAX_WORK, optimum

MAX_PRICES = 10**6
"""Most prices (nodes times nodes times objects) that are searched."""

FULL_EFFORT_PRICES = 10**5
"""Most prices that are searched with full effort; beyond, effort falls as prices grow."""


@dataclass(frozen=True)
class PlacementBounds:
    """What is known about a large game.

    certificate  the best placement found and the proof of how good it is
    found        the extreme equilibria found, each verified
    extremes     the extremes that HiGHS claims up to its tolerances, None if it was not asked or
                 could not tell
    """

    certificate: OptimumCertificate
    found: FoundEquilibria
    extremes: Extremes | None


def bounds(game: CachingGame, seed: int = 0) -> PlacementBounds:
    """Bound the optimum and search for equilibria; the result depends on the arguments alone.

    Raises `InputError` for a game with more than `MAX_PRICES` prices.
    """
    prices = game.nodes**2 * game.objects
    if prices > MAX_PRICES:
        raise InputError(
            f"topology: {game.nodes} nodes with {game.objects} objects have {prices} prices, too "
            f"many to search; allowed: {MAX_PRICES}, or any line with room for every object"
        )
    effort = min(1.0, FULL_EFFORT_PRICES / prices)
    certificate = optimum(game, int(MAX_WORK * effort), int(KICKS * effort))
    # Where nodes have too little room, nobody may be able to mend an empty placement.
    starts = [certificate.placement, ((),) * game.nodes]
    found = search(game, starts, seed, max(int(RUNS * effort), len(starts)))
    claimed = extremes(game)
    for one in (claimed.best, claimed.worst) if claimed else ():
        found = found if one is None else with_known(game, found, one)
    best = found.best_cost
    if found.best is not None and best is not None and best < certificate.upper:
        certificate = replace(certificate, placement=found.best, upper=best)
    return PlacementBounds(certificate, found, claimed)


def solve(game: CachingGame, seed: int = 0) -> EquilibriumReport:
    """The bounds of a game as a report.

    Its price of anarchy is the dearest equilibrium found over the best placement found, so at most
    the true one; its price of stability is the cheapest equilibrium found over the proven lower
    bound of the optimum, so at least the true one.
    """
    known = bounds(game, seed)
    certificate, found = known.certificate, known.found
    price_of_anarchy, reason = ratio(found.worst_cost, certificate.upper)
    price_of_stability: Extended | None = None
    if reason is None and certificate.lower > 0:
        price_of_stability, _ = ratio(found.best_cost, certificate.lower)
    elif reason is None:
        reason = "price_of_stability: no bound above 0 of the optimum is proven"
    if found.worst is None:
        reason = _nothing_found(known)
    return EquilibriumReport(
        equilibria=None,
        profiles=None,
        optimum=certificate.upper,
        optimum_profile=certificate.placement,
        best_equilibrium=found.best_cost,
        worst_equilibrium=found.worst_cost,
        price_of_anarchy=price_of_anarchy,
        price_of_stability=price_of_stability,
        reason=reason,
        exact_potential=None,
        exact=False,
        method=_method(known),
        bounds=_sides(known),
    )


def _nothing_found(known: PlacementBounds) -> str:
    found = known.found
    how = f"{found.cycles} of {found.runs} runs met a cycle, {found.unfinished} did not end"
    if known.extremes is not None and known.extremes.worst is None:
        return f"no pure equilibrium by integer programming within its tolerance; {how}"
    return f"no pure equilibrium found, there may be one; {how}"


def _method(known: PlacementBounds) -> str:
    found = known.found
    searched = f"{found.converged} of {found.runs} runs of best-response dynamics converged"
    programmed = "" if known.extremes is None else " and integer programming within its tolerance"
    return (
        "branch and bound for the optimum with Lagrangian bounds in exact arithmetic; "
        f"equilibria from {searched}{programmed}"
    )


def _sides(known: PlacementBounds) -> str:
    certificate = known.certificate
    if certificate.proven:
        optimum_side = "optimum proven"
    else:
        gap = certificate.upper - certificate.lower
        share = float(gap / certificate.upper)
        optimum_side = (
            f"optimum at most the one given and at least {exact_text(Fraction(certificate.lower))} "
            f"(relative gap {share:.1e})"
        )
    if known.found.worst is None:
        return optimum_side
    claimed = (
        ""
        if known.extremes is None
        else "; no better and no worse equilibrium by integer programming within its tolerance"
    )
    return (
        f"{optimum_side}; best_equilibrium and price_of_stability at most, worst_equilibrium and "
        f"price_of_anarchy at least the ones given{claimed}"
    )
