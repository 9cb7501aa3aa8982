"""The order of the events of one instant, which both simulators keep, and when instants are equal.

An event of a lower priority comes first, and of equal ones that which was scheduled first.

In a paged system steps end first, those of prefill before those of decode and by number of the
worker, then KV transfers; then follows what they bring about, and at last what the prompts bring
about that arrive at this instant.
"""

TRANSFER_END, SETTLE, NORMAL = -1, 0, 1
"""Priorities of the ends of KV transfers, of all that follows from the ends of anything, and of all
other events: arrivals, and in a plain system the ends of prefill steps and hand-offs."""

BOUNDARY = NORMAL + 1
"""Priority of a step boundary of a plain decode worker: it admits what arrives at its instant."""

SETTLE_ARRIVALS = NORMAL + 1
"""Priority of all that follows from the prompts that arrive at this instant."""

POLL, STEP, END = NORMAL + 2, NORMAL + 3, NORMAL + 4
"""Priorities of a controller's polls, which see all that has happened by their instant, of a change
of how many clients there are, and of the end of the last phase."""

POOL_STEPS = 10**9
"""More workers than a pool has: steps of one pool end before those of the next."""

GRID = 1e11
"""Instants in a second: 10 ps apart, exact in a float up to a day of simulated time."""


def step_end(pool: int, worker: int) -> int:
    """Priority of the end of a step: prefill (pool 0) before decode (1), then by worker."""
    return (pool - 2) * POOL_STEPS + worker


def on_grid(time: float) -> float:
    """The time, in seconds, at the resolution at which equal instants are equal.

    Two sums of step times that mean the same instant may differ in their last bit, and a request
    that is late by one bit would wait for a whole step.
    """
    return round(time * GRID) / GRID
