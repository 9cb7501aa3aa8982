"""Which overlaps keep a potential in the routing game, and which leave no equilibrium.

Credits that requests give each other on one worker keep an exact potential if they add up and are
symmetric, or if the best one counts and they are lengths of common prefixes. Loads in tokens keep a
weighted potential if the credit is a share of the request's own prompt; with credits in blocks
there may be no pure equilibrium.

Sources: four-cycles of Monderer and Shapley (1996), weighted potentials of Fotakis et al. (2005).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations

from anarchy.games import poa_table
from anarchy.games.common.rational import rational
from anarchy.games.routing.congestion import Colocation, CongestionGame, Strategy
from anarchy.games.routing.solve import solve_routing
from anarchy.games.theorems import gains, softmax
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.games.theorems.finite import FiniteGame, Profile, largest_defect, moved
from anarchy.games.theorems.plateau import ENUMERATION, mixed_game, polynomial

Matrix = tuple[tuple[Fraction, ...], ...]

CYCLES = "all four-cycles"

OVERLAP_WEIGHT = Fraction(3, 2)
"""Weight of the credits in the checks with load counted in requests."""

PROMPTS = ("aab", "aac", "abbb", "b", "aabab")
"""Prompts, one letter a block, whose common prefixes serve as credits."""


def common_prefixes(prompts: Sequence[str]) -> Matrix:
    """Blocks that two prompts share from their start; a prompt is a string of blocks."""
    return tuple(tuple(Fraction(_common(one, two)) for two in prompts) for one in prompts)


def _common(one: str, two: str) -> int:
    length = 0
    while one[: length + 1] == two[: length + 1] and length < min(len(one), len(two)):
        length += 1
    return length


def sum_defect(credit: Matrix) -> Fraction:
    """Largest four-cycle defect of credits that add up, any number of requests on two workers."""
    pairs = combinations(range(len(credit)), 2)
    return max(2 * abs(credit[i][k] - credit[k][i]) for i, k in pairs)


def best_defect(credit: Matrix) -> Fraction:
    """Largest four-cycle defect when the best of symmetric credits counts: three on two workers.

    Zero exactly when the two smallest of the three credits are equal.
    """
    zero = Fraction(0)
    worst = zero
    for i, k, other in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
        here, mine, theirs = credit[i][k], credit[i][other], credit[k][other]
        worst = max(worst, abs(max(zero, here - mine) - max(zero, here - theirs)))
    return worst


def routing_game(
    credit: Matrix, combine: str, weight: Fraction = OVERLAP_WEIGHT, workers: int = 2
) -> CongestionGame:
    """Requests on two or three affine workers, with static offsets and credits for company."""
    offsets = ((Fraction(i), Fraction(1, i + 1), Fraction(2)) for i in range(len(credit)))
    players = tuple(
        tuple(
            Strategy(frozenset(name), offset)
            for name, offset in zip("abc"[:workers], own, strict=False)
        )
        for own in offsets
    )
    latency = {"a": polynomial(0, 1), "b": polynomial(1, 2), "c": polynomial(2, 1)}
    return CongestionGame(latency, players, Fraction(2), Colocation(credit, combine, weight))


def token_game(
    prompts: Sequence[str],
    weight: Fraction,
    shares: bool,
    combine: Callable[[list[Fraction]], Fraction] = max,
) -> FiniteGame:
    """Requests on two workers whose latency is the number of prompt blocks there, credits less.

    The second worker takes twice as long and a unit more. A credit is `weight` times the common
    prefix, in blocks or (`shares`) as a share of the request's own prompt; `combine` takes those
    of all that are present, max or sum.
    """
    overlap = common_prefixes(prompts)
    lengths = [len(prompt) for prompt in prompts]

    def costs(profile: Profile) -> list[Fraction]:
        tokens = [sum(n for n, s in zip(lengths, profile, strict=True) if s == j) for j in (0, 1)]
        latency = [Fraction(tokens[0]), Fraction(2 * tokens[1] + 1)]
        return [
            latency[s]
            - weight * _gain(overlap, profile, i, combine) / (lengths[i] if shares else 1)
            for i, s in enumerate(profile)
        ]

    return FiniteGame.of([2] * len(prompts), costs)


def identical_workers_game(prompts: Sequence[str], weight: Fraction) -> FiniteGame:
    """The router's rule with two identical workers: weight times blocks to prefill, plus the load.

    Blocks to prefill are those of the prompt beyond the longest prefix shared with a request
    there; the load counts the blocks of all prompts there.
    """
    overlap = common_prefixes(prompts)
    lengths = [len(prompt) for prompt in prompts]

    def costs(profile: Profile) -> list[Fraction]:
        return [
            weight * (lengths[i] - _gain(overlap, profile, i, max))
            + sum(n for n, s in zip(lengths, profile, strict=True) if s == mine)
            for i, mine in enumerate(profile)
        ]

    return FiniteGame.of([2] * len(prompts), costs)


def distinct_blocks_game(prompts: Sequence[str]) -> FiniteGame:
    """Two identical workers whose load counts each distinct block of the prompts there once."""

    def costs(profile: Profile) -> list[Fraction]:
        held: list[set[str]] = [set(), set()]
        for prompt, s in zip(prompts, profile, strict=True):
            # A block is known by all that precedes it.
            held[s] |= {prompt[: k + 1] for k in range(len(prompt))}
        return [Fraction(len(held[s])) for s in profile]

    return FiniteGame.of([2] * len(prompts), costs)


def _gain(
    overlap: Matrix, profile: Profile, i: int, combine: Callable[[list[Fraction]], Fraction]
) -> Fraction:
    present = [overlap[i][k] for k, s in enumerate(profile) if k != i and s == profile[i]]
    return Fraction(combine(present)) if present else Fraction(0)


def check_rows(most: int | None = None) -> list[Row]:
    """The checks of the section on routing beside those of the plateau.

    Those of potentials come from here, the rest from `gains` and `softmax`; see `checks.check` for
    the fields of a row.
    """
    return [
        *rows_of(_rosenthal_rows, _credit_rows, _token_rows, _absence_rows, most=most),
        *gains.check_rows(most),
        *softmax.check_rows(most),
    ]


def _matrix(*rows: Sequence[int]) -> Matrix:
    return tuple(tuple(Fraction(c) for c in row) for row in rows)


def _credit_rows() -> Iterator[Row]:
    """Loads counted in requests: the largest defect against its closed form."""
    symmetric = _matrix((0, 3, 1), (3, 0, 2), (1, 2, 0))
    prefixes = common_prefixes(PROMPTS)
    games = {
        "static": ("prop:potential", mixed_game(Fraction(2)), Fraction(0)),
        "sum-symmetric": ("thm:overlap", routing_game(symmetric, "sum"), sum_defect(symmetric)),
        "sum-prefixes": ("thm:overlap", routing_game(prefixes, "sum"), Fraction(0)),
        "best-prefixes": ("thm:overlap", routing_game(prefixes, "max"), Fraction(0)),
    }
    for name, rows in {
        "sum-one-sided": ((0, 1), (0, 0)),
        "sum-opposed": ((0, 1, 4), (1, 0, 2), (-4, 2, 0)),
    }.items():
        credit = _matrix(*rows)
        games[name] = ("thm:overlap", routing_game(credit, "sum"), sum_defect(credit))
    for name, (one, two, three) in {
        "best-distinct": (3, 1, 2),
        "best-two-large": (3, 3, 1),
        "best-two-small": (3, 1, 1),
        "best-equal": (2, 2, 2),
    }.items():
        credit = _matrix((0, one, two), (one, 0, three), (two, three, 0))
        games[name] = ("thm:overlap", routing_game(credit, "max"), best_defect(credit))
    # Credits 3, 2, 1 on the three perfect matchings of four requests.
    matchings = _matrix((0, 3, 2, 1), (3, 0, 1, 2), (2, 1, 0, 3), (1, 2, 3, 0))
    for workers, defect in ((2, Fraction(0)), (3, Fraction(1))):
        matched = routing_game(matchings, "max", workers=workers)
        games[f"best-matchings-{workers}"] = ("thm:overlap", matched, defect)
    for name, (theorem, game, defect) in games.items():
        weight = game.colocation.weight if game.colocation else Fraction(1)
        yield _defect_row(
            name,
            theorem,
            f"{len(game.players)} requests, {name.replace('-', ' ')} overlap",
            largest_defect(FiniteGame.of_congestion(game)),
            weight * defect,
        )


def rosenthal(game: CongestionGame, profile: Profile) -> Fraction:
    """Rosenthal's sum, resource by resource as it fills, and the weighted offsets."""
    chosen = [strategies[s] for strategies, s in zip(game.players, profile, strict=True)]
    loads = Counter(r for strategy in chosen for r in strategy.resources)
    filled = [game.latency[r](k) for r, load in loads.items() for k in range(1, load + 1)]
    offsets = sum((strategy.offset for strategy in chosen), Fraction(0))
    return (
        sum((rational(value, "latency") for value in filled), Fraction(0))
        + game.perceived_offset_weight * offsets
    )


