"""Two-stage routing: each request chooses a prefill worker and a decode worker.

It pays the latency of both, its offset on both (at prefill the blocks that the worker would have
to compute again), and the hand-off between them. That is a congestion game in which a strategy is
a pair of workers, one of each layer, and the link between them a resource of constant latency.

If every request may combine its workers freely and no hand-off costs anything, the stages know
nothing of each other: an equilibrium is an equilibrium of each, and costs add. Such games are
solved one stage at a time, so that they may be large.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product

from anarchy.common.errors import InputError, suggest
from anarchy.games.common.enumeration import MAX_PROFILES, is_enumerable, number_of_profiles
from anarchy.games.common.equilibrium_report import MAX_LISTED, EquilibriumReport, Method
from anarchy.games.common.latency import Latency, Polynomial
from anarchy.games.common.rational import Extended, ratio, rational
from anarchy.games.routing import enumeration
from anarchy.games.routing.congestion import CongestionGame, Strategy, latency_tables
from anarchy.games.routing.solve import solve_routing

Pair = tuple[str, str]
"""A prefill worker and a decode worker."""

_APART = "stages that know nothing of each other: no pairs, no hand_off and finite latencies"


@dataclass(frozen=True)
class Request:
    """The workers that a request may use, each with the request's offset there.

    `pairs` are the combinations allowed; None allows all of them.
    """

    prefill: Mapping[str, Fraction]
    decode: Mapping[str, Fraction]
    pairs: tuple[Pair, ...] | None = None

    @property
    def choices(self) -> Iterator[Pair]:
        """The pairs of workers, in the order of their numbers as strategies."""
        return product(self.prefill, self.decode) if self.pairs is None else iter(self.pairs)

    @property
    def count(self) -> int:
        """How many pairs there are to choose from."""
        return len(self.prefill) * len(self.decode) if self.pairs is None else len(self.pairs)


@dataclass(frozen=True)
class TwoStageGame:
    """Requests on two layers of workers.

    prefill, decode          cost per request of each worker by load
    requests                 what each request may choose
    hand_off                 cost of the link between two workers, as the system pays it and as
                             requests see it; 0 for pairs that are not named
    perceived_offset_weight  weight of the requests' offsets in their choice
    """

    prefill: Mapping[str, Latency]
    decode: Mapping[str, Latency]
    requests: tuple[Request, ...]
    hand_off: Mapping[Pair, Fraction] = field(default_factory=dict)
    perceived_offset_weight: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        weight = rational(self.perceived_offset_weight, "perceived_offset_weight")
        object.__setattr__(self, "perceived_offset_weight", weight)
        for one, other in self.hand_off:
            _known(one, self.prefill, "hand_off")
            _known(other, self.decode, f"hand_off.{one}")
        for number, request in enumerate(self.requests):
            if number and request is self.requests[number - 1]:
                continue
            _check(request, f"requests[{number}]", self)

    @property
    def separable(self) -> bool:
        """Whether each request may combine its workers freely, and no link costs anything."""
        return not any(self.hand_off.values()) and all(r.pairs is None for r in self.requests)

    def stages(self) -> dict[str, CongestionGame]:
        """The games of the two stages by name, each as if the other did not exist."""
        latencies = {"prefill": self.prefill, "decode": self.decode}
        players = {id(request): _by_stage(request) for request in self.requests}
        return {
            stage: CongestionGame(
                latency,
                tuple(players[id(request)][stage] for request in self.requests),
                self.perceived_offset_weight,
            )
            for stage, latency in latencies.items()
        }

    def congestion(self) -> CongestionGame:
        """The one congestion game, a strategy per pair; `InputError` for very many profiles."""
        counts = [request.count for request in self.requests]
        if not is_enumerable(counts):
            raise InputError(
                f"requests: {len(counts)} requests have {number_of_profiles(counts)} profiles, too "
                f"many to enumerate; allowed: {MAX_PROFILES} profiles, or {_APART}"
            )
        latency: dict[str, Latency] = {f"prefill {n}": cost for n, cost in self.prefill.items()}
        latency |= {f"decode {n}": cost for n, cost in self.decode.items()}
        latency |= {f"link {pair}": Polynomial((c,)) for pair, c in self.hand_off.items()}
        players = {
            id(request): tuple(self._strategy(request, pair) for pair in request.choices)
            for request in self.requests
        }
        return CongestionGame(
            latency, tuple(players[id(r)] for r in self.requests), self.perceived_offset_weight
        )

    def _strategy(self, request: Request, pair: Pair) -> Strategy:
        resources = {f"prefill {pair[0]}", f"decode {pair[1]}"}
        if pair in self.hand_off:
            resources.add(f"link {pair}")  # quoted, so that no two are alike
        offset = request.prefill[pair[0]] + request.decode[pair[1]]
        return Strategy(frozenset(resources), offset)


def solve(game: TwoStageGame, method: Method = "auto") -> EquilibriumReport:
    """Pure equilibria, the optimum and their ratios; profiles hold one "prefill>decode" a request.

    Stages that know nothing of each other are solved each by `routing.solve.solve_routing`, with
    `method`; all other games by enumeration of pairs. Raises `InputError` for those that have too
    many profiles or are to be bounded.
    """
    if not game.requests:
        raise InputError("requests: at least one is needed")
    stages, finite = game.stages(), True
    for stage, alone in stages.items():
        with _faults_of(stage):
            finite &= not any(math.inf in row for row in latency_tables(alone).values())
    # Who pays infinitely much in one stage would be content with anything in the other.
    if game.separable and finite:
        reports = []
        for stage, alone in stages.items():
            with _faults_of(stage):
                reports.append(solve_routing(alone, method))
        return _joined(game, *reports)
    if method == "bounds":
        raise InputError(f"requests: bounds need {_APART}; allowed here: method enumeration")
    found = enumeration.solve(game.congestion())
    choices = {id(request): [*request.choices] for request in game.requests}

    def named(profile: tuple[int, ...]) -> tuple[str, ...]:
        taken = zip(game.requests, profile, strict=True)
        return tuple(_named(choices[id(request)][number]) for request, number in taken)

    return replace(
        found,
        profiles=tuple(map(named, found.profiles or ())),
        optimum_profile=named(found.optimum_profile),
    )


def _joined(
    game: TwoStageGame, prefill: EquilibriumReport, decode: EquilibriumReport
) -> EquilibriumReport:
    """The report of a game from those of its stages."""
    optimum = prefill.optimum + decode.optimum
    best = _sum(prefill.best_equilibrium, decode.best_equilibrium)
    worst = _sum(prefill.worst_equilibrium, decode.worst_equilibrium)
    price_of_anarchy, reason = ratio(worst, optimum)
    price_of_stability, _ = ratio(best, optimum)
    equilibria = None
    if prefill.equilibria is not None and decode.equilibria is not None:
        equilibria = prefill.equilibria * decode.equilibria
    few = equilibria is not None and equilibria <= MAX_LISTED
    return EquilibriumReport(
        equilibria=equilibria,
        profiles=_combined(game, prefill.profiles or (), decode.profiles or ()) if few else None,
        optimum=optimum,
        optimum_profile=_combined(game, [prefill.optimum_profile], [decode.optimum_profile])[0],
        best_equilibrium=best,
        worst_equilibrium=worst,
        price_of_anarchy=price_of_anarchy,
        price_of_stability=price_of_stability,
        reason=reason,
        exact_potential=True,
        exact=prefill.exact and decode.exact,
        method=f"prefill: {prefill.method}; decode: {decode.method}",
        bounds=prefill.bounds or decode.bounds,
    )


def _combined(
    game: TwoStageGame, prefill: Sequence[tuple[int, ...]], decode: Sequence[tuple[int, ...]]
) -> tuple[tuple[str, ...], ...]:
    """Every profile of one stage with every one of the other, in lexicographic order."""
    workers = {id(r): ([*r.prefill], [*r.decode]) for r in game.requests}
    names = [workers[id(request)] for request in game.requests]
    profiles = sorted(
        tuple(zip(one, other, strict=True)) for one, other in product(prefill, decode)
    )
    return tuple(
        tuple(_named((p[i], d[j])) for (p, d), (i, j) in zip(names, profile, strict=True))
        for profile in profiles
    )


def _sum(one: Extended | None, other: Extended | None) -> Extended | None:
    return None if one is None or other is None else one + other


def _by_stage(request: Request) -> dict[str, tuple[Strategy, ...]]:
    """What a request may choose in each stage; workers that occur in no pair are left out."""
    chosen = [set(request.prefill), set(request.decode)]
    if request.pairs is not None:
        chosen = [{pair[side] for pair in request.pairs} for side in (0, 1)]
    return {
        stage: tuple(
            Strategy(frozenset({name}), paid) for name, paid in offsets.items() if name in used
        )
        for stage, offsets, used in zip(
            ("prefill", "decode"), (request.prefill, request.decode), chosen, strict=True
        )
    }


def _named(pair: Pair) -> str:
    return f"{pair[0]}>{pair[1]}"


def _check(request: Request, where: str, game: TwoStageGame) -> None:
    """`InputError` for workers that there are not, and for nothing to choose."""
    for name in request.prefill:
        _known(name, game.prefill, f"{where}.prefill")
    for name in request.decode:
        _known(name, game.decode, f"{where}.decode")
    for one, other in request.pairs or ():
        _known(one, request.prefill, f"{where}.pairs")
        _known(other, request.decode, f"{where}.pairs")
    if request.count == 0:
        raise InputError(f"{where}: a request needs at least one pair of workers")


def _known(name: str, workers: Mapping[str, object], where: str) -> None:
    if name not in workers:
        raise InputError(f"{where}: no worker '{name}', {suggest(name, workers)}")


@contextmanager
def _faults_of(stage: str) -> Iterator[None]:
    """Faults of a stage's game named as the keys of a two-stage game are."""
    try:
        yield
    except InputError as error:
        text = str(error)
        inner = text.removeprefix("latency.")
        raise InputError(f"{stage}.{inner}" if inner != text else f"{stage}: {text}") from None
