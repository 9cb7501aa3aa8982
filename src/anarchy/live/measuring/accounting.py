"""The router's accounting, replayed: what it should have seen at every decision.

Once it is known which worker took each request and when its answer ended, the costs at a decision
follow from the rule of counting alone. All prompts are equally long and different templates share
no block, so that a worker holds as many prompts' blocks as it has different templates, or requests
where shared blocks are not counted once.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from anarchy.live.measuring.router_log import Decision

MARGIN = 0.02
"""Seconds by which the router may hear of an end earlier or later than the client."""


class Served(NamedTuple):
    """A request that was answered; moments in seconds on the clock of the router's log."""

    sent: float
    done: float
    template: int


def explained(
    decisions: Sequence[Decision], served: Sequence[Served], prompt_blocks: int, distinct: bool
) -> int:
    """How many decisions saw the costs that they should have seen.

    `decisions` are all of a run, and `served` its requests, which a single prefill worker passes on
    in the order in which they were sent. A cost counts if it is right for some moment within
    `MARGIN` of the decision.
    """
    in_order = sorted(served)
    workers = len(decisions[0].costs) if decisions else 0
    placed: list[tuple[int, Served]] = []
    right = 0
    for decision, request in zip(decisions, in_order, strict=False):
        placed = [(at, other) for at, other in placed if other.done > decision.moment - MARGIN]
        right += all(
            least <= cost <= most
            for cost, (least, most) in zip(
                decision.costs,
                _bounds(placed, request, decision.moment, workers, prompt_blocks, distinct),
                strict=True,
            )
        )
        placed.append((decision.chosen, request))
    return right


def _bounds(
    placed: Sequence[tuple[int, Served]],
    request: Served,
    moment: float,
    workers: int,
    prompt_blocks: int,
    distinct: bool,
) -> Iterator[tuple[int, int]]:
    """The least and the most that each worker may cost."""
    for worker in range(workers):
        most = Counter(other.template for at, other in placed if at == worker)
        least = Counter(
            other.template for at, other in placed if at == worker and other.done > moment + MARGIN
        )
        for held in (least, most):
            held[request.template] += 1
        count = len if distinct else Counter.total
        yield prompt_blocks * count(least), prompt_blocks * count(most)