def _rosenthal_rows() -> Iterator[Row]:
    """Every change of one request's choice moves the potential by what the request perceives."""
    for name, routing in (
        ("mixed", mixed_game(Fraction(2))),
        ("three-players", poa_table.three_player_game()),
    ):
        game = FiniteGame.of_congestion(routing)
        potential = {s: rosenthal(routing, s) for s in game.perceived}
        ratios = [
            (potential[moved(s, i, t)] - potential[s]) / change
            for s, costs in game.perceived.items()
            for i, count in enumerate(game.counts)
            for t in range(count)
            if (change := game.perceived[moved(s, i, t)][i] - costs[i])
        ]
        for kind, found in (("least", min(ratios)), ("greatest", max(ratios))):
            yield check(
                f"potential-rosenthal-{name}-{kind}",
                "prop:potential",
                f"{kind} change of the potential over what the mover perceives",
                f"{name.replace('-', ' ')}, {len(ratios)} changes",
                found,
                Fraction(1),
                ENUMERATION,
            )


def _defect_row(name: str, theorem: str, setting: str, found: Fraction, stated: Fraction) -> Row:
    quantity = "defect of the potential" if stated else "defect of the potential that exists"
    row = check(f"potential-{name}", theorem, quantity, setting, found, stated, CYCLES)
    return row | {"unit": "cost"}


