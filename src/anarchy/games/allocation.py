"""Game 1, allocation: how a budget of GPUs is split between prefill and decode.

Two pools choose g_P and g_D under g_P + g_D <= G and minimise weight times latency. The costs are
separable, so the variational equilibrium, in which the shared constraint has one multiplier for
both players, is the optimum of the summed cost (Rosen 1965; Facchinei, Fischer and Piccialli 2007).
"""

from dataclasses import dataclass
from fractions import Fraction

from anarchy.errors import InputError, suggest
from anarchy.games.queues import mm1_latency, mmc_latency
from anarchy.games.rational import Extended, at_least, positive, root

QUEUES = ("mm1", "mmc")


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
    latencies are in seconds; all are Fractions where rational, floats where not, and None when
    `reason` says why there is no equilibrium.
    """

    prefill: Extended | None
    decode: Extended | None
    multiplier: Extended | None
    prefill_latency: Extended | None
    decode_latency: Extended | None
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
    if "mmc" in (game.prefill.queue, game.decode.queue):
        raise InputError("queue: a continuous split is defined for mm1; mmc needs integer: true")
    slack = game.budget - game.prefill.offered_load - game.decode.offered_load
    if slack <= 0:
        reason = "the two offered loads use up the whole budget"
        return AllocationReport(None, None, None, None, None, reason, method)
    # Only the ratio of the two roots matters for the split: decode's is taken as 1.
    scale = game.decode.weight / game.decode.service_rate
    share, exact = root(game.prefill.weight / game.prefill.service_rate / scale)
    slacks = (slack * share / (share + 1), slack / (share + 1))

    def shown(number: Fraction) -> Extended:
        return number if exact else float(number)

    return AllocationReport(
        prefill=shown(game.prefill.offered_load + slacks[0]),
        decode=shown(game.decode.offered_load + slacks[1]),
        multiplier=shown(scale / slacks[1] ** 2),
        prefill_latency=shown(1 / (game.prefill.service_rate * slacks[0])),
        decode_latency=shown(1 / (game.decode.service_rate * slacks[1])),
        reason=None,
        method=method,
    )


def integer_splits(game: AllocationGame) -> IntegerAllocationReport:
    """Cost of every split of a whole budget, by exhaustion; ties go to the smaller prefill pool."""
    if game.budget.denominator != 1:
        raise InputError(f"budget: must be a whole number of GPUs, got {game.budget}")
    splits = tuple(
        Split(prefill, int(game.budget) - prefill, _cost(game, prefill))
        for prefill in range(1, int(game.budget))
    )
    finite = [split for split in splits if isinstance(split.cost, Fraction)]
    best = min(finite, key=lambda split: (split.cost, split.prefill), default=None)
    return IntegerAllocationReport(
        splits=splits,
        optimum_prefill=best.prefill if best else None,
        reason=None if best else "every split overloads a pool",
        method="exhaustion over whole numbers of GPUs",
    )


def _cost(game: AllocationGame, prefill: int) -> Extended:
    """Summed weighted latency when `prefill` GPUs go to the prefill pool."""
    return game.prefill.weight * game.prefill.latency(prefill) + game.decode.weight * (
        game.decode.latency(int(game.budget) - prefill)
    )
