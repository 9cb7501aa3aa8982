"""Chains of requests on which one pass of a greedy router comes close to its worst case.

Nothing here knows the worst case: the pass is played from its definition. A lower bound without
offsets is due to Bilò et al. (2011); these chains are the paper's own.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction

Resources = Sequence[tuple[Hashable, int]]
"""What a choice uses: resources with the (whole) slopes of their linear latencies."""


@dataclass(frozen=True)
class Choice:
    """Resources that a request would use and the offset that it would pay."""

    resources: Resources
    offset: Fraction = Fraction(0)


def pass_cost(requests: Sequence[Sequence[Choice]], gamma: Fraction) -> Fraction:
    """Cost after all have arrived in turn; each takes its cheapest choice, ties the first."""
    taken: list[Choice] = []
    loads: Counter[Hashable] = Counter()
    for choices in requests:

        def perceived(choice: Choice) -> Fraction:
            used = sum(slope * (loads[name] + 1) for name, slope in choice.resources)
            return used + gamma * choice.offset

        chosen = min(choices, key=perceived)
        taken.append(chosen)
        loads.update(name for name, _ in chosen.resources)
    return profile_cost(taken)


def profile_cost(taken: Sequence[Choice]) -> Fraction:
    """Social cost if the requests use these choices."""
    loads: Counter[Hashable] = Counter(name for c in taken for name, _ in c.resources)
    paid = sum(slope * loads[name] for c in taken for name, slope in c.resources)
    return paid + sum((choice.offset for choice in taken), Fraction(0))


def long_chain(length: int, steps: int, served: int, gamma: Fraction | None) -> list[list[Choice]]:
    """Requests of which the i-th joins the `steps` resources after the i-th, or the last `served`.

    The latter are full when it arrives. What it perceives there is made equal to what it pays: by
    an offset, or (gamma None) by one more resource in each choice that its predecessor is on. Of
    `steps` and `steps` + 1 one is even, and the slope that this takes is whole.
    """
    gap = (steps + 1) * (steps - 2 * served) // 2
    requests = []
    for i in range(length):
        ahead = [(("long", i + k), 1) for k in range(1, steps + 1)]
        full = [(("long", i - k), 1) for k in range(served)]
        offset = Fraction(0)
        if gamma is None:
            ahead.append((("short", i + 1), gap))
            full.append((("short", i), gap))
        else:
            offset = Fraction(gap) / gamma
        # The first few would find their resources less than full and have no choice.
        choices = [Choice(ahead), Choice(full, offset)]
        requests.append(choices if i >= steps + served else choices[:1])
    return requests


def short_chain(length: int, gamma: Fraction) -> list[list[Choice]]:
    """Requests that each take the next one's worker, theirs being taken, at an offset 1/gamma."""
    first = [Choice([(1, 1)]), Choice([(0, 1)])]
    later = [[Choice([(i + 1, 1)], 1 / gamma), Choice([(i, 1)])] for i in range(1, length)]
    return [first, *later]


def chain_ratio(requests: Sequence[Sequence[Choice]], gamma: Fraction) -> Fraction:
    """Cost of the pass over that of the last choices of all."""
    return pass_cost(requests, gamma) / profile_cost([choices[-1] for choices in requests])
