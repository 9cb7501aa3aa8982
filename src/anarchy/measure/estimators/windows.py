"""Which requests are matched together: windows of the measured requests, in order of time.

A window is an array of row numbers of the log, in order of the decode decisions. All measured
requests lie between `start` and `end` of the run.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from anarchy.common.registry import Registry
from anarchy.config.estimator import Estimator
from anarchy.measure.estimators.observed import Observed
from anarchy.serving.log.request_log import Floats, Ints

Windows = Callable[[Observed, Estimator], Sequence[Ints]]

WINDOWS: Registry[Windows] = Registry("windowing")


@WINDOWS.register("last-n")
def last_n(observed: Observed, options: Estimator) -> Sequence[Ints]:
    """`window` consecutive decisions; windows follow each other, an incomplete one is dropped."""
    return _consecutive(observed.decisions, options.window)


@WINDOWS.register("one-per-worker")
def one_per_worker(observed: Observed, _: Estimator) -> Sequence[Ints]:
    """As many consecutive decisions as there are decode workers: n = m."""
    return _consecutive(observed.decisions, observed.workers)


@WINDOWS.register("time")
def fixed_time(observed: Observed, options: Estimator) -> Sequence[Ints]:
    """The decisions of each whole interval of `seconds`; empty ones are dropped."""
    return [rows for rows in _intervals(observed, options.seconds) if len(rows)]


@WINDOWS.register("last-n-in-time")
def last_n_in_time(observed: Observed, options: Estimator) -> Sequence[Ints]:
    """The last `window` decisions of each whole interval of `seconds`, fewer if it has fewer."""
    return [rows[-options.window :] for rows in fixed_time(observed, options)]


@WINDOWS.register("in-flight")
def in_flight(observed: Observed, options: Estimator) -> Sequence[Ints]:
    """Every `seconds`, the requests that have arrived and are not done."""
    return _present(observed, observed.log.arrival, options.seconds)


@WINDOWS.register("in-decode")
def in_decode(observed: Observed, options: Estimator) -> Sequence[Ints]:
    """Every `seconds`, the requests that have been routed to a decode worker and are not done."""
    return _present(observed, observed.log.routed, options.seconds)


def _consecutive(rows: Ints, count: int) -> list[Ints]:
    return list(rows[: len(rows) // count * count].reshape(-1, count))


def _intervals(observed: Observed, seconds: float) -> Iterator[Ints]:
    rows, run = observed.decisions, observed.run
    first = observed.log.routed[rows[0]] if len(rows) else run.start
    bounds = _ticks(first, run.end, seconds)
    cuts = np.searchsorted(observed.log.routed[rows], bounds, side="left")
    for begin, end in pairwise(cuts):
        yield rows[begin:end]


def _present(observed: Observed, since: Floats, seconds: float) -> list[Ints]:
    """The requests present at each tick, as long as the log has all that were.

    It lacks those that were not done when the run ended, so that ticks stop the longest time that
    a request took before that.
    """
    log, run = observed.log, observed.run
    longest = float((log.done - since).max(initial=0.0))
    order = np.argsort(log.routed, kind="stable")
    found = []
    for tick in _ticks(run.start, run.end - longest, seconds):
        present = order[(since[order] <= tick) & (tick < log.done[order])]
        if len(present):
            found.append(present)
    return found


def _ticks(first: float, last: float, seconds: float) -> Floats:
    """first, first + seconds, ... up to last."""
    count = int(np.floor((last - first) / seconds)) + 1 if last >= first else 0
    return first + seconds * np.arange(count, dtype=np.float64)
