"""The per-run measures, found by name: one number from one run.

Measures over requests use the measured ones (done within the window after warm-up); utilisations
and rates use the window itself. A measure is None where the run does not define it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from anarchy.config import Estimator
from anarchy.errors import InputError, suggest
from anarchy.measure.estimator import Itl, check_estimator, poa_hat
from anarchy.serving.log import Floats, Ints, RequestLog, Run

ESTIMATOR_PREFIX = "poa-hat:"

Rows = Ints | slice
RequestStatistic = Callable[[RequestLog, Rows], float]
"""A statistic of the given rows of a log; the rows may repeat, as in a bootstrap."""


@dataclass(frozen=True)
class Measure:
    """A named number of one run: `label` for axes, `unit` one of "s", "1", "1/s".

    `compute` takes the run and the deployment's inter-token latency, which only estimators use.
    `statistic` is set for means, percentiles and ratios of per-request columns: those have a
    block bootstrap within one run.
    """

    name: str
    label: str
    unit: str
    compute: Callable[[Run, Itl], float | None]
    statistic: RequestStatistic | None = None


def get_measure(name: str, estimators: Mapping[str, Estimator]) -> Measure:
    """The measure called `name`; `poa-hat:<x>` is the estimator `x` of the experiment.

    Raises InputError for an unknown name, with the nearest allowed one, and for an estimator
    whose options contradict each other.
    """
    if name in MEASURES:
        return MEASURES[name]
    estimator = name.removeprefix(ESTIMATOR_PREFIX)
    if estimator == name or estimator not in estimators:
        allowed = [*MEASURES, *(ESTIMATOR_PREFIX + e for e in estimators)]
        raise InputError(f"unknown measure '{name}'; {suggest(name, allowed)}")
    options = estimators[estimator]
    try:
        check_estimator(options)
    except InputError as fault:
        raise InputError(f"estimators.{estimator}: {fault}") from None
    return Measure(name, f"PoA-hat ({estimator})", "1", lambda run, itl: poa_hat(run, options, itl))


def request_statistic(name: str) -> RequestStatistic | None:
    """The per-request statistic behind a measure, or None if it has none."""
    return MEASURES[name].statistic if name in MEASURES else None


def _of_requests(name: str, label: str, unit: str, statistic: RequestStatistic) -> Measure:
    def compute(run: Run, itl: Itl) -> float | None:
        return statistic(run.log.select(run.measured), slice(None)) if run.measured.any() else None

    return Measure(name, label, unit, compute, statistic)


def _of_run(name: str, label: str, unit: str, compute: Callable[[Run], float | None]) -> Measure:
    return Measure(name, label, unit, lambda run, itl: compute(run))


def _mean(column: Callable[[RequestLog], Floats]) -> RequestStatistic:
    return lambda log, rows: float(column(log)[rows].mean())


def _percentile(column: Callable[[RequestLog], Floats], percent: float) -> RequestStatistic:
    """Linear interpolation between order statistics, as numpy does by default."""
    return lambda log, rows: float(np.percentile(column(log)[rows], percent))


def _prefix_reuse(log: RequestLog, rows: Rows) -> float:
    return float(log.cached_tokens[rows].sum() / log.input_tokens[rows].sum())


def _throughput(run: Run) -> float | None:
    length = run.end - run.start
    return float(run.measured.sum() / length) if length > 0 else None


def _utilisation(busy: Callable[[Run], Floats]) -> Callable[[Run], float | None]:
    def largest(run: Run) -> float | None:
        length = run.end - run.start
        return float(busy(run).max() / length) if length > 0 else None

    return largest


def _decode_imbalance(run: Run) -> float | None:
    """Requests of the most used decode worker over the mean per worker: 1 to the pool's size."""
    if not run.measured.any():
        return None
    counts = np.bincount(run.log.decode_worker[run.measured], minlength=len(run.decode_busy))
    return float(counts.max() / counts.mean())


def _beyond_table(run: Run) -> float | None:
    """Share of requests whose context outgrows the latency table before they are done."""
    log = run.log.select(run.measured)
    if len(log) == 0:
        return None
    return float((log.input_tokens + log.output_tokens > run.table_context).mean())


def _ttft(log: RequestLog) -> Floats:
    return log.ttft


def _itl(log: RequestLog) -> Floats:
    return log.itl


def _e2e(log: RequestLog) -> Floats:
    return log.e2e


def _prefill_wait(log: RequestLog) -> Floats:
    wait: Floats = log.prefill_start - log.arrival
    return wait


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        _of_run("requests", "Measured requests", "1", lambda run: float(run.measured.sum())),
        _of_run("throughput", "Throughput", "1/s", _throughput),
        _of_requests("ttft-mean", "Mean TTFT", "s", _mean(_ttft)),
        _of_requests("ttft-p50", "TTFT P50", "s", _percentile(_ttft, 50)),
        _of_requests("ttft-p99", "TTFT P99", "s", _percentile(_ttft, 99)),
        _of_requests("itl-mean", "Mean ITL", "s", _mean(_itl)),
        _of_requests("e2e-mean", "Mean end-to-end latency", "s", _mean(_e2e)),
        _of_requests("e2e-p99", "End-to-end latency P99", "s", _percentile(_e2e, 99)),
        _of_requests("prefill-wait-mean", "Mean wait for prefill", "s", _mean(_prefill_wait)),
        _of_requests("prefix-reuse", "Prefix reuse", "1", _prefix_reuse),
        _of_run(
            "prefill-busy",
            "Utilisation of the busiest prefill worker",
            "1",
            _utilisation(lambda run: run.prefill_busy),
        ),
        _of_run(
            "prefill-load",
            "Load of the busiest prefill worker",
            "1",
            _utilisation(lambda run: run.prefill_work),
        ),
        _of_run(
            "decode-busy",
            "Utilisation of the busiest decode worker",
            "1",
            _utilisation(lambda run: run.decode_busy),
        ),
        _of_run(
            "busiest",
            "Utilisation of the busiest worker",
            "1",
            _utilisation(lambda run: np.concatenate([run.prefill_busy, run.decode_busy])),
        ),
        _of_run("decode-imbalance", "Decode imbalance (max/mean)", "1", _decode_imbalance),
        _of_run("beyond-table", "Requests beyond the latency table", "1", _beyond_table),
        _of_run(
            "extrapolated",
            "Look-ups beyond the latency table",
            "1",
            lambda run: float(run.extrapolated),
        ),
    )
}
