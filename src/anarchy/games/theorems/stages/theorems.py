"""Two-stage routing beside solvers that know one game, or pairs of workers, only.

What holds of every congestion game with offsets carries over, and 5/2 is attained. Stages that know
nothing of each other can be taken one at a time. Identical requests lose no more than many small
ones then, but more once hand-offs tell pairs of workers apart.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from anarchy.games import poa_table
from anarchy.games.common.exact_program import Optimum
from anarchy.games.common.latency import Latency
from anarchy.games.common.rational import rational
from anarchy.games.routing import enumeration, two_stage
from anarchy.games.routing.congestion import CongestionGame
from anarchy.games.routing.load_state import LoadState
from anarchy.games.routing.two_stage import Pair, Request, TwoStageGame
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.games.theorems.plateau import ENUMERATION, PROGRAM, affine_worst_ratio, named
from anarchy.games.theorems.stages import instances, patterns
from anarchy.games.theorems.windows import closed_forms, programs

CARRIED, APART, HAND_OFF = "thm:stages", "prop:stages-apart", "prop:hand-off"

PAIRS_ENUMERATED = "exhaustive enumeration of pairs"

GAMES = 150
"""Random games at each weight."""

IDENTICAL_WEIGHTS = tuple(
    Fraction(*pair) for pair in ((1, 3), (3, 4), (9, 10), (1, 1), (3, 2), (5, 3))
)

LEVELS, CHAIN = 7, 4
"""Size of the tree."""

WORST_IDENTICAL = {2: Fraction(3, 2), 3: Fraction(3, 2), 4: Fraction(11, 7)}
"""Worst price of anarchy of so many identical requests with hand-offs."""


def check_rows(most: int | None = None) -> list[Row]:
    """The checks of the statements; see `checks.check` for the fields of a row."""
    return rows_of(
        _attained_rows,
        _random_rows,
        _tree_rows,
        _joined_rows,
        _identical_rows,
        _instance_rows,
        _hand_off_rows,
        most=most,
    )


def with_free_decode(game: CongestionGame) -> TwoStageGame:
    """A game of one worker per strategy as the first of two stages, the second of which is free."""
    free: dict[str, Latency] = {"free": instances.linear(0)}
    requests = tuple(
        Request({name: s.offset for s in player for name in s.resources}, {"free": Fraction(0)})
        for player in game.players
    )
    return TwoStageGame(game.latency, free, requests, {}, game.perceived_offset_weight)


def random_game(random: np.random.Generator, gamma: Fraction) -> TwoStageGame:
    """Three requests on two or three workers a stage, small whole numbers, some pairs forbidden."""
    stages = []
    for _ in range(2):
        slopes = random.integers(0, 3, random.integers(2, 4))
        stages.append({f"w{i}": instances.linear(int(slope)) for i, slope in enumerate(slopes)})
    pairs = [(p, q) for p in stages[0] for q in stages[1]]
    links = {pair: Fraction(int(random.integers(0, 3))) for pair in pairs}
    requests = []
    for _ in range(3):
        paid = [{n: Fraction(int(random.integers(0, 3))) for n in stage} for stage in stages]
        known = random.choice(len(pairs), size=2, replace=False)
        requests.append(Request(paid[0], paid[1], tuple(pairs[k] for k in sorted(known))))
    return TwoStageGame(stages[0], stages[1], tuple(requests), links, gamma)


def _attained_rows() -> Iterator[Row]:
    low = Fraction(1, 3)
    for gamma, game in (
        (Fraction(1), poa_table.four_request_game()),
        (Fraction(2, 3), with_free_decode(poa_table.two_worker_game(Fraction(2, 3)))),
        (low, with_free_decode(poa_table.two_worker_game(low))),
    ):
        yield check(
            f"stages-instance-{named(gamma)}",
            CARRIED,
            "price of anarchy of two stages",
            f"{len(game.requests)} requests, perceived weight {gamma}",
            enumeration.solve(game.congestion()).price_of_anarchy,
            affine_worst_ratio(gamma),
            PAIRS_ENUMERATED,
        )


def _random_rows() -> Iterator[Row]:
    for gamma in (Fraction(1, 3), Fraction(1), Fraction(5, 3)):
        random = np.random.default_rng(13)
        found = [two_stage.solve(random_game(random, gamma)) for _ in range(GAMES)]
        ratios = [rational(r.price_of_anarchy, "ratio") for r in found if r.price_of_anarchy]
        yield check(
            f"stages-random-{named(gamma)}",
            CARRIED,
            "price of anarchy of two stages",
            f"worst of {len(ratios)} random games of three requests, perceived weight {gamma}",
            max(ratios),
            affine_worst_ratio(gamma),
            PAIRS_ENUMERATED,
            "<=",
        )


def _tree_rows() -> Iterator[Row]:
    game, stable, better = instances.tree(LEVELS, CHAIN)
    yield check(
        "stages-tree",
        APART,
        "cost of an equilibrium over that of another profile, at least the worst case less four "
        "per cent",
        f"tree of {len(game.requests)} requests, every worker of positive slope",
        equilibrium_cost(game, stable) / profile_cost(game, better),
        affine_worst_ratio(1) * Fraction(96, 100),
        "every unilateral move in rational arithmetic",
        ">=",
    )


def profile_cost(game: TwoStageGame, profile: Sequence[Pair]) -> Fraction:
    """Social cost of a profile where the stages know nothing of each other."""
    return sum((_cost(stage, chosen) for stage, chosen in _split(game, profile)), Fraction(0))


def equilibrium_cost(game: TwoStageGame, profile: Sequence[Pair]) -> Fraction:
    """The same of a profile that is an equilibrium; ArithmeticError if it is none."""
    for stage, chosen in _split(game, profile):
        state = LoadState(stage)
        players = range(state.players)
        state.reset(players, chosen)
        for player in players:
            state.remove(player)
            stays = chosen[player] in state.cheapest(player)
            state.add(player, chosen[player])
            if not stays:
                raise ArithmeticError(f"request {player} would rather move")
    return profile_cost(game, profile)


def _split(
    game: TwoStageGame, profile: Sequence[Pair]
) -> Iterator[tuple[CongestionGame, list[int]]]:
    """Each stage with the numbers of the strategies that a profile stands for in it."""
    for side, stage in enumerate(game.stages().values()):
        yield (
            stage,
            [
                [next(iter(s.resources)) for s in strategies].index(pair[side])
                for strategies, pair in zip(stage.players, profile, strict=True)
            ],
        )


def _cost(stage: CongestionGame, chosen: Sequence[int]) -> Fraction:
    state = LoadState(stage)
    state.reset(range(state.players), chosen)
    return rational(state.value(state.social()), "cost")


def _joined_rows() -> Iterator[Row]:
    """Games whose stages are enumerated together, beside what the stages lose by themselves."""
    for gamma in (Fraction(1, 2), Fraction(1), Fraction(2)):
        random = np.random.default_rng(7)
        for number in range(3):
            drawn = random_game(random, gamma)
            apart = tuple(Request(r.prefill, r.decode) for r in drawn.requests)
            game = TwoStageGame(drawn.prefill, drawn.decode, apart, {}, gamma)
            both = [enumeration.solve(stage) for stage in game.stages().values()]
            worst = sum(rational(r.worst_equilibrium, "cost") for r in both)
            yield check(
                f"stages-apart-{named(gamma)}-{number}",
                APART,
                "worst equilibrium of two stages over their optimum",
                f"three requests, perceived weight {gamma}, no hand-offs",
                enumeration.solve(game.congestion()).price_of_anarchy,
                worst / sum(rational(r.optimum, "cost") for r in both),
                PAIRS_ENUMERATED,
            )


def _identical_rows() -> Iterator[Row]:
    for gamma in IDENTICAL_WEIGHTS:
        yield check(
            f"stages-identical-program-{named(gamma)}",
            APART,
            f"worst case of identical requests, {_branch(gamma)}",
            f"affine, perceived weight {gamma}",
            _value(programs.identical(2 * gamma.numerator + gamma.denominator, gamma)),
            closed_forms.nonatomic_worst(gamma),
            PROGRAM,
        )


def _instance_rows() -> Iterator[Row]:
    for gamma in IDENTICAL_WEIGHTS:
        game = instances.identical(gamma)
        yield check(
            f"stages-identical-instance-{named(gamma)}",
            APART,
            f"price of anarchy of identical requests, {_branch(gamma)}",
            f"{len(game.requests)} requests on two workers a stage, perceived weight {gamma}",
            two_stage.solve(game).price_of_anarchy,
            closed_forms.nonatomic_worst(gamma),
            ENUMERATION,
        )


def _hand_off_rows() -> Iterator[Row]:
    yield _proved_row(2)
    for count in WORST_IDENTICAL:
        yield check(
            f"stages-hand-off-instance-{count}",
            HAND_OFF,
            f"price of anarchy of {count} identical requests with hand-offs",
            f"{count} requests, linear workers{' of one speed' if count == 3 else ''}",
            two_stage.solve(instances.mismatched(count)).price_of_anarchy,
            WORST_IDENTICAL[count],
            PAIRS_ENUMERATED,
        )
    yield _proved_row(3)  # the last, as it takes seconds


def _proved_row(count: int) -> Row:
    found = [patterns.worst_case(pattern) for pattern in patterns.patterns(count)]
    return check(
        f"stages-hand-off-patterns-{count}",
        HAND_OFF,
        f"worst price of anarchy of {count} identical requests with hand-offs",
        f"all affine games, {len(found)} patterns of equilibrium and optimum",
        max(found),
        WORST_IDENTICAL[count],
        "linear program for each pattern, certificate checked",
    )


def _branch(gamma: Fraction) -> str:
    """Which branch of the closed form a weight belongs to."""
    low, high = closed_forms.NONATOMIC_WINDOW
    return f"{'below' if gamma < low else 'above' if gamma > high else 'within'} the window"


def _value(optimum: Optimum) -> Fraction:
    """The value of a program; ArithmeticError if its certificate does not hold."""
    if not optimum.check():
        raise ArithmeticError("the certificate of a program does not hold")
    return optimum.point[0]
