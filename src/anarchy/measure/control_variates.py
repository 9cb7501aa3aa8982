"""Control variates: means and quantiles with narrower intervals, from the same runs.

A control is a quantity of the run whose mean is known to be zero, by what the run is fed with and
not by how the simulator works. Regressing the observations on the controls explains a part of
their scatter; the intercept is the estimate. Its mean is that of the observations whatever the
regression finds, so a simulator that is wrong stays wrong, but shows it sooner.

Sources: Lavenberg and Welch (1981) and Nelson (1990) for the regression and its interval; Henderson
and Glynn (2002) for controls that are martingales built from a guess of the answer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anarchy.measure.intervals import Interval

Floats = NDArray[np.float64]

RELATIVE_TOLERANCE = 1e-6
"""Width of the final bracket of a quantile or of its limits, relative to the first guess."""

LARGEST_QUANTILE = 100.0
"""A quantile or a limit beyond this multiple of the first guess counts as not found."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error and the degrees of freedom behind that; n observations."""

    value: float
    error: float
    freedom: int
    n: int

    def half_width(self, confidence: float = 0.95) -> float:
        """Half the width of the Student t interval."""
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, (1 + confidence) / 2)) * self.error

    def interval(self, confidence: float = 0.95) -> Interval:
        """The Student t interval."""
        half = self.half_width(confidence)
        return Interval(self.value, self.value - half, self.value + half, self.n)

    def p_value(self, expected: float) -> float:
        """How probable so large a distance from `expected` is if that is the mean (two-sided)."""
        from scipy.special import stdtr

        distance = abs(self.value - expected)
        if self.error == 0:
            return float(distance == 0)
        return 2 * float(stdtr(self.freedom, -distance / self.error))


def batch_means(series: NDArray[Any], count: int) -> Floats:
    """Means of `count` equal runs of consecutive entries; what is left over at the end is dropped.

    Raises ValueError where there are fewer entries than batches.
    """
    size = len(series) // count
    if size < 1:
        raise ValueError(f"{len(series)} observations do not fill {count} batches")
    means: Floats = np.asarray(series[: size * count], dtype=float).reshape(count, size).mean(1)
    return means


def controlled_mean(values: Floats, controls: Floats | None = None) -> Estimate:
    """The mean of n observations, adjusted by controls (n x q) whose means are zero.

    Observations are independent, as replications or long batches are. The regression has an
    intercept and q slopes, which leaves n - q - 1 degrees of freedom; the t interval is exact if
    observations and controls are jointly normal. Without controls it is the usual one.
    Raises ValueError for n < q + 2 and for controls that are constant or linearly dependent.
    """
    n = len(values)
    table = np.empty((n, 0)) if controls is None else np.asarray(controls, dtype=float)
    q = table.shape[1]
    if len(table) != n or n < q + 2:
        raise ValueError(f"{n} observations and {len(table)} rows of {q} controls: too few")
    scale = table.std(axis=0)
    centre = table.mean(axis=0)
    if not (scale > 0).all():
        raise ValueError("a control is constant")
    scaled = (table - centre) / scale
    slopes, _, rank, _ = np.linalg.lstsq(scaled, values - values.mean(), rcond=None)
    if rank < q:
        raise ValueError("the controls are linearly dependent")
    residuals = values - values.mean() - scaled @ slopes
    freedom = n - q - 1
    variance = float(residuals @ residuals) / freedom
    offset = centre / scale
    leverage = float(offset @ np.linalg.solve(scaled.T @ scaled, offset)) if q else 0.0
    return Estimate(
        value=float(values.mean() - offset @ slopes),
        error=math.sqrt(variance * (1 / n + leverage)),
        freedom=freedom,
        n=n,
    )


def zero_mean_p_value(controls: Floats) -> float:
    """Hotelling's test that n observations of q quantities have means of zero: its p-value.

    Control variates would hide a fault of what a run is fed with, so their means are tested on
    their own. Raises ValueError unless n > q.
    """
    from scipy.special import fdtrc

    n, q = controls.shape
    if n <= q:
        raise ValueError(f"{n} observations are too few for {q} controls")
    scale = controls.std(axis=0, ddof=1)
    scaled = controls / scale
    centre = scaled.mean(axis=0)
    covariance = np.atleast_2d(np.cov(scaled, rowvar=False))
    statistic = n * float(centre @ np.linalg.solve(covariance, centre))
    return float(fdtrc(q, n - q, (n - q) / (q * (n - 1)) * statistic))


def quantile_interval(
    exceeds: Callable[[float], Estimate],
    probability: float,
    guess: float,
    confidence: float = 0.95,
) -> Interval:
    """Where P(quantity > x) = `probability`, by inverting the intervals of that probability.

    `exceeds(x)` estimates P(quantity > x). The interval holds the x at which a t test does not
    reject `probability`, so no density is estimated. `guess` > 0 starts the search. A limit that
    lies beyond `LARGEST_QUANTILE` guesses is None, as is one below 0; a value out there raises
    ValueError.
    """

    def root(shift: float) -> float | None:
        def above(x: float) -> bool:
            estimate = exceeds(x)
            return estimate.value + shift * estimate.half_width(confidence) > probability

        low, high = 0.0, guess
        while above(high):
            low, high = high, 2 * high
            if high > LARGEST_QUANTILE * guess:
                return None
        while high - low > RELATIVE_TOLERANCE * guess:
            middle = (low + high) / 2
            if above(middle):
                low = middle
            else:
                high = middle
        return high if low > 0 else None

    value = root(0.0)
    if value is None:
        raise ValueError(f"no quantile near {guess}")
    return Interval(value, root(-1.0), root(1.0), exceeds(value).n)
