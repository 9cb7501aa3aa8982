"""Allocation: what the variational equilibrium says, and what it cannot say.

Checks that it minimises the summed cost of separable pools, that it is only one of a whole segment
of equilibria, that the unit of cost chooses it, that whole splits need only be compared with their
neighbours, and that it leaves the optimum by a factor in closed form once prefill interferes with
decode.
"""

import itertools
from collections.abc import Iterator
from fractions import Fraction

from anarchy.games.common.rational import Extended, positive, rational, root
from anarchy.games.gpu_split.allocation import (
    AllocationGame,
    Interference,
    Pool,
    erlang_c_real,
    exchange_stable,
    generalised_equilibria,
    integer_splits,
    interference_equilibrium,
    variational_equilibrium,
)
from anarchy.games.queueing.closed_forms import erlang_c
from anarchy.games.theorems import interference
from anarchy.games.theorems.checks import Row, check, rows_of

SEGMENT, UNIT, EXCHANGE, INTERFERENCE = (
    "prop:allocation",
    "prop:allocation-unit",
    "prop:exchange",
    "thm:interference",
)

GRID = 60
"""Parts into which a slack is cut where a statement is checked split by split."""

MESHES = (4, 10, 40)
"""Parts of the slack in the games whose equilibria are enumerated."""


def _pool(
    service_rate: object, arrival_rate: object, weight: object = 1, queue: str = "mm1"
) -> Pool:
    rates = (rational(service_rate, "service_rate"), rational(arrival_rate, "arrival_rate"))
    return Pool(queue, *rates, rational(weight, "weight"))


EQUAL = (_pool(1, 2), _pool(1, 2))
UNEQUAL = (_pool(2, 3, 2), _pool("1/4", "1/2"))
"""Prefill and decode pools whose equilibria are rational; UNEQUAL has slacks as 1 to 2."""

INTERFERING = (_pool(1, 2), _pool(1, 2, 4))
"""Pools that are a worst case at an interference of 3: both optimal slacks cost the same."""

RATES = tuple(Fraction(*pair) for pair in ((0, 1), (1, 10), (1, 1), (3, 1), (24, 1)))
"""Interference, in decode requests per second for each prefill GPU."""

REAL_SERVERS = (1, 2, 7, 40)
"""Whole numbers of servers at which the continued Erlang formula must be the recursion's."""


def unit_loss(ratio: object, scale: object = 1) -> Extended:
    """Cost over optimum when prefill's slack is `scale` times the best multiple of decode's.

    `ratio` is the best one: sqrt of (w_P/mu_P)/(w_D/mu_D). The loss is
    1 + r (k + 1/k - 2)/(1 + r)^2, at most (k + 1)^2/(4 k).
    """
    r, k = positive(ratio, "ratio"), positive(scale, "scale")
    return 1 + r * (k + 1 / k - 2) / (1 + r) ** 2


def interference_loss(game: AllocationGame, rate: Fraction) -> Extended:
    """The theorem's price of anarchy: no load and no budget enters it."""
    first = game.prefill.weight / game.prefill.service_rate
    second = game.decode.weight / (game.decode.service_rate + rate)
    balance, exact = root(first / second)
    stretch, exact_too = root(1 + rate / game.decode.service_rate)
    loss = unit_loss(balance, stretch)
    return loss if exact and exact_too else float(loss)


def check_rows(most: int | None = None) -> list[Row]:
    """One row per check; the solvers enumerate, search a grid or price the budget."""
    return rows_of(
        _separable_rows,
        _segment_rows,
        _unit_rows,
        _exchange_rows,
        _erlang_rows,
        _interference_rows,
        most=most,
    )


def _game(pools: tuple[Pool, Pool], slack: int | Fraction) -> AllocationGame:
    budget = pools[0].offered_load + pools[1].offered_load + slack
    return AllocationGame(budget, *pools)


def _cost(model: Interference, prefill: Fraction) -> Fraction:
    """Summed cost of a split that uses up the budget, straight from the latencies."""
    first, second = model.game.prefill, model.game.decode
    spare = second.service_rate * (model.game.budget - prefill) - second.arrival_rate
    return first.weight / (first.service_rate * prefill - first.arrival_rate) + second.weight / (
        spare - model.rate * prefill
    )


def _grid_optimum(model: Interference) -> Fraction:
    """Least cost on a grid of `GRID` parts of the splits that overload nobody."""
    game = model.game
    low = game.prefill.offered_load
    room = game.budget * game.decode.service_rate - game.decode.arrival_rate
    high = room / (game.decode.service_rate + model.rate)
    parts = (low + (high - low) * Fraction(i, GRID) for i in range(1, GRID))
    return min(_cost(model, prefill) for prefill in parts)


