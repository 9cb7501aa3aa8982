"""Solves a game file and names its results: the library behind `anarchy solve`.

A result is one flat object of plain values. Rational numbers are strings in lowest terms,
irrational ones floats, infinity is "inf". A ratio that would mean nothing is null, and `reason`
then says why.

Only what a kind of game needs is imported, so that a single game is solved without delay.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from anarchy.common.errors import InputError, faults_in
from anarchy.common.files import write_text
from anarchy.games import game_file, game_text, routing_file
from anarchy.games.common.equilibrium_report import MAX_LISTED, EquilibriumReport, Method
from anarchy.games.common.latency import MM1, Latency, Polynomial, Table
from anarchy.games.common.rational import exact_text
from anarchy.games.game_file import GameFile
from anarchy.games.placement import topology

if TYPE_CHECKING:
    from anarchy.games.normal_form.table import NormalForm
    from anarchy.games.placement.game import CachingGame
    from anarchy.games.routing.congestion import CongestionGame
    from anarchy.games.routing.two_stage import TwoStageGame

Result = dict[str, Any]


_SOCIAL = (
    "optimum",
    "best_equilibrium",
    "worst_equilibrium",
    "price_of_anarchy",
    "price_of_stability",
)

_SPLIT = (
    "equilibrium_flow",
    "optimum_flow",
    "equilibrium_cost",
    "optimum_cost",
    "price_of_anarchy",
)


def solve_file(file: str, method: Method = "auto", nfg: str | None = None) -> Result:
    """Read a game file ("-" is standard input) and solve it; faults name the file.

    `nfg` names a file to which the game is then written as a table of payoffs.
    """
    source, text = game_text.source_of(file), game_text.read(file)
    form: NormalForm | None = None
    if game_text.is_nfg(text):
        from anarchy.games.normal_form.nfg import parse

        form = parse(text, source)
        with faults_in(source):
            found = _normal_form(form, method)
    else:
        game = game_file.parse(game_text.load(text, source), source)
        with faults_in(source):
            form = _tabulated(game) if nfg is not None else None
            found = solve(game, method)
    if nfg is not None and form is not None:
        from anarchy.games.normal_form.nfg import text_of

        with faults_in(source):
            table = text_of(form)
        write_text(nfg, table)
    return found


def solve(game: GameFile, method: Method = "auto") -> Result:
    """Solve a checked game file. Raises `InputError` for what only the solver can refuse.

    `method` is for routing and caching games; the others have one method each.
    """
    if isinstance(game, routing_file.CongestionFile):
        return _congestion(game, method)
    if isinstance(game, routing_file.TwoStageFile):
        return _two_stage(game, method)
    if isinstance(game, game_file.CachingFile):
        return _caching(game, method)
    if method != "auto":
        raise InputError(f"kind: '{game.kind}' has one method of its own; allowed: --method auto")
    solvers: dict[type, Callable[[Any], Result]] = {
        game_file.QueuesFile: _queues,
        game_file.DispatchersFile: _dispatchers,
        game_file.AllocationFile: _allocation,
        game_file.NetworkFile: _network,
        game_file.SmoothnessBoundFile: _smoothness,
        game_file.OffsetBoundFile: _smoothness,
    }
    return solvers.get(type(game), _reference)(game)


def _results(report: Any, *names: str) -> Result:
    """The named results of a report, and its reason if it has one."""
    found = {name: plain(getattr(report, name)) for name in names}
    if report.reason is not None:
        found["reason"] = report.reason
    return found


def plain(value: Any) -> Any:
    """A value as JSON can hold it: rationals and infinity as text."""
    if isinstance(value, Fraction) or value == math.inf:
        return exact_text(value)
    if isinstance(value, tuple):
        return [plain(entry) for entry in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(entry) for name, entry in asdict(value).items()}
    return value


def _latency(spec: routing_file.LatencyFile) -> Latency:
    name, value = spec.chosen
    if name == "mm1":
        return MM1(value)
    return Polynomial(value) if name == "polynomial" else Table(value)


def _equilibria(kind: str, report: EquilibriumReport, listed: bool, *names: str) -> Result:
    """The results of a finite game; bounds come with their method and what they bound."""
    profiles = ("profiles",) if listed and report.profiles is not None else ()
    bounds = () if report.exact else ("method", "bounds")
    return {"kind": kind} | _results(
        report, "equilibria", *profiles, *_SOCIAL, *names, "exact", *bounds
    )


def _congestion(game: routing_file.CongestionFile, method: Method) -> Result:
    from anarchy.games.routing.solve import solve_routing

    report = solve_routing(_congestion_game(game), method)
    return _equilibria(game.kind, report, True, "exact_potential")


def _congestion_game(game: routing_file.CongestionFile) -> "CongestionGame":
    from anarchy.games.routing import congestion

    together = game.colocation
    players: list[tuple[congestion.Strategy, ...]] = []
    for player in game.players:
        strategies = tuple(
            congestion.Strategy(frozenset(strategy.resources), strategy.offset)
            for strategy in player.strategies
        )
        players += [strategies] * player.count
    return congestion.CongestionGame(
        latency=_latencies("latency", game.latency),
        players=tuple(players),
        perceived_offset_weight=game.perceived_offset_weight,
        colocation=None
        if together is None
        else congestion.Colocation(together.credit, together.combine, together.weight),
    )


def _latencies(key: str, specs: dict[str, routing_file.LatencyFile]) -> dict[str, Latency]:
    latencies = {}
    for name, spec in specs.items():
        with faults_in(f"{key}.{name}", "."):
            latencies[name] = _latency(spec)
    return latencies


def _two_stage(game: routing_file.TwoStageFile, method: Method) -> Result:
    from anarchy.games.routing import two_stage

    built = _two_stage_game(game)
    report = two_stage.solve(built, method)
    found = _equilibria(game.kind, report, True, "exact_potential")
    return found | {"separable": built.separable}


def _two_stage_game(game: routing_file.TwoStageFile) -> "TwoStageGame":
    from anarchy.games.routing import two_stage

    prefill, decode = (dict.fromkeys(s, Fraction(0)) for s in (game.prefill, game.decode))
    requests: list[two_stage.Request] = []
    for spec in game.requests:
        request = two_stage.Request(
            prefill if spec.prefill is None else spec.prefill,
            decode if spec.decode is None else spec.decode,
            None if spec.pairs is None else tuple((p, d) for p, d in spec.pairs),
        )
        requests += [request] * spec.count
    return two_stage.TwoStageGame(
        prefill=_latencies("prefill", game.prefill),
        decode=_latencies("decode", game.decode),
        requests=tuple(requests),
        hand_off={(p, d): cost for p, row in game.hand_off.items() for d, cost in row.items()},
        perceived_offset_weight=game.perceived_offset_weight,
    )


def _distances(spec: game_file.TopologyFile) -> topology.Distances:
    shape, size = spec.chosen
    build: Callable[..., topology.Distances] = getattr(topology, shape)
    if shape == "grid":
        return build(*size)
    if shape == "clusters":
        return build(size.count, size.size, size.intra, size.inter)
    return build(size)


def _caching(game: game_file.CachingFile, method: Method) -> Result:
    from anarchy.games.placement.solve import solve_placement

    report = solve_placement(_caching_game(game), method)
    few = report.equilibria is not None and report.equilibria <= MAX_LISTED
    return _equilibria(game.kind, report, few)


def _caching_game(game: game_file.CachingFile) -> "CachingGame":
    from anarchy.games.placement.game import CachingGame

    with faults_in("topology", "."):
        distances = _distances(game.topology)
    return CachingGame.of(
        distances, game.placement_cost, game.demand, game.miss_cost, game.capacity
    )


def _tabulated(game: GameFile) -> "NormalForm":
    """A finite game as a table; raises `InputError` for other kinds and for large games."""
    from anarchy.games.normal_form import tabulation

    if isinstance(game, routing_file.CongestionFile):
        return tabulation.of_congestion(_congestion_game(game))
    if isinstance(game, routing_file.TwoStageFile):
        return tabulation.of_congestion(_two_stage_game(game).congestion())
    if isinstance(game, game_file.CachingFile):
        return tabulation.of_caching(_caching_game(game))
    raise InputError(
        f"kind: '{game.kind}' is no table of payoffs; allowed: congestion, two-stage, caching"
    )


def _normal_form(form: "NormalForm", method: Method) -> Result:
    from anarchy.games.normal_form import table

    if method == "bounds":
        raise InputError("payoffs: a table is enumerated; allowed: --method auto, enumeration")
    report, compared = table.solve_table(form)
    few = len(report.profiles or ()) <= MAX_LISTED
    return _equilibria("normal-form", report, few, "exact_potential") | {
        "ratio_of": compared,
        "regret": plain(table.least_regret(form.costs)),
    }


def _queues(game: game_file.QueuesFile) -> Result:
    from anarchy.games.queueing import closed_forms

    proxy = game.router.get("linear-proxy")
    report = closed_forms.parallel_mm1(
        game.service_rates, game.demand, proxy.credit if proxy else None
    )
    return _results(report, *_SPLIT)


def _dispatchers(game: game_file.DispatchersFile) -> Result:
    from anarchy.games.queueing import dispatchers

    report = dispatchers.equal_dispatchers(
        game.service_rates, game.demand, game.dispatchers, game.offsets
    )
    return _results(report, *_SPLIT, "worst_case", "marginal_cost", "residual", "exact")


def _allocation(game: game_file.AllocationFile) -> Result:
    from anarchy.games.gpu_split import allocation

    def pool(name: str, spec: game_file.PoolFile) -> allocation.Pool:
        with faults_in(name, "."):
            return allocation.Pool(spec.queue, spec.service_rate, spec.arrival_rate, spec.weight)

    built = allocation.AllocationGame(
        game.budget, pool("prefill", game.prefill), pool("decode", game.decode)
    )
    if game.integer:
        return _results(allocation.integer_splits(built), "optimum_prefill", "splits")
    names = ("prefill", "decode", "multiplier", "prefill_latency", "decode_latency")
    return _results(allocation.variational_equilibrium(built), *names)


def _network(game: game_file.NetworkFile) -> Result:
    from anarchy.games.queueing import closed_forms

    report = closed_forms.mva(game.service_demands, game.clients, game.think_time)
    names = ("throughput", "residence_time", "saturation_point")
    return {name: plain(getattr(report, name)) for name in names}


def _smoothness(game: game_file.SmoothnessBoundFile | game_file.OffsetBoundFile) -> Result:
    from anarchy.games.common import smoothness

    weight = None
    if isinstance(game, game_file.OffsetBoundFile):
        weight = game.perceived_offset_weight
    with faults_in("latency", "."):
        latencies = [_latency(spec) for spec in game.latency]
    bound = smoothness.tight_poa(latencies, game.players, weight)
    found = {
        "price_of_anarchy": plain(bound.poa),
        "lambda": plain(bound.lam),
        "mu": plain(bound.mu),
    }
    return found if bound.reason is None else found | {"reason": bound.reason}


def _reference(
    game: game_file.DegreeBoundFile | game_file.PlayersBoundFile | game_file.ConstantBoundFile,
) -> Result:
    from anarchy.games.common import literature

    if isinstance(game, game_file.ConstantBoundFile):
        ratio, value = "price_of_stability", literature.affine_price_of_stability().value
    elif isinstance(game, game_file.PlayersBoundFile):
        ratio, value = "price_of_anarchy", literature.symmetric_affine(game.players).value
    else:
        closed_form = {
            "atomic-polynomial": literature.atomic_polynomial,
            "weighted-polynomial": literature.weighted_polynomial,
            "nonatomic-polynomial": literature.nonatomic_polynomial,
        }[game.family]
        ratio, value = "price_of_anarchy", closed_form(game.degree).value
    return {ratio: plain(value), "lambda": None, "mu": None}