def _token_rows() -> Iterator[Row]:
    """Loads counted in blocks: a weighted potential for shares, none for blocks."""
    lengths = [Fraction(len(prompt)) for prompt in PROMPTS]
    for name, combine in (("sum", _total), ("best", max)):
        game = token_game(PROMPTS, Fraction(4), True, combine)
        setting = f"{len(PROMPTS)} requests, load in blocks, overlap as a share, {name}"
        yield _defect_row(
            f"tokens-{name}-weighted",
            "prop:tokens",
            f"{setting}, costs weighted by length",
            largest_defect(game, lengths),
            Fraction(0),
        )
        yield check(
            f"potential-tokens-{name}-equilibria",
            "prop:tokens",
            "pure equilibria",
            setting,
            Fraction(len(game.pure_equilibria())),
            Fraction(1),
            ENUMERATION,
            ">=",
        ) | {"unit": "count"}
    # Around the cycle two requests of lengths p and q with common prefix c differ by
    # 3 (q - w c/p) - 3 (p - w c/q) in the latency part 1 + 2 and by 2 w (c/p - c/q) in the credit.
    p, q, c, weight = Fraction(1), Fraction(4), Fraction(1), Fraction(2)
    yield _defect_row(
        "tokens-unweighted",
        "prop:tokens",
        "two requests of lengths 1 and 4, overlap as a share, costs not weighted",
        largest_defect(token_game(("a", "abbb"), weight, True)),
        abs(3 * (q - p) - 2 * weight * (c / p - c / q)),
    )
    yield _defect_row(
        "equal-lengths",
        "prop:tokens",
        "six requests of three templates of equal length, the router's rule",
        largest_defect(identical_workers_game(("aaa", "aab", "bab") * 2, Fraction(2))),
        Fraction(0),
    )
    yield _defect_row(
        "distinct-blocks",
        "prop:tokens",
        "three requests of two templates of three blocks, each distinct block counted once",
        largest_defect(distinct_blocks_game(("aaa", "aaa", "bbb"))),
        Fraction(3),
    )


def _total(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0))


def _absence_rows() -> Iterator[Row]:
    """Games without a pure equilibrium, and their neighbours that have one."""
    chase = Colocation(_matrix((0, 2), (0, 0)))
    pair = tuple((Strategy(frozenset("a")), Strategy(frozenset("b"))) for _ in range(2))
    latency = {name: polynomial(0, 1) for name in "ab"}
    yield check(
        "potential-chase",
        "thm:overlap",
        "price of anarchy where no pure equilibrium exists",
        "two requests on two equal linear workers, a credit of 2 for one of them",
        solve_routing(CongestionGame(latency, pair, Fraction(1), chase)).price_of_anarchy,
        None,
        ENUMERATION,
        "none",
    )
    for weight, exists in ((Fraction(1), True), (Fraction(2), False), (Fraction(4), True)):
        # Lengths 1 and 4 with common prefix 1: the credit exceeds one load and not the other
        # exactly for 1 < weight < 4.
        found = len(identical_workers_game(("a", "abbb"), weight).pure_equilibria())
        yield check(
            f"potential-router-{weight}",
            "prop:tokens",
            "pure equilibria" if exists else "pure equilibria where none exists",
            f"requests of lengths 1 and 4 sharing one block, overlap weight {weight}",
            Fraction(found) if found else None,
            Fraction(1) if exists else None,
            ENUMERATION,
            ">=" if exists else "none",
        ) | {"unit": "count"}