def _separable_rows() -> Iterator[Row]:
    for name, pools in (("equal", EQUAL), ("unequal", UNEQUAL)):
        for slack in (Fraction(1, 100), 3):
            game = _game(pools, slack)
            split = variational_equilibrium(game).prefill
            assert isinstance(split, Fraction)
            model = Interference(game, Fraction(0))
            yield check(
                f"allocation-optimal-{name}-slack-{slack}".replace("/", "-"),
                SEGMENT,
                "cost of the variational equilibrium over the least cost",
                f"{name} pools, slack of {slack} GPUs",
                _cost(model, split) / _grid_optimum(model),
                Fraction(1),
                "search over a grid of splits",
            )
    for name, slack in (("full", 0), ("overloaded", -1)):
        yield check(
            f"allocation-none-{name}",
            SEGMENT,
            "prefill GPUs at the variational equilibrium",
            f"equal pools, slack of {slack} GPUs",
            variational_equilibrium(_game(EQUAL, slack)).prefill,
            None,
            "stationarity condition",
            "none",
        )


def _segment_rows() -> Iterator[Row]:
    """Every pair of choices on a mesh, each choice compared with all that the budget allows."""
    for parts in MESHES:
        game = _game(EQUAL, 1)
        stable = list(_enumerated_equilibria(game, parts))
        low, high = generalised_equilibria(game) or (Fraction(0), Fraction(0))
        mesh = [game.prefill.offered_load + Fraction(i, parts) for i in range(parts + 1)]
        yield check(
            f"allocation-segment-{parts}",
            SEGMENT,
            "number of generalised equilibria on a mesh",
            f"equal pools, slack cut into {parts}",
            Fraction(len(stable)),
            Fraction(sum(low < prefill < high for prefill in mesh)),
            "enumeration of all pairs of choices",
        )
        costs = [_cost(Interference(game, Fraction(0)), prefill) for prefill in stable]
        # The last split before an end gives one pool 1/parts of the slack.
        worst = Fraction(parts * parts, 4 * (parts - 1))
        yield check(
            f"allocation-worst-{parts}",
            SEGMENT,
            "worst generalised equilibrium over the optimum",
            f"equal pools, slack cut into {parts}",
            max(costs) / min(costs),
            worst,
            "enumeration of all pairs of choices",
        )


def _enumerated_equilibria(game: AllocationGame, parts: int) -> Iterator[Fraction]:
    """Prefill GPUs of the pairs of finite cost at which no pool gains by any feasible choice."""
    slack = game.budget - game.prefill.offered_load - game.decode.offered_load
    steps = [slack * Fraction(i, parts) for i in range(1, parts)]

    def best(pool: Pool, left: Fraction) -> Fraction | None:
        """The choice of least latency among those that fit into what the other pool leaves."""
        fitting = [y for y in steps if pool.offered_load + y <= left]
        return min(fitting, key=lambda y: pool.weight / (pool.service_rate * y), default=None)

    for first, second in itertools.product(steps, repeat=2):
        mine, other = game.prefill.offered_load + first, game.decode.offered_load + second
        if mine + other > game.budget:
            continue
        settled = best(game.prefill, game.budget - other) == first
        if settled and best(game.decode, game.budget - mine) == second:
            yield mine


def _unit_rows() -> Iterator[Row]:
    for scale in (Fraction(1, 2), Fraction(1), Fraction(2), Fraction(10)):
        for name, (prefill, decode), ratio in (
            ("equal", EQUAL, Fraction(1)),
            ("unequal", UNEQUAL, Fraction(1, 2)),
        ):
            weighted = Pool(
                "mm1", prefill.service_rate, prefill.arrival_rate, prefill.weight * scale**2
            )
            split = variational_equilibrium(_game((weighted, decode), 3)).prefill
            assert isinstance(split, Fraction)
            model = Interference(_game((prefill, decode), 3), Fraction(0))
            yield check(
                f"allocation-unit-{name}-{scale**2}".replace("/", "-"),
                UNIT,
                "cost over the optimum when one pool's unit of cost changes",
                f"{name} pools, prefill's cost counted {scale**2} times",
                _cost(model, split) / _grid_optimum(model),
                unit_loss(ratio, scale),
                "search over a grid of splits",
            )


def _exchange_rows() -> Iterator[Row]:
    """Each family: the worst split that no exchange of one GPU improves, over the optimum."""
    loads = tuple(Fraction(*pair) for pair in ((0, 1), (1, 2), (3, 2), (4, 1)))
    for queue, budget in itertools.product(("mm1", "mmc"), (5, 12)):
        worst, games = Fraction(0), 0
        for first, second, weight in itertools.product(loads, loads, (1, 20)):
            pools = _pool(1, first, queue=queue), _pool("3/4", second, weight, queue)
            report = integer_splits(AllocationGame(Fraction(budget), *pools))
            stable = [split.cost for split in exchange_stable(report)]
            if stable:
                games += 1
                ratio = max(stable) / min(split.cost for split in report.splits)
                worst = max(worst, Fraction(ratio))
        yield check(
            f"allocation-exchange-{queue}-{budget}",
            EXCHANGE,
            "worst split that no exchange improves, over the optimum",
            f"{queue} pools, {budget} GPUs, {games} games",
            worst,
            Fraction(1),
            "enumeration of all whole splits",
        )


