"""Intervals: Student t over replications, paired comparisons, and the block bootstrap of a trace.

Everything is deterministic: the t intervals use no random numbers, the bootstrap only those of
the generator it is given.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """A value with its confidence limits; `n` counts the observations behind it.

    `lo` and `hi` are None where the data cannot give an interval (a single observation, an
    infinite one, too few blocks, an unbounded ratio).
    """

    value: float
    lo: float | None
    hi: float | None
    n: int

    def excludes(self, point: float) -> bool:
        """Whether the interval exists and `point` lies outside it."""
        return self.lo is not None and self.hi is not None and not self.lo <= point <= self.hi


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The mean of independent replications with its Student t interval.

    One value has no interval; equal values have one of width 0; an infinite value makes the mean
    infinite, without an interval. Raises ValueError for no values, for NaN, for infinities of
    both signs, and for a confidence outside (0, 1).
    """
    _check_confidence(confidence)
    n = len(values)
    if n == 0:
        raise ValueError("the mean of no values")
    if any(math.isnan(v) for v in values):
        raise ValueError("a replication gave NaN")
    if any(math.isinf(v) for v in values):
        return Interval(math.fsum(values), None, None, n)
    if min(values) == max(values):
        value = float(values[0])
        limit = value if n > 1 else None
        return Interval(value, limit, limit, n)
    mean = math.fsum(values) / n
    variance = math.fsum((v - mean) ** 2 for v in values) / (n - 1)
    half = _t_quantile(n, confidence) * math.sqrt(variance / n)
    return Interval(mean, mean - half, mean + half, n)


def paired_difference(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> Interval:
    """The mean of a_i - b_i with its t interval; a_i and b_i share the replication i.

    They differ only if `.excludes(0)`. Raises ValueError for unequal lengths, and where the
    difference of two infinities is undefined.
    """
    _check_pairs(a, b)
    return mean_interval([x - y for x, y in zip(a, b, strict=True)], confidence)


def paired_ratio(
    a: Sequence[float], b: Sequence[float], confidence: float = 0.95
) -> Interval | None:
    """The ratio of the means of paired a and b, with Fieller's interval.

    The interval holds the r for which a paired t test does not reject mean(a) = r mean(b), so it
    contains 1 exactly when the interval of `paired_difference` contains 0. Limits are None where
    that set is unbounded (mean(b) itself is not told apart from 0). None if mean(b) <= 0 or a
    value is infinite: the ratio of costs is then refused.
    """
    _check_confidence(confidence)
    _check_pairs(a, b)
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if len(x) == 0 or not (np.isfinite(x).all() and np.isfinite(y).all()) or y.mean() <= 0:
        return None
    n, mean_x, mean_y = len(x), float(x.mean()), float(y.mean())
    ratio = mean_x / mean_y
    if n == 1:
        return Interval(ratio, None, None, n)
    dx, dy = x - mean_x, y - mean_y
    sxx, syy, sxy = (float(u @ v) / (n - 1) for u, v in ((dx, dx), (dy, dy), (dx, dy)))
    residual = dx - ratio * dy
    q = _t_quantile(n, confidence) ** 2 / n
    leading = mean_y**2 - q * syy
    if leading <= 0:
        return Interval(ratio, None, None, n)
    # The discriminant, written without the cancellation of (b*b - a*c).
    spread = mean_y**2 * float(residual @ residual) / (n - 1) - q * (sxx * syy - sxy**2)
    half = math.sqrt(max(0.0, q * spread))
    centre = mean_x * mean_y - q * sxy
    return Interval(ratio, (centre - half) / leading, (centre + half) / leading, n)


def block_bootstrap(
    statistic: Callable[[Indices], float],
    n: int,
    block: int,
    resamples: int,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> Interval:
    """Percentile interval of a statistic of n consecutive requests, resampled in whole blocks.

    `statistic` receives n row indices, first 0 .. n-1 (its value is the estimate) and then, per
    resample, circular blocks of `block` consecutive rows with uniform starts; keeping neighbours
    together keeps their dependence. For a paired comparison of two runs of one trace pass
    `lambda rows: f(a, rows) - f(b, rows)`: both sides then see the same requests.

    With fewer than two whole blocks every resample is nearly the same data, which would look like
    certainty: there is then no interval. Raises ValueError for n, block or resamples below 1.
    Source: Politis and Romano (1992), the circular block bootstrap.
    """
    _check_confidence(confidence)
    if min(n, block, resamples) < 1:
        raise ValueError(f"n, block and resamples are at least 1, not {n}, {block}, {resamples}")
    value = float(statistic(np.arange(n)))
    if 2 * block > n:
        return Interval(value, None, None, n)
    circle = np.arange(n + block) % n
    offsets = np.arange(block)
    blocks = -(-n // block)
    drawn = np.empty(resamples)
    for k in range(resamples):
        starts = rng.integers(n, size=blocks)
        rows = circle[(starts[:, None] + offsets).reshape(-1)[:n]]
        drawn[k] = statistic(rows)
    lo, hi = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(lo), float(hi), n)


def _t_quantile(n: int, confidence: float) -> float:
    # Imported here: jobs that only simulate need no quantile and start sooner without SciPy.
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + confidence) / 2))


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence lies between 0 and 1, not {confidence}")


def _check_pairs(a: Sequence[float], b: Sequence[float]) -> None:
    if len(a) != len(b):
        raise ValueError(f"pairs need equally many values, not {len(a)} and {len(b)}")
