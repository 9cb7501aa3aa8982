"""Arrival processes: a generator and parameters in, an iterator of times out.

Every process yields non-decreasing times in seconds from 0 as Python floats. The clock that
takes them decides when to stop; only `phases` with a finite last phase ends by itself. Equal
generators give equal times.

Sources: W. Fischer, K. Meier-Hellstern, The Markov-modulated Poisson process (MMPP) cookbook,
Performance Evaluation 18 (1993), for the MMPP and its index of dispersion; D. R. Cox,
P. A. W. Lewis, The statistical analysis of series of events (1966), for the change of time that
turns unit exponentials into a process with a varying rate.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anarchy.common.errors import InputError
from anarchy.workload.random_streams import exponentials, uniforms

Matrix = NDArray[np.float64]

BALANCE = 1e-9
"""Largest row sum of a generator matrix, as a share of its largest entry."""

MOST_TRANSITIONS = 1e6
"""Transitions of an MMPP between two arrivals, on average; each of them is simulated."""


def poisson(rng: np.random.Generator, rate: float) -> Iterator[float]:
    """A Poisson process of `rate` arrivals per second, without end."""
    _check_rate("rate", rate)
    if rate == 0:
        raise InputError("rate: 0, allowed are numbers above 0")
    time = 0.0
    for gap in exponentials(rng, 1.0 / rate):
        time += gap
        yield time


def phases(rng: np.random.Generator, steps: Sequence[tuple[float, float]]) -> Iterator[float]:
    """Poisson arrivals whose rate steps: (duration in seconds, rate per second) for each phase.

    The last duration may be infinite. The process ends with the last phase. Two lists of phases
    with equal total rate up to every time have equal arrivals, whatever the cuts between them.
    """
    _check_phases(steps)
    work = exponentials(rng, 1.0)
    start = 0.0
    needed = next(work)  # expected arrivals still to pass before the next arrival
    for duration, rate in steps:
        position = 0.0
        while rate > 0 and (gap := needed / rate) <= duration - position:
            position += gap
            yield start + position
            needed = next(work)
        if duration == math.inf:
            return
        needed -= rate * (duration - position)
        start += duration


def mmpp(rng: np.random.Generator, rates: Sequence[float], switching: ArrayLike) -> Iterator[float]:
    """A Markov-modulated Poisson process, without end, started in its stationary state.

    In state i, arrivals are Poisson with `rates[i]` per second. `switching` is the generator
    matrix of the n >= 2 states: n x n, off-diagonal entries are transitions per second, rows sum
    to 0, and every state reaches every other one.
    """
    matrix = _generator(rates, switching)
    law = _stationary(matrix)
    weights = np.cumsum(law)
    state = min(int(np.searchsorted(weights, rng.random(), side="right")), len(rates) - 1)
    leaving = -np.diag(matrix)
    arrivals = float(law @ np.asarray(rates, dtype=np.float64))
    if float(law @ leaving) > MOST_TRANSITIONS * arrivals:
        raise InputError(
            f"switching: more than {MOST_TRANSITIONS:,.0f} transitions between two arrivals on "
            "average; let the states last longer or raise the rates"
        )
    jumps = np.where(np.eye(len(rates), dtype=bool), 0.0, matrix)
    targets = np.cumsum(jumps / leaving[:, None], axis=1)
    work, picks = exponentials(rng, 1.0), uniforms(rng)
    start, needed = 0.0, next(work)
    while True:
        sojourn = next(work) / float(leaving[state])
        rate = float(rates[state])
        position = 0.0
        while rate > 0 and (gap := needed / rate) <= sojourn - position:
            position += gap
            yield start + position
            needed = next(work)
        needed -= rate * (sojourn - position)
        start += sojourn
        reached = int(np.searchsorted(targets[state], next(picks), side="right"))
        state = min(reached, len(rates) - 1)


def mmpp_rate(rates: Sequence[float], switching: ArrayLike) -> float:
    """The mean rate of an MMPP, arrivals per second: its rates weighted by time in each state."""
    matrix = _generator(rates, switching)
    return float(_stationary(matrix) @ np.asarray(rates, dtype=np.float64))


def mmpp_dispersion(rates: Sequence[float], switching: ArrayLike) -> float:
    """The index of dispersion of an MMPP's counts in the limit of long windows.

    It is 1 + 2 pi R D R 1 / (pi R 1), where pi is the stationary law, R = diag(rates) and
    D = (1 pi - Q)^-1 - 1 pi the deviation matrix of the generator Q; 1 for a Poisson process.
    """
    matrix = _generator(rates, switching)
    law = _stationary(matrix)
    values = np.asarray(rates, dtype=np.float64)
    projection = np.ones((len(values), 1)) * law
    deviation = np.linalg.inv(projection - matrix) - projection
    mean = float(law @ values)
    return 1.0 + 2.0 * float((law * values) @ deviation @ values) / mean


def faster(times: Iterable[float], speed: float) -> Iterator[float]:
    """The times of a process that runs `speed` times as fast."""
    if not (math.isfinite(speed) and speed > 0):
        raise InputError(f"speed: {speed}, allowed are finite numbers above 0")
    return (time / speed for time in times)


def _check_rate(key: str, rate: float) -> None:
    if not (math.isfinite(rate) and rate >= 0):
        raise InputError(f"{key}: {rate}, allowed are finite numbers from 0")


def _check_phases(steps: Sequence[tuple[float, float]]) -> None:
    if not steps:
        raise InputError("phases: none given, at least one (duration, rate) is wanted")
    for index, (duration, rate) in enumerate(steps):
        last = index == len(steps) - 1
        if not duration > 0 or (duration == math.inf and not last):
            allowed = "numbers above 0" if last else "finite numbers above 0"
            raise InputError(f"phases.{index}.duration: {duration}, allowed are {allowed}")
        _check_rate(f"phases.{index}.rate", rate)


def _generator(rates: Sequence[float], switching: ArrayLike) -> Matrix:
    matrix = np.asarray(switching, dtype=np.float64)
    states = len(rates)
    if states < 2:
        raise InputError(f"rates: {states} states, at least 2 are wanted")
    for index, rate in enumerate(rates):
        _check_rate(f"rates.{index}", rate)
    if not any(rates):
        raise InputError("rates: all are 0, at least one above 0 is wanted")
    if matrix.shape != (states, states) or not np.isfinite(matrix).all():
        raise InputError(f"switching: {states} x {states} finite numbers are wanted")
    apart = matrix[~np.eye(states, dtype=bool)]
    if (apart < 0).any():
        raise InputError("switching: off-diagonal entries must not be negative")
    if np.abs(matrix.sum(axis=1)).max() > BALANCE * np.abs(matrix).max():
        raise InputError("switching: every row must sum to 0")
    linked = np.linalg.matrix_power(np.eye(states) + (matrix > 0), states) > 0
    if not linked.all():
        raise InputError("switching: every state must reach every other state")
    return matrix


def _stationary(matrix: Matrix) -> Matrix:
    """The law that the generator leaves unchanged: pi Q = 0, its sum 1."""
    states = len(matrix)
    equations = np.vstack([matrix.T, np.ones(states)])
    law: Matrix = np.linalg.lstsq(equations, np.append(np.zeros(states), 1.0))[0]
    return law
