"""K dispatchers, such as replicas of a router, that share parallel M/M/1 servers.

Each routes an equal share of one stream and splits it to its own advantage, seeing what its own
requests do to one another. Whoever joins server j pays its time there, 1/(mu_j - x_j) seconds,
and an *offset* b_j, such as the prefill that a cold cache costs. With K = 1 the split is optimal,
with K to infinity it is that of many small requests. The statements are proved in the paper.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from anarchy.common.errors import InputError
from anarchy.games.common.rational import Extended, at_least, positive, ratio, root, rounded

MAX_KINDS = 1000
"""Most servers that differ in rate or offset."""

DIGITS = 60
"""Digits, on top of six times those of the input, with which a split is first enclosed; doubled
until it is `NARROW` enough."""

MAX_DIGITS = 300_000
"""Most digits of all flows together: about five seconds."""

NARROW = Fraction(1, 10**25)
"""Widest enclosure: of a flow beside the demand, and of a cost beside itself."""


@dataclass(frozen=True)
class DispatchersReport:
    """Equilibrium of K equal dispatchers against the optimum; costs are requests present.

    equilibrium_flow  requests per second of each server, by all dispatchers together, and
    optimum_flow      those of the best split; None where the demand reaches the capacity
    equilibrium_cost  sum over servers of flow times (mean time there + offset), and
    optimum_cost      the least one
    price_of_anarchy  their ratio, None where `reason` says why it would mean nothing
    worst_case        what the ratio stays below for any servers, offsets and demand
    marginal_cost     what one more request per second would cost a dispatcher, on used servers
    residual          most by which the equilibrium found misses the demand or its conditions,
                      relatively: 0 where it is exact
    exact             whether nothing above but `worst_case` was rounded
    """

    equilibrium_flow: tuple[Extended, ...] | None
    optimum_flow: tuple[Extended, ...] | None
    equilibrium_cost: Extended
    optimum_cost: Extended
    price_of_anarchy: Extended | None
    worst_case: Extended
    marginal_cost: Extended | None
    residual: Extended | None
    reason: str | None
    exact: bool


def equal_dispatchers(
    service_rates: Sequence[object],
    demand: object,
    dispatchers: int,
    offsets: Sequence[object] | None = None,
) -> DispatchersReport:
    """Solve the game of `dispatchers` equal ones: its equilibrium is unique, and symmetric.

    Shares of unequal size cost no more than equal ones do. Raises `InputError` for numbers out of
    range, lists of different length, and more than `MAX_KINDS` kinds of servers.
    """
    rates = [positive(rate, "service_rates") for rate in service_rates]
    if not rates:
        raise InputError("service_rates: at least one server is needed")
    paid = [at_least(value, "offsets", 0) for value in offsets or [0] * len(rates)]
    if len(paid) != len(rates):
        raise InputError(f"offsets: needs {len(rates)} numbers, one per server")
    flow = at_least(demand, "demand", 0)
    worst = worst_ratio(dispatchers)
    if flow >= sum(rates):
        _, reason = ratio(math.inf, math.inf)
        return DispatchersReport(
            None, None, math.inf, math.inf, None, worst, None, None, reason, True
        )
    servers = list(zip(rates, paid, strict=True))
    kinds = Counter(servers)
    if len(kinds) > MAX_KINDS:
        raise InputError(f"service_rates: {len(kinds)} different servers; allowed: {MAX_KINDS}")
    found = enclose(Pool(tuple(kinds), tuple(kinds.values()), dispatchers), flow)
    best = enclose(Pool(found.pool.kinds, found.pool.counts, 1), flow)
    price, reason = _price(found, best)
    where = {kind: place for place, kind in enumerate(kinds)}
    return DispatchersReport(
        equilibrium_flow=tuple(found.flow(where[server]) for server in servers),
        optimum_flow=tuple(best.flow(where[server]) for server in servers),
        equilibrium_cost=found.shown(*found.cost),
        optimum_cost=best.shown(*best.cost),
        price_of_anarchy=price,
        worst_case=worst,
        marginal_cost=found.shown(found.level, found.level),
        residual=found.shown(*[residual(found.pool, flow, found.level, found.low)] * 2),
        reason=reason,
        exact=found.exact and best.exact,
    )


def worst_ratio(dispatchers: int) -> Extended:
    """What K dispatchers together lose at most, K/(2 sqrt K - 1); never attained for K > 1."""
    if isinstance(dispatchers, bool) or not isinstance(dispatchers, int) or dispatchers < 1:
        raise InputError(f"dispatchers: must be a whole number of at least 1, got {dispatchers!r}")
    value, exact = root(Fraction(dispatchers))
    bound = dispatchers / (2 * value - 1)
    return bound if exact else rounded(bound)


def slowdown_ratio(dispatchers: int, slowdown: object) -> Extended:
    """The same if no server is slowed down more than A times by its queue at the equilibrium.

    (A - 1)/(2 sqrt(A L) - 1 - L) with L = 1 + (A - 1)/K; (1 + sqrt A)/2 in the limit of many
    dispatchers, 1 for A = 1.
    """
    worst_ratio(dispatchers)  # refuses what is no number of dispatchers
    most = at_least(slowdown, "slowdown", 1)
    if most == 1:
        return Fraction(1)
    level = 1 + (most - 1) / dispatchers
    value, exact = root(most * level)
    bound = (most - 1) / (2 * value - 1 - level)
    return bound if exact else rounded(bound)


def saturation_loss(service_rates: Sequence[object], dispatchers: int) -> float:
    """Limit of (equilibrium cost - optimum)/slack towards capacity, without offsets, in seconds.

    (K - 1)^2/4 times the variance of mu^(-1/2) under weights in proportion to mu^(1/2).
    """
    roots = [math.sqrt(positive(rate, "service_rates")) for rate in service_rates]
    total = sum(roots)
    mean, square = len(roots) / total, sum(1 / value for value in roots) / total
    return (dispatchers - 1) ** 2 / 4 * (square - mean**2)


@dataclass(frozen=True)
class Pool:
    """Servers by kind, (service rate, offset), how many of each, and K dispatchers."""

    kinds: tuple[tuple[Fraction, Fraction], ...]
    counts: tuple[int, ...]
    dispatchers: int

    def longest(self, demand: Fraction) -> int:
        """Digits of the longest whole number in the game."""
        numbers = [demand, *(number for kind in self.kinds for number in kind)]
        bits = max(max(map(int.bit_length, number.as_integer_ratio())) for number in numbers)
        return math.ceil(bits * math.log10(2))

    def marginal(self, kind: int, flow: Fraction) -> Fraction:
        """What one more request per second costs the dispatcher who sends it; they send alike."""
        rate, offset = self.kinds[kind]
        slack = rate - flow
        return offset + 1 / slack + flow / (self.dispatchers * slack**2)

    def total(self, flows: Sequence[Fraction]) -> Fraction:
        """Requests per second of all servers."""
        return sum((n * x for n, x in zip(self.counts, flows, strict=True)), Fraction(0))

    def cost(self, flows: Sequence[Fraction]) -> Fraction:
        """Requests present, and what offsets cost a second."""
        each = (
            x / (rate - x) + offset * x for (rate, offset), x in zip(self.kinds, flows, strict=True)
        )
        return self.total(list(each))

    def flows(
        self, level: Fraction, digits: int
    ) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
        """The flows at which `marginal` is `level`, from below and above; equal where rational.

        With l the level less the offset, the slack y solves K l y^2 = (K - 1) y + mu.
        """
        bounds = [self._flow(kind, level, digits) for kind in range(len(self.kinds))]
        return tuple(low for low, _ in bounds), tuple(high for _, high in bounds)

    def _flow(self, kind: int, level: Fraction, digits: int) -> tuple[Fraction, Fraction]:
        rate, offset = self.kinds[kind]
        left, others = level - offset, self.dispatchers - 1
        if left * rate <= 1:
            return Fraction(0), Fraction(0)
        twice = 2 * self.dispatchers * left
        value, exact = root(others**2 + 2 * twice * rate, digits)
        least = (others + value) / twice
        if exact:
            return rate - least, rate - least
        # Rounded outwards to one grid, or sums over many servers would be very long.
        step = Fraction(1, 10**digits)
        low = math.floor((rate - least - step / twice) / step) * step
        high = math.ceil((rate - least) / step) * step
        return max(low, Fraction(0)), high if high < rate else rate - least


@dataclass(frozen=True)
class Enclosure:
    """The equilibrium of a pool: its flows lie between `low` and `high`, near one `level`."""

    pool: Pool
    level: Fraction
    low: tuple[Fraction, ...]
    high: tuple[Fraction, ...]

    @property
    def exact(self) -> bool:
        """Whether the flows are known exactly."""
        return self.low == self.high

    @property
    def cost(self) -> tuple[Fraction, Fraction]:
        """The cost from below and above: it grows with every flow."""
        return self.pool.cost(self.low), self.pool.cost(self.high)

    def flow(self, kind: int) -> Extended:
        """Requests per second of one server of a kind."""
        return self.shown(self.low[kind], self.high[kind])

    def shown(self, low: Fraction, high: Fraction) -> Extended:
        """A result: rational if the flows are, else a float within its bounds."""
        return low if self.exact else rounded((low + high) / 2)


def enclose(pool: Pool, demand: Fraction) -> Enclosure:
    """The equilibrium of equal dispatchers at a demand below the capacity.

    Flows grow with the common level of marginal cost, so a level at which they carry too little
    and one at which they carry enough enclose each of them. If a fraction of few digits lies
    between the two and gives rational flows that carry the demand, it is the level.
    """
    if demand == 0:
        still = (Fraction(0),) * len(pool.kinds)
        level = min(pool.marginal(kind, Fraction(0)) for kind in range(len(pool.kinds)))
        return Enclosure(pool, level, still, still)
    digits = DIGITS + 6 * pool.longest(demand)
    while True:
        if len(pool.kinds) * digits > MAX_DIGITS:
            raise InputError("service_rates: so many servers want numbers with fewer digits")
        below, above = _levels(pool, demand, digits)
        level = ((below + above) / 2).limit_denominator(10 ** (digits // 2))
        low, high = pool.flows(level, digits)
        if low == high and pool.total(low) == demand:
            return Enclosure(pool, level, low, high)
        low, high = pool.flows(below, digits)[0], pool.flows(above, digits)[1]
        if all(y - x <= NARROW * demand for x, y in zip(low, high, strict=True)):
            found = Enclosure(pool, (below + above) / 2, low, high)
            least, most = found.cost
            if most - least <= NARROW * most:
                return found
        digits *= 2


def _levels(pool: Pool, demand: Fraction, digits: int) -> tuple[Fraction, Fraction]:
    """Two levels of marginal cost that enclose the right one, as close as so many digits can tell.

    The search runs on a grid from a level that carries nothing to one at which no server's slack
    exceeds the mean, by false position with halved weights (the Illinois method) on 1/slack^2,
    which is linear in the level for one dispatcher and nearly so for others.
    """
    kinds = range(len(pool.kinds))
    capacity = pool.total([rate for rate, _ in pool.kinds])
    wanted = capacity - demand
    low = min(pool.marginal(kind, Fraction(0)) for kind in kinds)
    full = [max(Fraction(0), rate - wanted / sum(pool.counts)) for rate, _ in pool.kinds]
    high = max(pool.marginal(kind, full[kind]) for kind in kinds)
    step = low / 10**digits

    def excess(place: int) -> tuple[Fraction, Fraction]:
        """How far a place of the grid is above the right one, in 1/slack^2, from both sides."""
        least, most = (pool.total(flows) for flows in pool.flows(low + place * step, digits))
        return (wanted / (capacity - least)) ** 2 - 1, (wanted / (capacity - most)) ** 2 - 1

    first, last = 0, math.ceil((high - low) / step)
    lacking, spare = excess(first)[1], excess(last)[0]
    side = 0
    while last - first > 1:
        slope = (spare - lacking) / (last - first)
        place = min(max(first + math.floor(-lacking / slope), first + 1), last - 1)
        least, most = excess(place)
        if least > 0:
            last, spare, lacking = place, least, lacking / 2 if side > 0 else lacking
            side = 1
        elif most < 0:
            first, lacking, spare = place, most, spare / 2 if side < 0 else spare
            side = -1
        else:  # so near that only its neighbours tell
            reach = 1 + math.ceil((most - least) / slope)
            first = _surely(lambda at: excess(at)[1] <= 0, place, first, -reach)
            last = _surely(lambda at: excess(at)[0] >= 0, place, last, reach)
            break
    return low + first * step, low + last * step


def _surely(holds: Callable[[int], bool], place: int, known: int, reach: int) -> int:
    """A place near `place` at which something holds, looked for towards one where it is known to.

    The first is `reach` away, negative on the left; each next one is twice as far.
    """
    while abs(reach) < abs(known - place):
        if holds(place + reach):
            return place + reach
        reach *= 2
    return known


def residual(pool: Pool, demand: Fraction, level: Fraction, flows: Sequence[Fraction]) -> Fraction:
    """Most by which flows miss the demand or the conditions of an equilibrium, relatively.

    Used servers have to share the marginal cost `level`, idle ones may not have less. Nothing of
    how the flows were found is used.
    """
    misses = [abs(pool.total(flows) - demand) / demand if demand else Fraction(0)]
    for kind, flow in enumerate(flows):
        over = pool.marginal(kind, flow) / level - 1
        misses.append(abs(over) if flow > 0 else max(-over, Fraction(0)))
    return max(misses)


def _price(found: Enclosure, best: Enclosure) -> tuple[Extended | None, str | None]:
    """The ratio of two enclosed costs, as `ratio`."""
    (low, high), (least, most) = found.cost, best.cost
    if (found.exact and best.exact) or most <= 0:
        return ratio(low, least)
    return rounded((low / most + high / least) / 2), None
