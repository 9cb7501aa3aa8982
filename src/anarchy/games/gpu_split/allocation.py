"""Game 1, allocation: how a budget of GPUs is split between prefill and decode.

Two pools choose g_P and g_D under g_P + g_D <= G and minimise weight times latency. The costs are
separable, so the variational equilibrium, in which the shared constraint has one multiplier for
both players, is the optimum of the summed cost (Rosen 1965; Facchinei, Fischer and Piccialli 2007).
Where a prefill GPU also costs the decode pool capacity, the equilibrium leaves the optimum.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from anarchy.common.errors import InputError, suggest
from anarchy.games.common.rational import Extended, at_least, positive, root, rounded
from anarchy.games.queueing.closed_forms import mm1_latency, mmc_latencies, mmc_latency

QUEUES = ("mm1", "mmc")

MAX_GPUS = {"mm1": 10**5, "mmc": 1000}
"""Most GPUs of a whole-number budget: exact waits in M/M/c have digits for every server."""

NO_SLACK = "the two offered loads use up the whole budget"
"""Why a continuous game has no equilibrium; interference counts as load."""

_QUADRATURE = 1e-12
"""Relative error asked of the integral behind a real number of servers."""


@dataclass(frozen=True)
class Pool:
    """One pool of workers.

    queue         "mm1": all GPUs act as one fast server, latency 1/(service_rate g - arrivals)
                  "mmc": each GPU is a server of one M/M/g queue, latency is wait plus service
    service_rate  requests per second of one GPU
    arrival_rate  requests per second that the pool has to serve
    weight        cost of a second of latency
    """

    queue: str
    service_rate: Fraction
    arrival_rate: Fraction
    weight: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        if self.queue not in QUEUES:
            raise InputError(f"queue: unknown queue '{self.queue}', {suggest(self.queue, QUEUES)}")
        object.__setattr__(self, "service_rate", positive(self.service_rate, "service_rate"))
        object.__setattr__(self, "arrival_rate", at_least(self.arrival_rate, "arrival_rate", 0))
        object.__setattr__(self, "weight", positive(self.weight, "weight"))

    @property
    def offered_load(self) -> Fraction:
        """GPUs that the arrivals keep busy; fewer than that and the queue grows without end."""
        return self.arrival_rate / self.service_rate

    def latency(self, gpus: int) -> Extended:
        """Mean time in the pool in seconds with a whole number of GPUs, at least 1."""
        if self.queue == "mm1":
            return mm1_latency(self.service_rate * gpus, self.arrival_rate)
        return mmc_latency(gpus, self.service_rate, self.arrival_rate)

    def latencies(self, most: int) -> list[Extended]:
        """Mean time in the pool in seconds with 1, 2, ..., `most` GPUs."""
        if self.queue == "mm1":
            return [self.latency(gpus) for gpus in range(1, most + 1)]
        return mmc_latencies(most, self.service_rate, self.arrival_rate)


@dataclass(frozen=True)
class AllocationGame:
    """A budget of GPUs and the two pools that share it."""

    budget: Fraction
    prefill: Pool
    decode: Pool

    def __post_init__(self) -> None:
        object.__setattr__(self, "budget", positive(self.budget, "budget"))


@dataclass(frozen=True)
class AllocationReport:
    """The variational equilibrium of the continuous game.

    prefill and decode are GPUs, multiplier is the marginal cost of a GPU, equal in both pools,
    latencies are in seconds; all are Fractions where rational, floats where not (`exact` says
    that none is), and None when `reason` says why there is no equilibrium.
    """

    prefill: Extended | None
    decode: Extended | None
    multiplier: Extended | None
    prefill_latency: Extended | None
    decode_latency: Extended | None
    reason: str | None
    exact: bool
    method: str


@dataclass(frozen=True)
class Interference:
    """An allocation game in which each prefill GPU takes capacity from the decode pool.

    `rate` is in decode requests per second that a prefill GPU costs, at least 0: its hand-offs
    write into the memory that decoding reads. Both pools are M/M/1, and decode's latency is
    1/(mu_D g_D - lambda_D - rate g_P).
    """

    game: AllocationGame
    rate: Fraction

    def __post_init__(self) -> None:
        refuse_mmc(self.game)
        object.__setattr__(self, "rate", at_least(self.rate, "interference", 0))


@dataclass(frozen=True)
class InterferenceReport:
    """Variational equilibrium and optimum of a game with interference.

    prefill and optimum_prefill are GPUs, decode has the rest of the budget; costs are weighted
    seconds. Fractions where rational, floats where not, None when `reason` says why no split
    has a finite cost.
    """

    prefill: Extended | None
    optimum_prefill: Extended | None
    cost: Extended | None
    optimum: Extended | None
    price_of_anarchy: Extended | None
    reason: str | None
    method: str


@dataclass(frozen=True)
class Split:
    """A whole-number split and its cost: weighted latencies of both pools, added."""

    prefill: int
    decode: int
    cost: Extended


@dataclass(frozen=True)
class IntegerAllocationReport:
    """Every split of a whole number of GPUs with at least one in each pool.

    `optimum_prefill` is the smallest prefill pool of least cost, None when `reason` says why
    no split has a finite cost.
    """

    splits: tuple[Split, ...]
    optimum_prefill: int | None
    reason: str | None
    method: str


def variational_equilibrium(game: AllocationGame) -> AllocationReport:
    """The split at which one more GPU is worth the same to both M/M/1 pools.

    With slack y_i = g_i - rho_i the latency is 1/(mu_i y_i) and the marginal value of a GPU is
    r_i / (mu_i y_i^2). Setting the two equal gives slack in proportion to sqrt(r_i / mu_i), and
    the whole budget is used: y_P + y_D = S = G - rho_P - rho_D. None exists for S <= 0.
    """
    method = "stationarity condition in closed form"
    refuse_mmc(game)
    slack = game.budget - game.prefill.offered_load - game.decode.offered_load
    if slack <= 0:
        return AllocationReport(None, None, None, None, None, NO_SLACK, True, method)
    # Only the ratio of the two roots matters for the split: decode's is taken as 1.
    scale = game.decode.weight / game.decode.service_rate
    share, exact = root(game.prefill.weight / game.prefill.service_rate / scale)
    slacks = (slack * share / (share + 1), slack / (share + 1))

    def shown(number: Fraction) -> Extended:
        return number if exact else rounded(number)

    return AllocationReport(
        prefill=shown(game.prefill.offered_load + slacks[0]),
        decode=shown(game.decode.offered_load + slacks[1]),
        multiplier=shown(scale / slacks[1] ** 2),
        prefill_latency=shown(1 / (game.prefill.service_rate * slacks[0])),
        decode_latency=shown(1 / (game.decode.service_rate * slacks[1])),
        reason=None,
        exact=exact,
        method=method,
    )


def generalised_equilibria(game: AllocationGame) -> tuple[Fraction, Fraction] | None:
    """The open interval of prefill GPUs at which the two pools rest, decode having all the others.

    Each pool wants every GPU that the other leaves, so exactly the splits that use up the budget
    and overload nobody are equilibria of finite cost. None when there is no such split.
    """
    lowest, highest = game.prefill.offered_load, game.budget - game.decode.offered_load
    return (lowest, highest) if lowest < highest else None


def interference_equilibrium(model: Interference) -> InterferenceReport:
    """Where the two pools settle when decode pays for each prefill GPU, beside the optimum.

    Neither pool counts the capacity that prefill takes, so prefill's slack at the equilibrium
    is to decode's as at an optimum that weighs prefill 1 + rate/mu_D times as heavily.
    """
    method = "stationarity conditions in closed form"
    game, rate = model.game, model.rate
    loss = game.decode.service_rate + rate
    # One GPU more for prefill takes `loss` requests per second from decode: decode's slack,
    # counted in GPUs for prefill, is what the budget leaves at prefill's offered load.
    slack = game.budget * game.decode.service_rate - game.decode.arrival_rate
    slack = slack / loss - game.prefill.offered_load
    if slack <= 0:
        return InterferenceReport(None, None, None, None, None, NO_SLACK, method)
    first = game.prefill.weight / game.prefill.service_rate
    second = game.decode.weight / loss
    balance, exact_balance = root(first / second)
    stretch, exact_stretch = root(1 + rate / game.decode.service_rate)
    exact = exact_balance and exact_stretch

    def at(ratio: Fraction) -> tuple[Fraction, Fraction]:
        """Prefill GPUs and cost where prefill has `ratio` times the slack of decode."""
        share = ratio / (1 + ratio)
        cost = (first / share + second / (1 - share)) / slack
        return game.prefill.offered_load + slack * share, cost

    prefill, cost = at(balance * stretch)
    best, optimum = at(balance)

    def shown(number: Fraction) -> Extended:
        return number if exact else rounded(number)

    return InterferenceReport(
        prefill=shown(prefill),
        optimum_prefill=shown(best),
        cost=shown(cost),
        optimum=shown(optimum),
        price_of_anarchy=shown(cost / optimum),
        reason=None,
        method=method,
    )


def integer_splits(game: AllocationGame) -> IntegerAllocationReport:
    """Cost of every split of a whole budget, by exhaustion; ties go to the smaller prefill pool.

    Raises `InputError` for a budget that is not whole or above `MAX_GPUS`.
    """
    if game.budget.denominator != 1:
        raise InputError(f"budget: must be a whole number of GPUs, got {game.budget}")
    budget = int(game.budget)
    most = min(MAX_GPUS[pool.queue] for pool in (game.prefill, game.decode))
    if budget > most:
        raise InputError(f"budget: {budget} GPUs have too many splits; allowed: {most}")
    prefill, decode = game.prefill.latencies(budget - 1), game.decode.latencies(budget - 1)
    splits = tuple(
        Split(
            gpus,
            budget - gpus,
            game.prefill.weight * prefill[gpus - 1]
            + game.decode.weight * decode[budget - gpus - 1],
        )
        for gpus in range(1, budget)
    )
    finite = [split for split in splits if isinstance(split.cost, Fraction)]
    best = min(finite, key=lambda split: (split.cost, split.prefill), default=None)
    return IntegerAllocationReport(
        splits=splits,
        optimum_prefill=best.prefill if best else None,
        reason=None if best else "every split overloads a pool",
        method="exhaustion over whole numbers of GPUs",
    )


def exchange_stable(report: IntegerAllocationReport) -> tuple[Split, ...]:
    """The splits of finite cost that moving one GPU either way does not make cheaper.

    Where the latencies are convex in the number of GPUs, as those of M/M/1 and M/M/c are
    (Weber 1980), these are exactly the optima.
    """
    stable = []
    for place, split in enumerate(report.splits):
        near = report.splits[max(0, place - 1) : place + 2]
        if split.cost != math.inf and all(split.cost <= other.cost for other in near):
            stable.append(split)
    return tuple(stable)


def erlang_c_real(servers: float, offered_load: float) -> float:
    """Probability of waiting at an M/M/c system, continued to a real number of servers.

    1/C(c, a) = a times the integral over t > 0 of t exp(-a t) (1 + t)^(c - 1), which for whole c
    is Erlang's formula. 1 from saturation on, c <= a, and 0 without load.
    """
    if not (math.isfinite(servers) and servers > 0):
        raise InputError(f"servers: must be finite and greater than 0, got {servers!r}")
    if not (math.isfinite(offered_load) and offered_load >= 0):
        raise InputError(f"offered_load: must be finite and at least 0, got {offered_load!r}")
    if offered_load == 0:
        return 0.0
    if offered_load >= servers:
        return 1.0

    # Imported here: it takes longer to load than a game to solve.
    from scipy import integrate

    def exponent(u: float) -> float:
        """Logarithm of the integrand after t = u/a."""
        return math.log(u) - u + (servers - 1) * math.log1p(u / offered_load)

    # Scaled by its peak, the integrand neither overflows nor vanishes.
    ahead = servers - offered_load
    peak = (ahead + math.sqrt(ahead * ahead + 4 * offered_load)) / 2
    top = exponent(peak)

    def integrand(u: float) -> float:
        return math.exp(exponent(u) - top) if u > 0 else 0.0

    area = sum(
        integrate.quad(integrand, low, high, epsabs=0, epsrel=_QUADRATURE)[0]
        for low, high in ((0.0, peak), (peak, math.inf))
    )
    return math.exp(-top) * offered_load / area


def refuse_mmc(game: AllocationGame) -> None:
    """Raise InputError if a pool is M/M/c, which has no latency between whole numbers of GPUs."""
    if "mmc" in (game.prefill.queue, game.decode.queue):
        raise InputError("queue: a continuous split is defined for mm1; mmc needs integer: true")
