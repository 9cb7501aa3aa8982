"""Chains of requests, linked through their rows: queues, batches, and whatever else has an order.

A chain is a record (FIRST, FINAL, LENGTH); a request is in one chain at a time.
"""

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import NOBODY, PAGED, ROW_MASK, Ints
from anarchy.serving.compiled.paged.records import (
    FINAL,
    FIRST,
    FOLLOWING,
    LAST_ADMITTED,
    LENGTH,
    LINK,
    LINKS,
    PRECEDING,
    PREEMPT,
)


@small
def link_of(ints: Ints, request: int) -> int:
    """The address of the further fields of a request's row."""
    return ints[ints[PAGED] + LINKS] + (request & ints[ROW_MASK]) * LINK


@inner
def insert(ints: Ints, chain: int, before: int, request: int) -> None:
    """Put a request before another one, or at the end of the chain if that is NOBODY."""
    behind = ints[chain + FINAL] if before == NOBODY else ints[link_of(ints, before) + PRECEDING]
    link = link_of(ints, request)
    ints[link + PRECEDING] = behind
    ints[link + FOLLOWING] = before
    if behind == NOBODY:
        ints[chain + FIRST] = request
    else:
        ints[link_of(ints, behind) + FOLLOWING] = request
    if before == NOBODY:
        ints[chain + FINAL] = request
    else:
        ints[link_of(ints, before) + PRECEDING] = request
    ints[chain + LENGTH] += 1


@small
def append(ints: Ints, chain: int, request: int) -> None:
    """Put a request at the end."""
    insert(ints, chain, integer(NOBODY), request)


@small
def prepend(ints: Ints, chain: int, request: int) -> None:
    """Put a request in front of all others."""
    insert(ints, chain, ints[chain + FIRST], request)


@inner
def remove(ints: Ints, chain: int, request: int) -> None:
    """Take a request out."""
    link = link_of(ints, request)
    before, after = ints[link + PRECEDING], ints[link + FOLLOWING]
    if before == NOBODY:
        ints[chain + FIRST] = after
    else:
        ints[link_of(ints, before) + FOLLOWING] = after
    if after == NOBODY:
        ints[chain + FINAL] = before
    else:
        ints[link_of(ints, after) + PRECEDING] = before
    ints[chain + LENGTH] -= 1


@small
def following(ints: Ints, request: int) -> int:
    """The next one in its chain."""
    return ints[link_of(ints, request) + FOLLOWING]


@inner
def next_served(ints: Ints, chain: int, request: int, victims: int, out: bool) -> int:
    """Who is served after a request for which so many have been taken out of the chain.

    `out` says whether it is one of them itself. The reference goes through the chain by position,
    so it passes over as many as have been taken out before that position.
    """
    if ints[ints[PAGED] + PREEMPT] == LAST_ADMITTED:
        return NOBODY if out else following(ints, request)
    there, steps = request, victims + 1
    if out:
        there, steps = ints[chain + FIRST], victims - 1
    while steps and there != NOBODY:
        there = following(ints, there)
        steps -= 1
    return there
