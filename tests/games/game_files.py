"""Turns the golden game files into the package's dataclasses and solves them: test-side only."""

import math
from collections.abc import Callable
from typing import Any

from anarchy.games import allocation, caching, congestion, queues, reference, smoothness, topology
from anarchy.games.latency import MM1, Latency, Polynomial, Table
from anarchy.games.rational import rational

Game = dict[str, Any]
Results = dict[str, Any]


def solve(game: Game) -> Results:
    """Solve a game file and name its results as the files do."""
    return SOLVERS[game["kind"]](game)


def latency(spec: Game) -> Latency:
    ((name, value),) = spec.items()
    if name == "mm1":
        return MM1(value)
    return Polynomial(tuple(value)) if name == "polynomial" else Table(tuple(value))


def solve_congestion(game: Game) -> Results:
    together = game.get("colocation")
    built = congestion.CongestionGame(
        latency={name: latency(spec) for name, spec in game["latency"].items()},
        players=tuple(
            tuple(
                congestion.Strategy(frozenset(s["resources"]), s.get("offset", 0))
                for s in player["strategies"]
            )
            for player in game["players"]
        ),
        perceived_offset_weight=game.get("perceived_offset_weight", 1),
        colocation=congestion.Colocation(**together) if together else None,
    )
    return vars(congestion.solve(built))


def solve_caching(game: Game) -> Results:
    ((shape, size),) = game["topology"].items()
    build: Callable[..., topology.Distances] = getattr(topology, shape)
    if shape == "grid":
        distances = build(*size)
    elif shape == "clusters":
        distances = build(**size)
    else:
        distances = build(size)
    keys = ("placement_cost", "demand", "miss_cost", "capacity")
    built = caching.CachingGame.of(distances, **{k: game[k] for k in keys if k in game})
    return vars(caching.solve(built))


def solve_queues(game: Game) -> Results:
    router = game.get("router", "selfish")
    credit = None if router == "selfish" else router["linear-proxy"]["credit"]
    return vars(queues.parallel_mm1(game["service_rates"], game["demand"], credit))


def solve_allocation(game: Game) -> Results:
    built = allocation.AllocationGame(
        game["budget"], allocation.Pool(**game["prefill"]), allocation.Pool(**game["decode"])
    )
    if game.get("integer"):
        return vars(allocation.integer_splits(built))
    return vars(allocation.variational_equilibrium(built))


def solve_bound(game: Game) -> Results:
    family = game["family"]
    if family.startswith("smoothness"):
        bound = smoothness.tight_poa(
            [latency(spec) for spec in game["latency"]],
            game["players"],
            game.get("perceived_offset_weight"),
        )
        assert bound.certificate is not None
        assert bound.certificate.check()
        return {"price_of_anarchy": bound.poa, "lambda": bound.lam, "mu": bound.mu}
    if family == "affine-price-of-stability":
        return {"price_of_stability": reference.affine_price_of_stability().value}
    closed_form = {
        "atomic-polynomial": reference.atomic_polynomial,
        "weighted-polynomial": reference.weighted_polynomial,
        "nonatomic-polynomial": reference.nonatomic_polynomial,
        "symmetric-affine": reference.symmetric_affine,
    }[family]
    argument = game["players"] if family == "symmetric-affine" else game["degree"]
    return {"price_of_anarchy": closed_form(argument).value}


def solve_network(game: Game) -> Results:
    return vars(queues.mva(game["service_demands"], game["clients"], game.get("think_time", 0)))


SOLVERS: dict[str, Callable[[Game], Results]] = {
    "congestion": solve_congestion,
    "caching": solve_caching,
    "parallel-queues": solve_queues,
    "allocation": solve_allocation,
    "bound": solve_bound,
    "closed-network": solve_network,
}

RELATIVE_TOLERANCE = 1e-9
"""How far a float may be from its golden value; rationals must be equal."""


def agrees(found: Any, expected: Any) -> bool:
    """Whether a result is the golden one: rational strings exactly, floats closely."""
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(agrees, found, expected))
    if isinstance(expected, str):
        return found == (math.inf if expected == "inf" else rational(expected, "expected"))
    if isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=RELATIVE_TOLERANCE, abs_tol=0)
    return bool(found == expected)
