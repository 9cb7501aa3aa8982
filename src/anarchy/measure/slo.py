"""Service-level objectives of tenants: attainment and goodput.

An objective bounds each request's time to first token or its mean inter-token latency, in seconds;
a request at the bound meets it. *Attainment* is the share of the measured requests that meet an
objective, among those that have it. *Goodput* is the rate of measured requests that meet all their
objectives; one that has none does.

Source of the two notions: Zhong et al., DistServe (OSDI 2024).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anarchy.config.workload import Tenant
from anarchy.serving.log.request_log import Floats, RequestLog, Run

Objective = Literal["ttft", "itl"]
OBJECTIVES: tuple[Objective, ...] = ("ttft", "itl")

Mask = NDArray[np.bool_]


def has_objective(tenants: Sequence[Tenant], objectives: Sequence[Objective]) -> bool:
    """Whether some tenant has one of these."""
    return any(getattr(tenant.slo, name) is not None for tenant in tenants for name in objectives)


def attainment(
    run: Run, tenants: Sequence[Tenant], objectives: Sequence[Objective] = OBJECTIVES
) -> float | None:
    """The share of requests that meet those of `objectives` that they have, of those with any.

    None if no measured request has any of them.
    """
    log = run.log.select(run.measured)
    limits = _limits(log, tenants, objectives)
    bounded = np.isfinite(limits).any(axis=0)
    return float(_met(log, limits, objectives)[bounded].mean()) if bounded.any() else None


def goodput(run: Run, tenants: Sequence[Tenant]) -> float | None:
    """Measured requests a second that meet all their objectives; None in a window of no length."""
    length = run.end - run.start
    log = run.log.select(run.measured)
    met = _met(log, _limits(log, tenants, OBJECTIVES), OBJECTIVES)
    return float(met.sum() / length) if length > 0 else None


def _limits(log: RequestLog, tenants: Sequence[Tenant], objectives: Sequence[Objective]) -> Floats:
    """Bounds in seconds, objectives x requests; infinite where there is none."""
    each = [[getattr(tenant.slo, name) or np.inf for tenant in tenants] for name in objectives]
    limits: Floats = np.array(each, dtype=np.float64)[:, log.tenant]
    return limits


def _met(log: RequestLog, limits: Floats, objectives: Sequence[Objective]) -> Mask:
    found = np.stack([getattr(log, name) for name in objectives])
    met: Mask = np.all(found <= limits, axis=0)
    return met
