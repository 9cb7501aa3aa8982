"""How indices follow what runs have lost, over many runs of which a bracket says how much.

An index of a run is one number, its loss lies between two. So of two runs one has surely lost more
only if their brackets do not overlap; `order` counts these pairs alone. Rank correlations with
either end and slopes over the middle say more and prove less.
"""

from collections.abc import Callable

import numpy as np

from anarchy.serving.log.request_log import Floats

KNOWN = 0.9
"""Of the pairs an index has to be defined in so many, or its order is not."""

AT_A_TIME = 256
"""Members whose pairs of runs are compared at once: it bounds the memory."""


def order(index: Floats, least: Floats, most: Floats) -> tuple[Floats, int]:
    """Kendall's coefficient of each member over the pairs of runs that have surely an order.

    `index` is runs x members, `least` and `most` have one loss a run. 1 if the index is larger
    wherever more was lost, -1 if it is smaller; pairs of equal indices count 0, the few with an
    undefined one not at all. With it the number of the pairs.
    """
    worse, better = np.nonzero(least[:, None] > most[None, :])
    found = np.full(index.shape[1], np.nan)
    if not len(worse):
        return found, 0
    for first in range(0, index.shape[1], AT_A_TIME):
        part = index[:, first : first + AT_A_TIME]
        signs = np.sign(part[worse] - part[better])
        known = np.isfinite(signs)
        counted = np.where(known.mean(axis=0) >= KNOWN, known.sum(axis=0), np.nan)
        found[first : first + AT_A_TIME] = np.where(known, signs, 0.0).sum(axis=0) / counted
    return found, len(worse)


def rank_correlations(index: Floats, losses: Floats) -> Floats:
    """Spearman's coefficients of each member's index with each of some losses: losses x members.

    `index` is runs x members, `losses` is runs x k; equal values share ranks. Runs in which an
    index is undefined are left out of its own; undefined (nan) are those of fewer than three runs,
    or of equal values.
    """
    return _by_runs(index, losses, _correlated)


def slopes(index: Floats, losses: Floats) -> Floats:
    """The regression of each log index on the log of each loss: 1 for an index that is the loss.

    As above; runs with an index that is not positive are left out, too.
    """
    return _by_runs(np.log(np.where(index > 0, index, np.nan)), np.log(losses), _regressed)


def _by_runs(
    index: Floats, losses: Floats, statistic: Callable[[Floats, Floats], Floats]
) -> Floats:
    """A statistic of members, for all together that are defined in the same runs."""
    found = np.full((losses.shape[1], index.shape[1]), np.nan)
    kinds, kind = np.unique(np.isfinite(index), axis=1, return_inverse=True)
    for number, runs in enumerate(kinds.T):
        if runs.sum() > 2:
            alike = kind.reshape(-1) == number
            found[:, alike] = statistic(index[runs][:, alike], losses[runs])
    return found


def _correlated(index: Floats, losses: Floats) -> Floats:
    from scipy.stats import rankdata  # here, so that others start sooner without

    y, x = (_centred(rankdata(values, axis=0)) for values in (index, losses))
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Floats = x.T @ y / np.sqrt(np.outer((x * x).sum(axis=0), (y * y).sum(axis=0)))
    return result


def _regressed(index: Floats, losses: Floats) -> Floats:
    x = _centred(losses)
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Floats = x.T @ _centred(index) / (x * x).sum(axis=0)[:, None]
    return result


def _centred(values: Floats) -> Floats:
    centred: Floats = values - values.mean(axis=0)
    return centred
