"""Local search over assignments: replays in which a few requests go elsewhere.

A round proposes a move in each of some stretches of the run: a request, the likelier the longer it
waits, or the one before it on its worker, goes to another worker or changes places with a
neighbour. One replay makes all of them. What a move changes it changes nearby first, so moves are
kept where their stretch has gained, and a second replay makes these alone. The better of both is
the next plan unless it is worse than the last by more than a slack, which shrinks to nothing
(threshold accepting, Dueck and Scheuer 1990). The number of stretches is drawn anew each time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from anarchy.serving.log.request_log import Floats, Ints, RequestLog

PREFILL, DECODE = range(2)
"""The columns of a plan."""

SLACK = 0.3
"""By how much of a request's mean cost the sum of all may grow in a round, at first."""

NEARBY = 512
"""Requests before another among which those are sought that are still there."""


@dataclass(frozen=True)
class Neighbourhood:
    """How a plan (requests x 2) is replayed, the cost of each request in seconds, whose mean is to
    be small, and the numbers of prefill and decode workers."""

    replay: Callable[[Ints], RequestLog]
    costs: Callable[[RequestLog], Floats]
    workers: tuple[int, int]


def explored(
    near: Neighbourhood, plan: Ints, replays: int, rng: np.random.Generator
) -> Iterator[RequestLog]:
    """The logs of all replays, the first of `plan` itself; at most so many.

    Equal arguments, the generator's state among them, give equal logs.
    """
    left = replays
    if left < 1 or max(near.workers) == 1:
        return
    log = near.replay(plan)
    yield log
    while (left := left - 1) > 0 and len(log) > 1:
        moves = int(np.exp(rng.uniform(0, np.log(len(log) / 2))))
        tried = [_proposed(near, plan, log, moves, rng)]
        yield tried[0].log
        if left > 1 and not tried[0].gained.all() and tried[0].gained.any():
            left -= 1
            tried.append(_kept(near, plan, tried[0]))
            yield tried[1].log
        best = min(tried, key=lambda trial: float(near.costs(trial.log).mean()))
        slack = SLACK * left / replays / len(log)
        if near.costs(best.log).mean() < near.costs(log).mean() * (1 + slack):
            plan, log = best.plan, best.log


@dataclass(frozen=True)
class _Trial:
    """A plan that was replayed; the rows that each stretch has changed, and whether it gained."""

    plan: Ints
    log: RequestLog
    rows: list[list[int]]
    gained: Ints


def _proposed(
    near: Neighbourhood, plan: Ints, log: RequestLog, moves: int, rng: np.random.Generator
) -> _Trial:
    """A move in each of so many stretches."""
    stretches = [slice(*ends) for ends in pairwise(np.linspace(0, len(plan), moves + 1, dtype=int))]
    proposed, rows = plan.copy(), []
    for stretch in stretches:
        moved = _move(near.workers, plan, log, stretch, rng)
        for row, workers in moved.items():
            proposed[row] = workers
        rows.append(list(moved))
    other = near.replay(proposed)
    before, after = near.costs(log), near.costs(other)
    gained = np.array([before[s].sum() > after[s].sum() for s in stretches])
    return _Trial(proposed, other, rows, gained)


def _kept(near: Neighbourhood, plan: Ints, trial: _Trial) -> _Trial:
    """The moves of the stretches that gained."""
    kept = plan.copy()
    for rows, gained in zip(trial.rows, trial.gained, strict=True):
        if gained:
            kept[rows] = trial.plan[rows]
    return _Trial(kept, near.replay(kept), trial.rows, trial.gained)


def _move(
    workers: tuple[int, int], plan: Ints, log: RequestLog, stretch: slice, rng: np.random.Generator
) -> dict[int, Ints]:
    """New rows of a plan for one or two requests of a stretch."""
    pool = _pool(workers, log, stretch, rng)
    row = _waiting(log, pool, stretch, rng)
    at = plan[:, pool]
    before = np.flatnonzero(at[stretch.start : row] == at[row])
    if len(before) and rng.random() < 0.5:
        row = stretch.start + int(before[-1])
    rows = {row: plan[row].copy()}
    others = np.flatnonzero(at[row + 1 : stretch.stop] != at[row])
    if len(others) and rng.random() < 0.25:
        other = row + 1 + int(others[0])
        rows[other] = plan[other].copy()
        rows[row][pool], rows[other][pool] = at[other], at[row]
    else:
        rows[row][pool] = _elsewhere(workers[pool], at, log, row, pool, rng)
    return rows


def _pool(
    workers: tuple[int, int], log: RequestLog, stretch: slice, rng: np.random.Generator
) -> int:
    """The pool in which somebody is moved: one with a choice, the likelier the more is waited."""
    if min(workers) == 1:
        return int(np.argmax(workers))
    waits = [_waits(log, pool)[stretch].sum() for pool in (PREFILL, DECODE)]
    return int(rng.random() * sum(waits) >= waits[PREFILL])


def _waiting(log: RequestLog, pool: int, stretch: slice, rng: np.random.Generator) -> int:
    """A row of a stretch, whose last ones may not be in the log: half by waits, half any."""
    first: int = stretch.start
    waits = np.zeros(stretch.stop - first)
    logged = _waits(log, pool)[stretch]
    waits[: len(logged)] = logged
    if waits.any() and rng.random() < 0.5:
        return first + int(rng.choice(len(waits), p=waits / waits.sum()))
    return first + int(rng.integers(len(waits)))


def _waits(log: RequestLog, pool: int) -> Floats:
    """Seconds of each request in a pool, in decode less what its tokens take at least."""
    if pool == PREFILL:
        return log.prefill_end - log.arrival
    waits: Floats = np.maximum(0.0, log.done - log.routed - log.itl.min() * log.output_tokens)
    return waits


def _elsewhere(
    workers: int, at: Ints, log: RequestLog, row: int, pool: int, rng: np.random.Generator
) -> int:
    """Another worker; in half of the cases the one with the fewest requests."""
    others: list[int] = [worker for worker in range(workers) if worker != at[row]]
    if row >= len(log) or rng.random() < 0.5:
        return others[int(rng.integers(len(others)))]
    comes, ends = (log.arrival, log.prefill_end) if pool == PREFILL else (log.routed, log.done)
    near = slice(max(0, row - NEARBY), row)
    there = at[near][ends[near] > comes[row]]
    counts = np.bincount(there[there >= 0], minlength=workers)
    return min(others, key=counts.tolist().__getitem__)
