"""Two-stage games that lose as much as the theorems allow, or nearly."""

from collections.abc import Mapping
from fractions import Fraction

from anarchy.games.common.latency import Latency, Polynomial
from anarchy.games.routing.two_stage import Pair, Request, TwoStageGame

ONE = Fraction(1)


def linear(slope: Fraction | int) -> Polynomial:
    """The latency slope x at load x."""
    return Polynomial((Fraction(0), Fraction(slope)))


def mismatched(requests: int) -> TwoStageGame:
    """Two, three or four identical requests and hand-offs; they lose 3/2, 3/2 and 11/7.

    At the equilibrium the requests are on pairs that suit each other badly, and nobody can mend
    that alone, since the workers of a better pair have requests already. Three use equal workers.
    """
    slopes, hand_off = _MISMATCHED[requests]
    workers: Mapping[str, Latency] = {f"w{i}": linear(slope) for i, slope in enumerate(slopes)}
    anywhere = dict.fromkeys(workers, Fraction(0))
    links = {
        (one, other): Fraction(hand_off.get((i, j), _FAR))
        for i, one in enumerate(workers)
        for j, other in enumerate(workers)
    }
    return TwoStageGame(workers, workers, (Request(anywhere, anywhere),) * requests, links)


_FAR = 100
"""A hand-off that nobody pays."""

_MISMATCHED: dict[int, tuple[tuple[int, ...], dict[tuple[int, int], int]]] = {
    2: ((2, 1), {(0, 0): 0, (0, 1): 0, (1, 0): 0, (1, 1): 3}),
    3: ((1, 1, 1), {(0, 0): 0, (0, 1): 0, (1, 0): 0, (1, 1): 2, (2, 2): 2}),
    4: (
        (3, 4, 3, 0),
        {(0, 0): 0, (1, 1): 0, (2, 2): 6, (0, 2): 0, (2, 0): 0, (1, 3): 4, (3, 1): 4},
    ),
}
"""Slopes of the workers, the same in both stages, and the hand-offs; all others are far."""


def identical(gamma: Fraction) -> TwoStageGame:
    """Identical requests that attain the nonatomic worst case at weight gamma, in both stages.

    All use the first worker, which looks as good as the other: up to 3/4 an offset for a latency,
    then Pigou's two links, above one a loaded worker beside an offset, with as many requests as
    let the optimum be a whole number of them.
    """
    if gamma <= Fraction(3, 4):
        return _twice({"one": linear(0), "other": Polynomial((gamma,))}, {"one": ONE}, 2, gamma)
    if gamma <= 1:
        return _twice({"one": linear(1), "other": Polynomial((Fraction(2),))}, {}, 2, gamma)
    count = gamma.numerator * 2
    offsets = {"other": count / gamma}
    return _twice({"one": linear(1), "other": linear(0)}, offsets, count, gamma)


def _twice(
    workers: Mapping[str, Latency], offsets: Mapping[str, Fraction], count: int, gamma: Fraction
) -> TwoStageGame:
    """The same workers and offsets in both stages."""
    paid = {name: offsets.get(name, Fraction(0)) for name in workers}
    return TwoStageGame(workers, workers, (Request(paid, paid),) * count, {}, gamma)


def tree(levels: int, chain: int) -> tuple[TwoStageGame, list[Pair], list[Pair]]:
    """Requests that may each use one of two workers of each stage, all of positive slope.

    With it the pairs of an equilibrium and of a better profile, one a request; the ratio of their
    costs tends to 5/2. Workers form a binary tree of so many levels, and a chain hangs from each of
    its leaves; a request stands for an edge, uses its upper end at the equilibrium and its lower
    end otherwise. Slopes fall from level to level by what keeps requests where they are: by 2/3
    below workers of two requests, by 1/2 below those of one.
    """
    slopes = {"1": ONE}
    edges = []
    layer = ["1"]
    for level in range(levels + chain):
        below = []
        for name in layer:
            children = [f"{name}0", f"{name}1"] if level < levels else [f"{name}0"]
            above = Fraction(2) if level < levels else ONE
            met = Fraction(3) if level + 1 < levels else Fraction(2)
            for child in children:
                last = level + 1 == levels + chain
                slopes[child] = slopes[name] * above / (ONE if last else met)
                edges.append((name, child))
            below += children
        layer = below
    zero = Fraction(0)
    workers = {name: linear(slope) for name, slope in slopes.items()}
    requests = tuple(
        Request(dict.fromkeys(edge, zero), dict.fromkeys(edge, zero)) for edge in edges
    )
    game = TwoStageGame(workers, workers, requests)
    return game, [(upper, upper) for upper, _ in edges], [(lower, lower) for _, lower in edges]
