"""Normalised costs: workers that swing for ever, beside cycles and pools that are played."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anarchy.games.queueing.stale_loads import Cycle, relay_cycle, swing_bound
from anarchy.games.theorems.checks import Row, check, rows_of

RELAY = "thm:relay"

RATE = 0.5
"""Requests per second that a decode worker finishes of each that it holds."""

ARRIVALS = 20.0

AGES = (0.2, 1.0, 5.0)
STEPS = 200
"""Ages of the relay's loads, in seconds, and steps of its integration per age."""

GROUPS = ((1, 2), (2, 1), (1, 7), (4, 4))
"""Workers that swing together, and the others."""

POOL_STEPS, POOL_AGES = 50, 40
"""Steps per age and ages of the runs of whole pools; the second half of a run is watched."""


def check_rows(most: int | None = None) -> list[Row]:
    """One row per number of a cycle, and one or two per pool."""
    return rows_of(_pair_rows, _group_rows, _pool_rows, most=most)


def _pair_rows() -> Iterator[Row]:
    for rate, temperature, age in (
        *((RATE, 1.0, age) for age in AGES),
        (RATE, 100.0, 1.0),
        (0.0, 1.0, 1.0),
    ):
        kind = "decode" if rate else "prefill"
        setting = f"{kind}, 20 requests/s, temperature {temperature:g}, loads {age:g} s old"
        found = played_cycle(rate, temperature, age)
        stated = relay_cycle(ARRIVALS, rate, temperature, age)
        name = f"stale-relay-{kind}-{temperature:g}-{age:g}".replace(".", "-")
        yield _cycle_row(f"{name}-amplitude", "amplitude", found.above, stated.above, setting)
        yield _cycle_row(f"{name}-period", "period", found.period, stated.period, setting)


def _group_rows() -> Iterator[Row]:
    for (group, others), rate in itertools.product(GROUPS, (RATE, 0.0)):
        kind = "decode" if rate else "prefill"
        setting = f"{kind}, {group} against {others}, temperature 1, loads 1 s old"
        found = played_cycle(rate, 1.0, 1.0, group, others)
        stated = relay_cycle(ARRIVALS, rate, 1.0, 1.0, group, others)
        name = f"stale-groups-{kind}-{group}-{others}"
        for part in Cycle._fields:
            at = getattr(found, part), getattr(stated, part)
            yield _cycle_row(f"{name}-{part}", f"{part}, groups", *at, setting)


def _cycle_row(name: str, part: str, found: float, stated: float, setting: str) -> Row:
    return check(
        name,
        RELAY,
        f"{part} of the cycle of workers under normalised costs",
        setting,
        found,
        stated,
        "exact steps of the delayed relay from a far start",
    ) | {"unit": "s" if part.startswith("period") else "requests"}


def _pool_rows() -> Iterator[Row]:
    """Whole pools: none exceeds the bound, and one worker against all others comes to it."""
    for workers, temperature, rate in itertools.product((3, 4, 8), (0.3, 1.0), (RATE, 0.0)):
        alone = np.zeros(workers)
        alone[0] = 1.0
        mixed = np.random.default_rng(workers).normal(size=workers)
        for start, gaps in (("alone", alone), ("mixed", mixed)):
            widest = widest_gaps(workers, temperature, rate, gaps)
            found = float(widest.max())
            # Seen are loads up to one step older than the age.
            bound = swing_bound(ARRIVALS, workers, rate, temperature, 1 + 1 / POOL_STEPS)
            kind = "decode" if rate else "prefill"
            name = f"stale-pool-{kind}-{workers}-{temperature:g}-{start}".replace(".", "-")
            yield check(
                name,
                RELAY,
                "largest gap between two workers in the long run",
                f"{kind}, {workers} workers, temperature {temperature:g}, loads 1 s old, {start}",
                found,
                bound,
                "steps of all workers with delay",
                "<=",
            ) | {"unit": "requests", "share": found / bound, "mean": float(widest.mean())}


def widest_gaps(
    workers: int, temperature: float, rate: float, start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Requests that the fullest worker has more than the emptiest, step by step, loads 1 s old.

    Of a run of which the first half is left out, with `ARRIVALS` requests per second.

    `start` is by how much each is above the mean for the first second. Within a step, 1 s over
    `POOL_STEPS`, the router's choice is constant, and what follows from it exact.
    """
    step = 1 / POOL_STEPS
    kept = math.exp(-rate * step)
    added = ARRIVALS * (-math.expm1(-rate * step) / rate if rate else step)
    count = POOL_STEPS * POOL_AGES
    loads = np.tile(start - start.mean(), (count + POOL_STEPS + 1, 1))
    for now in range(count):
        seen = loads[now] - loads[now].min()
        weights = np.exp(-seen / (temperature * max(seen.max(), 1e-300)))
        # Loads above the mean: what all workers get or lose alike is left out.
        pushed = added * (weights / weights.sum() - 1 / workers)
        loads[now + POOL_STEPS + 1] = kept * loads[now + POOL_STEPS] + pushed
    gaps: NDArray[np.float64] = np.ptp(loads[count // 2 :], axis=1)
    return gaps


def played_cycle(
    rate: float, temperature: float, age: float, group: int = 1, others: int = 1
) -> Cycle:
    """How far two groups of workers swing once the start is forgotten, step by step.

    The router sees the sign of the gap `age` ago; in a step the gap moves exactly towards what
    that sign drives it to, and `age` after a zero the push turns.
    """
    weight = math.exp(-1 / temperature)
    shares = np.array([weight, 1.0]), np.array([1.0, weight])  # seen above, and below
    counts = np.array([group, others])
    pushes = [-ARRIVALS * np.diff(share)[0] / (share @ counts) for share in shares]
    step = age / STEPS
    gap, now, side = 3 * pushes[1] * age, 0.0, 0
    turns: list[float] = []  # times at which the sign that the router sees will change
    zeros: list[float] = []
    above = below = 0.0
    while len(zeros) < 6:
        length = min(step, turns[0] - now) if turns else step
        moved = _driven(gap, pushes[side], rate, length)
        if gap * moved < 0:
            length, moved = _until_zero(gap, pushes[side], rate), 0.0
            zeros.append(now + length)
            turns.append(now + length + age)
        gap, now = moved, now + length
        if turns and now >= turns[0] - 1e-12 * age:
            turns.pop(0)
            side = 1 - side
        if len(zeros) >= 3:
            above, below = max(above, gap), max(below, -gap)
    return Cycle(above, below, zeros[5] - zeros[3])


def _driven(gap: float, push: float, rate: float, length: float) -> float:
    """The gap after a time of constant push: gap' = push - rate gap."""
    if rate == 0:
        return gap + push * length
    return gap * math.exp(-rate * length) - push / rate * math.expm1(-rate * length)


def _until_zero(gap: float, push: float, rate: float) -> float:
    """Time in which a push against the gap brings it to zero."""
    return math.log1p(-rate * gap / push) / rate if rate else -gap / push
