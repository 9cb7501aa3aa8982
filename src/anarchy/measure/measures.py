"""The per-run measures, found by name: one number from one run.

Measures over requests use the measured ones (done within the window after warm-up); utilisations
and rates use the window itself. A measure is None where the run does not define it.

`<measure>:<tenant>` is a measure over requests, taken over those of one tenant of the workload.
`poa-hat:<estimator>` is the index by an estimator of the experiment. `loss-lo:<criterion>` and
`loss-hi:<criterion>` are the limits of what the run, or a phase of it, lost (see `bracket`),
`found:<criterion>` and `bound:<criterion>` what it is compared with.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from anarchy.common.errors import InputError, suggest
from anarchy.common.registry import Registry
from anarchy.config.estimator import Estimator
from anarchy.config.scenario import Scenario
from anarchy.config.workload import Tenant
from anarchy.measure import alarms
from anarchy.measure.bracket.criteria import (
    COMPARED,
    LOSSES,
    Criterion,
    loss_name,
    optimum_name,
)
from anarchy.measure.bracket.service_limits import check_bounded
from anarchy.measure.estimators.empirical_poa import check_estimator, poa_hat
from anarchy.measure.estimators.observed import Itl
from anarchy.measure.slo import OBJECTIVES, Objective, attainment, goodput, has_objective
from anarchy.serving.log.held_requests import decode_gap
from anarchy.serving.log.request_log import Floats, Ints, RequestLog, Run

ESTIMATOR_PREFIX = "poa-hat:"

Rows = Ints | slice
RequestStatistic = Callable[[RequestLog, Rows], float]
"""A statistic of the given rows of a log; the rows may repeat, as in a bootstrap."""


@dataclass(frozen=True)
class Deployment:
    """What measures know of the system beside its run: service times, tenants, other schedules.

    `losses` gives the rows of the run's bracket; without it the measures of its loss are None.
    """

    itl: Itl  # used by estimators
    tenants: Sequence[Tenant] = ()
    losses: Callable[[], Sequence[Mapping[str, Any]]] | None = None


@dataclass(frozen=True)
class Measure:
    """A named number of one run: `label` for axes, `unit` one of "s", "1", "1/s".

    `statistic` is set for means, percentiles and ratios of per-request columns: those have a
    block bootstrap within one run. `of_requests` says that the measure depends on the measured
    requests and the window's length alone, so that it can be asked for one tenant; `of_window`,
    that it depends on them and on what happened within the window. `objectives` are those of which
    the requests need at least one.
    """

    name: str
    label: str
    unit: str
    compute: Callable[[Run, Deployment], float | None]
    statistic: RequestStatistic | None = None
    of_requests: bool = False
    objectives: Sequence[Objective] = ()
    of_window: bool = False

    @property
    def of_phases(self) -> bool:
        """Whether it can be asked of a part of a run."""
        return self.of_requests or self.of_window


def get_measure(
    name: str, estimators: Mapping[str, Estimator], tenants: Sequence[Tenant] = ()
) -> Measure:
    """The measure called `name`; `tenants` are the workload's.

    Raises InputError for an unknown name, with the nearest allowed one, for an estimator whose
    options contradict each other, and where no request has the objective that is measured.
    """
    if name in MEASURES:
        return _with_objectives(MEASURES[name], tenants)
    parametrised: dict[str, Callable[[], Measure]] = {
        ESTIMATOR_PREFIX + key: partial(_of_estimator, key, options)
        for key, options in estimators.items()
    }
    parametrised |= {name: partial(_loss, *loss) for name, loss in LOSSES.items()}
    parametrised |= {name: partial(_optimum, *end) for name, end in COMPARED.items()}
    parametrised |= {
        f"{measure.name}:{tenant.name}": partial(_of_tenant, measure, tenants, position)
        for measure in MEASURES.values()
        if measure.of_requests
        for position, tenant in enumerate(tenants)
    }
    if name not in parametrised:
        hint = suggest(name, [*MEASURES, *parametrised])
        raise InputError(f"unknown measure '{name}'; {hint}")
    return parametrised[name]()


def check_measure(
    name: str, estimators: Mapping[str, Estimator], scenario: Scenario | None = None
) -> None:
    """Refuse a measure as `get_measure` does, and the loss of a scenario without proved bounds."""
    get_measure(name, estimators, scenario.tenants if scenario else ())
    if scenario is not None and name in {*LOSSES, *COMPARED}:
        check_bounded(scenario)


def _with_objectives(measure: Measure, tenants: Sequence[Tenant]) -> Measure:
    if measure.objectives and not has_objective(tenants, measure.objectives):
        keys = " or ".join(f"slo.{objective}" for objective in measure.objectives)
        raise InputError(
            f"measure '{measure.name}': its requests have no such objective; set {keys} of a "
            "tenant in workload.tenants"
        )
    return measure


def _of_estimator(name: str, options: Estimator) -> Measure:
    """The index (eq:poahat) by the estimator that the experiment calls `name`."""
    try:
        check_estimator(options)
    except InputError as fault:
        raise InputError(f"estimators.{name}: {fault}") from None
    return Measure(
        ESTIMATOR_PREFIX + name,
        f"PoA-hat ({name})",
        "1",
        lambda run, deployment: poa_hat(run, options, deployment.itl),
        of_window=True,
    )


def _loss(limit: str, criterion: Criterion) -> Measure:
    """What a run lost at least, or at most."""
    words = {"lo": "Least", "hi": "Most"}
    label = f"{words[limit]} loss of {criterion.label}"
    compute = _of_bracket(limit, criterion)
    return Measure(loss_name(limit, criterion), label, "1", compute, of_window=True)


def _optimum(end: str, criterion: Criterion) -> Measure:
    """What the best schedule found has, or what no schedule can beat."""
    words = {"found": "Best schedule found, ", "bound": "Bound of every schedule, "}
    name, label = optimum_name(end, criterion), words[end] + criterion.label
    compute = _of_bracket(end, criterion)
    return Measure(name, label, criterion.unit, compute, of_window=True)


def _of_bracket(field: str, criterion: Criterion) -> Callable[[Run, Deployment], float | None]:
    """A field of the run's bracket."""

    def compute(_: Run, deployment: Deployment) -> float | None:
        rows = deployment.losses() if deployment.losses else []
        return next((row[field] for row in rows if row["id"] == criterion.name), None)

    return compute