def _erlang_rows() -> Iterator[Row]:
    for servers in REAL_SERVERS:
        load = Fraction(4, 5) * servers
        yield check(
            f"allocation-erlang-{servers}",
            EXCHANGE,
            "waiting probability by the integral, at a whole number of servers",
            f"{servers} servers, load 4/5",
            float(erlang_c(servers, load)),
            erlang_c_real(servers, float(load)),
            "Erlang's recursion",
        )


def _interference_rows() -> Iterator[Row]:
    for rate in RATES:
        for slack in (2, 40):
            game = AllocationGame(4 + 2 * rate + slack, *INTERFERING)
            model = Interference(game, rate)
            found = float(_cost(model, Fraction(_priced_split(model))))
            yield check(
                f"allocation-interference-{rate}-slack-{slack}".replace("/", "-"),
                INTERFERENCE,
                "variational equilibrium over the optimum under interference",
                f"decode loses {rate} requests/s a prefill GPU, slack of {slack} GPUs",
                found / _best_cost(model),
                interference_loss(game, rate),
                "price of a GPU at which the budget clears",
            )
    yield from interference.general_rows()
    game = AllocationGame(Fraction(20), *INTERFERING)
    model = Interference(game, Fraction(3))
    report = interference_equilibrium(model)
    assert isinstance(report.prefill, Fraction)
    yield check(
        "allocation-interference-exact",
        INTERFERENCE,
        "variational equilibrium over the optimum, exactly",
        "decode loses 3 requests/s a prefill GPU, 20 GPUs",
        _cost(model, report.prefill) / _grid_optimum(model),
        interference_loss(game, Fraction(3)),
        "search over a grid of splits",
    )
    model = Interference(game, Fraction(1, 5))
    yield check(
        "allocation-interference-overshoot",
        INTERFERENCE,
        "prefill GPUs at the equilibrium, at least those of the optimum",
        f"decode loses {model.rate} requests/s a prefill GPU, 20 GPUs",
        float(_priced_split(model)),
        interference_equilibrium(model).optimum_prefill,
        "price of a GPU at which the budget clears",
        ">=",
    )
    losses = []
    for weight, rate in itertools.product((Fraction(1, 9), Fraction(1), Fraction(7)), repeat=2):
        game = AllocationGame(Fraction(99), _pool(1, 1, weight), _pool(rate, 1))
        model = Interference(game, 8 * rate)
        losses.append(float(_cost(model, Fraction(_priced_split(model)))) / _best_cost(model))
    yield check(
        "allocation-interference-bound",
        INTERFERENCE,
        "largest loss over weights and service rates",
        "a prefill GPU takes the work of 8 decode GPUs",
        max(losses),
        unit_loss(1, 3),
        "price of a GPU at which the budget clears",
    )


def _priced_split(model: Interference) -> float:
    """Prefill GPUs at which both pools, paying one price a GPU, together want the whole budget.

    Needs no closed form: each pool's demand is the root of its own marginal cost, and the price
    is the root of the demand left over.
    """
    first, second = model.game.prefill, model.game.decode
    budget, rate = float(model.game.budget), float(model.rate)

    def demand(pool: Pool, price: float, taken: float) -> float:
        """GPUs at which one more saves the pool what it costs; `taken` is capacity it lacks."""
        mu, least = float(pool.service_rate), float(pool.arrival_rate) + taken

        def marginal(slack: float) -> float:
            return float(pool.weight) * mu / slack**2 - price

        return (least + interference.root_of(marginal, 1e-6, 1e6)) / mu

    def excess(price: float) -> float:
        prefill = demand(first, price, 0.0)
        return prefill + demand(second, price, rate * prefill) - budget

    return demand(first, interference.root_of(excess, 1e-9, 1e9), 0.0)


def _best_cost(model: Interference) -> float:
    """Least summed cost of a split, where the derivative of the sum changes sign."""
    first, second = model.game.prefill, model.game.decode
    low = float(first.offered_load)
    room = model.game.budget * second.service_rate - second.arrival_rate
    loss = float(second.service_rate + model.rate)
    high = float(room) / loss

    def derivative(prefill: float) -> float:
        mine = float(first.service_rate) * prefill - float(first.arrival_rate)
        other = float(room) - loss * prefill
        gain = float(first.weight * first.service_rate) / mine**2
        return float(second.weight) * loss / other**2 - gain

    margin = 1e-6 * (high - low)
    best = interference.root_of(derivative, low + margin, high - margin)
    return float(_cost(model, Fraction(best)))
