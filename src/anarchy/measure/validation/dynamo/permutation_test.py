"""Do two simulators' runs have the same mean? A permutation test within strata.

Runs of one trace form a stratum. If both simulators are the same, their labels within it are
exchangeable, whatever the law of a run: the test is exact for any number of runs and any tails. A t
statistic of six runs a side, held against a normal law, is not: its error is estimated from the
same six runs, and four such errors are exceeded once in 100 to 400 comparisons, not once in 16,000.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

PERMUTATIONS = 20_000
"""Random relabellings; the smallest p-value is one over this number and one."""

CHUNK = 500
"""Relabellings held in memory at once."""

POWER = 0.9
"""With which the smallest detectable difference is found."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """Mean of ours minus mean of theirs, and what it would be by chance alone."""

    value: float
    error: float  # its standard deviation over relabellings
    p_value: float  # two-sided

    @property
    def z(self) -> float:
        """The difference in errors; 0 where nothing varies."""
        return self.value / self.error if self.error else 0.0


def detectable(error: float, level: float) -> float:
    """The difference that a two-sided test at `level` finds with probability `POWER`.

    Means of many runs are near enough to normal for this.
    """
    return float((ndtri(1 - level / 2) + ndtri(POWER)) * error)


def compare_runs(
    theirs: Sequence[Sequence[float]],
    mine: Sequence[Sequence[float]],
    permutations: int = PERMUTATIONS,
) -> Difference:
    """Compare runs, one sequence a stratum; all of equal length. Deterministic."""
    own, other = np.array(mine, dtype=float), np.array(theirs, dtype=float)
    both = np.concatenate([own, other], axis=1)
    observed = float(own.mean() - other.mean())
    rng = np.random.default_rng(np.random.SeedSequence([both.shape[0], both.shape[1]]))
    drawn = np.concatenate(
        [
            _relabelled(both, min(CHUNK, permutations - k), rng)
            for k in range(0, permutations, CHUNK)
        ]
    )
    # Relabellings that give back the data must count in spite of the last bits of their sums.
    as_far = int((np.abs(drawn) >= abs(observed) * (1 - 1e-9)).sum())
    return Difference(observed, float(drawn.std()), (1 + as_far) / (1 + permutations))


def _relabelled(both: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Differences of means after `count` random relabellings within each row of `both`."""
    shuffled = rng.permuted(np.broadcast_to(both, (count, *both.shape)), axis=2)
    half = both.shape[1] // 2
    differences: Floats = shuffled[:, :, :half].mean(axis=(1, 2)) - shuffled[:, :, half:].mean(
        axis=(1, 2)
    )
    return differences
