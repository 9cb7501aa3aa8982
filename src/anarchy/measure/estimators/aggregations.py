"""How the windows of a run are put together: costs of the routing and optima to one index.

The index is None where it would mean nothing: no window, or an optimum that is not positive.
"""

from collections.abc import Callable

import numpy as np

from anarchy.common.registry import Registry
from anarchy.serving.log.request_log import Floats

Aggregation = Callable[[Floats, Floats], float | None]
"""Costs of the routing and optima of the windows, one each, to the index."""

AGGREGATIONS: Registry[Aggregation] = Registry("aggregation")


@AGGREGATIONS.register("ratio-of-sums")
def ratio_of_sums(actual: Floats, optimal: Floats) -> float | None:
    """The sum of the costs over that of the optima; long windows count more."""
    optimum = float(optimal.sum())
    return float(actual.sum()) / optimum if optimum > 0 else None


@AGGREGATIONS.register("mean-of-ratios")
def mean_of_ratios(actual: Floats, optimal: Floats) -> float | None:
    """The mean of the windows' ratios."""
    return float((actual / optimal).mean()) if _positive(optimal) else None


@AGGREGATIONS.register("median-of-ratios")
def median_of_ratios(actual: Floats, optimal: Floats) -> float | None:
    """The median of the windows' ratios."""
    return float(np.median(actual / optimal)) if _positive(optimal) else None


def _positive(optimal: Floats) -> bool:
    return len(optimal) > 0 and bool(optimal.min() > 0)