def _of_tenant(measure: Measure, tenants: Sequence[Tenant], position: int) -> Measure:
    """A measure over the requests of one tenant; recorded traces, which bootstrap, have none."""
    tenant = tenants[position]

    def compute(run: Run, deployment: Deployment) -> float | None:
        theirs = run.measured & (run.log.tenant == position)
        return measure.compute(replace(run, measured=theirs), deployment)

    named = replace(
        measure,
        name=f"{measure.name}:{tenant.name}",
        label=f"{measure.label}, {tenant.name}",
        compute=compute,
        statistic=None,
    )
    return _with_objectives(named, [tenant])


def request_statistic(name: str) -> RequestStatistic | None:
    """The per-request statistic behind a measure, or None if it has none."""
    return MEASURES[name].statistic if name in MEASURES else None


def _of_requests(name: str, label: str, unit: str, statistic: RequestStatistic) -> Measure:
    def compute(run: Run, _: Deployment) -> float | None:
        return statistic(run.log.select(run.measured), slice(None)) if run.measured.any() else None

    return Measure(name, label, unit, compute, statistic, of_requests=True)


def _of_run(
    name: str,
    label: str,
    unit: str,
    compute: Callable[[Run], float | None],
    of_requests: bool = False,
) -> Measure:
    return Measure(name, label, unit, lambda run, _: compute(run), of_requests=of_requests)


def _of_polls(name: str, label: str, unit: str, compute: Callable[[Run], float | None]) -> Measure:
    return Measure(name, label, unit, lambda run, _: compute(run), of_window=True)


def _attainment(name: str, label: str, objectives: Sequence[Objective]) -> Measure:
    def compute(run: Run, deployment: Deployment) -> float | None:
        return attainment(run, deployment.tenants, objectives)

    return Measure(name, label, "1", compute, of_requests=True, objectives=objectives)


