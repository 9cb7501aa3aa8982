"""Linked lists of requests: queues, batches, and whatever else has an order."""

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import NOBODY
from anarchy.serving.compiled.paged.records import (
    LAST_ADMITTED,
    DecodeQueue,
    LinkedList,
    PagedState,
    PrefillQueue,
    Sequence,
)


@small
def sequence_of(state: PagedState, number: int) -> Sequence:
    """The sequence of a request."""
    return state.sequences[number & (len(state.sequences) - 1)]


@inner
def insert(state: PagedState, members: LinkedList, before: int, number: int) -> None:
    """Put a request before another one, or at the end of the list if that is NOBODY."""
    behind = members.last if before == NOBODY else sequence_of(state, before).preceding
    sequence = sequence_of(state, number)
    sequence.preceding = behind
    sequence.following = before
    if behind == NOBODY:
        members.first = number
    else:
        sequence_of(state, behind).following = number
    if before == NOBODY:
        members.last = number
    else:
        sequence_of(state, before).preceding = number
    members.length += 1


@small
def append(state: PagedState, members: LinkedList, number: int) -> None:
    """Put a request at the end."""
    insert(state, members, integer(NOBODY), number)


@small
def prepend(state: PagedState, members: LinkedList, number: int) -> None:
    """Put a request in front of all others."""
    insert(state, members, members.first, number)


@inner
def remove(state: PagedState, members: LinkedList, number: int) -> None:
    """Take a request out."""
    sequence = sequence_of(state, number)
    before, after = sequence.preceding, sequence.following
    if before == NOBODY:
        members.first = after
    else:
        sequence_of(state, before).following = after
    if after == NOBODY:
        members.last = before
    else:
        sequence_of(state, after).preceding = before
    members.length -= 1


@small
def following(state: PagedState, number: int) -> int:
    """The next one in its list."""
    return sequence_of(state, number).following


@inner
def remove_victim(state: PagedState, queue: PrefillQueue | DecodeQueue) -> int:
    """Take out and count the running request that has to give up its blocks: which one."""
    running = queue.running
    victim = running.last if state.settings.preempt == LAST_ADMITTED else running.first
    remove(state, running, victim)
    queue.preemptions += 1
    if queue.preemptions - queue.latest_done >= state.settings.most_preemptions:
        state.progress.thrashes = True
    return victim


@inner
def next_served(
    state: PagedState, members: LinkedList, number: int, victims: int, out: bool
) -> int:
    """Who is served after a request for which so many have been taken out of the list.

    `out` says whether it is one of them itself. The reference goes through the list by position,
    so it passes over as many as have been taken out before that position.
    """
    if state.settings.preempt == LAST_ADMITTED:
        return NOBODY if out else following(state, number)
    there, steps = number, victims + 1
    if out:
        there, steps = members.first, victims - 1
    while steps and there != NOBODY:
        there = following(state, there)
        steps -= 1
    return there
