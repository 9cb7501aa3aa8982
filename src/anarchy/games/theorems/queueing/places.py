"""Workers with a fixed number of places: how many requests are present when the first is full.

A router that follows requests present less a credit fills its favourite worker while others have
room. Requests that leave unbalance what it has built up, so the number at which a worker is filled
is known only up to one request for each other worker.
"""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from anarchy.games.theorems.checks import Row, check, rows_of

POOLS: dict[str, tuple[int, tuple[int, ...]]] = {
    "two": (10, (4, 0)),
    "three": (5, (2, 0, 0)),
    "three-unequal": (5, (3, 1, 0)),
    # The last worker is never used before the first is full.
    "idle": (4, (6, 0, 3)),
}
"""Places of a worker, and credits in requests."""

HISTORIES = "enumeration of all states that arrivals, departures and ties can reach"

Counts = tuple[int, ...]


def places_at_capacity(places: int, credits: Sequence[int]) -> Fraction:
    """The number of requests n_c: the sum of max(0, N - (largest credit - credit_j))."""
    return Fraction(sum(max(0, places - (max(credits) - credit)) for credit in credits))


def check_rows(most: int | None = None) -> list[Row]:
    """The numbers of requests present when a worker is filled, the first time and later."""
    return rows_of(_any_rows, _first_rows, most=most)


def histories(places: int, credits: Sequence[int], beyond: bool) -> tuple[set[Counts], set[Counts]]:
    """All numbers of requests per worker that can occur, and those just after a worker was filled.

    Requests join a worker of least requests less credit that has a free place, and may leave at
    any time; ties are broken in every way. `beyond`: whether anything is followed beyond the first
    full worker.
    """
    empty = (0,) * len(credits)
    seen, filled, open_states = {empty}, set(), [empty]
    while open_states:
        state = open_states.pop()
        if max(state) == places and not beyond:
            continue
        joined = set(_joined(state, places, credits))
        filled |= {s for s in joined if max(s) == places > max(state)}
        new = {*joined, *_left(state)} - seen
        seen |= new
        open_states += new
    return seen, filled


def _joined(state: Counts, places: int, credits: Sequence[int]) -> Iterator[Counts]:
    costs = [
        present - credit if present < places else math.inf
        for present, credit in zip(state, credits, strict=True)
    ]
    for worker, cost in enumerate(costs):
        if cost == min(costs) < math.inf:
            yield (*state[:worker], state[worker] + 1, *state[worker + 1 :])


def _left(state: Counts) -> Iterator[Counts]:
    for worker, present in enumerate(state):
        if present:
            yield (*state[:worker], present - 1, *state[worker + 1 :])


def _any_rows() -> Iterator[Row]:
    for name, (places, credits) in POOLS.items():
        used = sum(places > max(credits) - credit for credit in credits)
        yield check(
            f"places-fewest-{name}",
            "cor:blocks",
            "fewest requests present when a worker is filled",
            _setting(places, credits),
            Fraction(min(map(sum, histories(places, credits, beyond=True)[1]))),
            places_at_capacity(places, credits) - (used - 1),
            HISTORIES,
        ) | {"unit": "requests"}


def _first_rows() -> Iterator[Row]:
    for name, (places, credits) in POOLS.items():
        yield check(
            f"places-most-{name}",
            "cor:blocks",
            "most requests present when the first worker is filled",
            _setting(places, credits),
            Fraction(max(map(sum, histories(places, credits, beyond=False)[1]))),
            places_at_capacity(places, credits),
            HISTORIES,
        ) | {"unit": "requests"}


def _setting(places: int, credits: Sequence[int]) -> str:
    return f"{places} places a worker, credits {', '.join(map(str, credits))}"