def _mean(column: Callable[[RequestLog], Floats]) -> RequestStatistic:
    return lambda log, rows: float(column(log)[rows].mean())


def _percentile(column: Callable[[RequestLog], Floats], percent: float) -> RequestStatistic:
    """Linear interpolation between order statistics, as numpy does by default."""
    return lambda log, rows: float(np.percentile(column(log)[rows], percent))


def _prefix_reuse(log: RequestLog, rows: Rows) -> float:
    return float(log.cached_tokens[rows].sum() / log.input_tokens[rows].sum())


def _reuse(tier: int) -> RequestStatistic:
    """The share of all prompt tokens that prefill took from one tier, 0 being G1."""
    return lambda log, rows: float(log.cached_in(tier)[rows].sum() / log.input_tokens[rows].sum())


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


def _decode_wait(log: RequestLog) -> Floats:
    wait: Floats = log.decode_start - log.routed
    return wait


MEASURES: Registry[Measure] = Registry("measure")
for _measure in (
    _of_run(
        "requests",
        "Measured requests",
        "1",
        lambda run: float(run.measured.sum()),
        of_requests=True,
    ),
    _of_run("throughput", "Throughput", "1/s", _throughput, of_requests=True),
    _of_requests("ttft-mean", "Mean TTFT", "s", _mean(_ttft)),
    _of_requests("ttft-p50", "TTFT P50", "s", _percentile(_ttft, 50)),
    _of_requests("ttft-p99", "TTFT P99", "s", _percentile(_ttft, 99)),
    _of_requests("itl-mean", "Mean ITL", "s", _mean(_itl)),
    _of_requests("e2e-mean", "Mean end-to-end latency", "s", _mean(_e2e)),
    _of_requests("e2e-p99", "End-to-end latency P99", "s", _percentile(_e2e, 99)),
    _of_requests("prefill-wait-mean", "Mean wait for prefill", "s", _mean(_prefill_wait)),
    _of_requests("decode-wait-mean", "Mean wait for decode", "s", _mean(_decode_wait)),
    _of_requests("prefix-reuse", "Prefix reuse", "1", _prefix_reuse),
    _of_requests("reuse:g1", "Prefix reuse from G1 (HBM)", "1", _reuse(0)),
    _of_requests("reuse:g2", "Prefix reuse from G2 (host memory)", "1", _reuse(1)),
    _of_requests("reuse:g3", "Prefix reuse from G3 (disk)", "1", _reuse(2)),
    _of_requests("reuse:g4", "Prefix reuse from G4 (network)", "1", _reuse(3)),
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
    _of_run(
        "decode-imbalance",
        "Decode imbalance (max/mean)",
        "1",
        _decode_imbalance,
        of_requests=True,
    ),
    _of_run("decode-gap", "Mean gap between decode workers", "1", decode_gap),
    _attainment("slo-attainment", "SLO attainment", OBJECTIVES),
    _attainment("ttft-attainment", "TTFT attainment", ["ttft"]),
    _attainment("itl-attainment", "ITL attainment", ["itl"]),
    Measure(
        "goodput",
        "Goodput",
        "1/s",
        lambda run, deployment: goodput(run, deployment.tenants),
        of_requests=True,
        objectives=OBJECTIVES,
    ),
    _of_run(
        "beyond-table",
        "Requests beyond the latency table",
        "1",
        _beyond_table,
        of_requests=True,
    ),
    _of_run(
        "extrapolated",
        "Look-ups beyond the latency table",
        "1",
        lambda run: float(run.extrapolated),
    ),
    _of_polls("switches", "Switches", "1", alarms.switches),
    _of_polls("regime-highest", "Highest regime", "1", alarms.highest_regime),
    _of_polls("alarmed", "Share of runs with an alarm", "1", alarms.alarmed),
    _of_polls("switch-delay", "Time to the first switch", "s", alarms.switch_delay),
    _of_polls("alarm-delay", "Time to the alarm", "s", alarms.alarm_delay),
    _of_polls("clear-delay", "Time to the all-clear", "s", alarms.clear_delay),
    _of_polls("tail-seen", "TTFT P99 as last polled", "s", alarms.tail_seen),
):
    MEASURES.register(_measure.name)(_measure)
