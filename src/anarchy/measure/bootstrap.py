"""Block-bootstrap intervals of measures within one run, and between two runs of one trace.

For workloads that exist only once: replications would repeat the same trace.
"""

import numpy as np

from anarchy.config.settings import Bootstrap
from anarchy.measure.intervals import Indices, Interval, block_bootstrap
from anarchy.measure.measures import request_statistic
from anarchy.serving.log.request_log import RequestLog, Run


def measure_interval(
    run: Run, measure: str, options: Bootstrap, rng: np.random.Generator
) -> Interval | None:
    """The measure over the measured requests, blocks in order of arrival.

    None for a measure without a per-request statistic and for a run without measured requests.
    """
    statistic = request_statistic(measure)
    log = run.log.select(run.measured)
    if statistic is None or len(log) == 0:
        return None
    return block_bootstrap(
        lambda rows: statistic(log, rows), len(log), options.block, options.resamples, rng
    )


def difference_interval(
    log: RequestLog,
    baseline: RequestLog,
    measure: str,
    options: Bootstrap,
    rng: np.random.Generator,
) -> Interval | None:
    """The measure of `log` minus that of `baseline`: two whole logs of one trace.

    Every resample takes the same requests from both. Raises ValueError unless both logs hold the
    same prompts at the same arrivals. None as in `measure_interval`.
    """
    statistic = request_statistic(measure)
    same = np.array_equal(log.arrival, baseline.arrival)
    if not same or not np.array_equal(log.prompt, baseline.prompt):
        raise ValueError("a paired bootstrap needs two logs of the same requests")
    if statistic is None or len(log) == 0:
        return None

    def difference(rows: Indices) -> float:
        return statistic(log, rows) - statistic(baseline, rows)

    return block_bootstrap(difference, len(log), options.block, options.resamples, rng)
