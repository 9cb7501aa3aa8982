"""What tenants were promised and got: attainment and goodput.

A tenant's service-level objective bounds each request's time to first token and its mean
inter-token latency, in seconds; a bound itself is within the promise. *Attainment* is the share of
the measured requests within a promise, among those that were promised it. *Goodput* is the rate of
measured requests that meet all that they were promised; one that was promised nothing does.

Source of the two notions: Zhong et al., DistServe (OSDI 2024).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anarchy.config.workload import Tenant
from anarchy.serving.log.request_log import Floats, RequestLog, Run

Promise = Literal["ttft", "itl"]
PROMISES: tuple[Promise, ...] = ("ttft", "itl")

Mask = NDArray[np.bool_]


def is_promised(tenants: Sequence[Tenant], promises: Sequence[Promise]) -> bool:
    """Whether some tenant was promised one of these."""
    return any(getattr(tenant.slo, name) is not None for tenant in tenants for name in promises)


def attainment(
    run: Run, tenants: Sequence[Tenant], promises: Sequence[Promise] = PROMISES
) -> float | None:
    """The share of requests that meet all of `promises` they were given, of those given any.

    None if no measured request was promised any of them.
    """
    log = run.log.select(run.measured)
    limits = _limits(log, tenants, promises)
    promised = np.isfinite(limits).any(axis=0)
    return float(_met(log, limits, promises)[promised].mean()) if promised.any() else None


def goodput(run: Run, tenants: Sequence[Tenant]) -> float | None:
    """Measured requests a second that meet all their promises; None in a window of no length."""
    length = run.end - run.start
    log = run.log.select(run.measured)
    met = _met(log, _limits(log, tenants, PROMISES), PROMISES)
    return float(met.sum() / length) if length > 0 else None


def _limits(log: RequestLog, tenants: Sequence[Tenant], promises: Sequence[Promise]) -> Floats:
    """Seconds promised, promises x requests; infinite where nothing was."""
    each = [[getattr(tenant.slo, name) or np.inf for tenant in tenants] for name in promises]
    limits: Floats = np.array(each, dtype=np.float64)[:, log.tenant]
    return limits


def _met(log: RequestLog, limits: Floats, promises: Sequence[Promise]) -> Mask:
    found = np.stack([getattr(log, name) for name in promises])
    met: Mask = np.all(found <= limits, axis=0)
    return met
