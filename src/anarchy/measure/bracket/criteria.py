"""By what criteria a run is compared with other schedules, and the names of what comes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from anarchy.serving.log.request_log import RequestLog


class Bounds(Protocol):
    """What no schedule can beat: least times in seconds, most requests per second."""

    @property
    def e2e_mean(self) -> float: ...

    @property
    def ttft_mean(self) -> float: ...

    @property
    def ttft_p99(self) -> float: ...

    @property
    def throughput(self) -> float: ...


@dataclass(frozen=True)
class Criterion:
    """What schedules are compared by: its value in a log, its bound, and whether less is better."""

    name: str
    label: str
    unit: str
    value: Callable[[RequestLog], float]
    bound: Callable[[Bounds], float]
    is_cost: bool = True

    def loss(self, run: float, other: float) -> float:
        """How many times the cost of the other a run's is, or the other's rate the run's."""
        return run / other if self.is_cost else other / run


LIMITS = ("lo", "hi")
"""Of a bracket: what a run lost at least, and at most."""


def loss_name(limit: str, criterion: Criterion) -> str:
    """The measure of one limit of a bracket."""
    return f"loss-{limit}:{criterion.name}"


OPTIMA = ("found", "bound")
"""The two ends that enclose the optimum: the best schedule found, and what none can beat."""


def optimum_name(end: str, criterion: Criterion) -> str:
    """The measure of one end of the optimum."""
    return f"found:{criterion.name}" if end == "found" else f"bound:{criterion.name}"


def _cost(
    name: str, label: str, value: Callable[[RequestLog], Any], bound: Callable[[Bounds], float]
) -> Criterion:
    return Criterion(name, label, "s", lambda log: float(value(log)), bound)


CRITERIA = (
    _cost("e2e-mean", "mean E2E", lambda log: log.e2e.mean(), lambda b: b.e2e_mean),
    _cost("ttft-mean", "mean TTFT", lambda log: log.ttft.mean(), lambda b: b.ttft_mean),
    _cost("ttft-p99", "TTFT P99", lambda log: np.percentile(log.ttft, 99), lambda b: b.ttft_p99),
    Criterion(
        "throughput",
        "throughput",
        "1/s",
        lambda log: len(log) / float(log.done.max()),
        lambda b: b.throughput,
        is_cost=False,
    ),
)

LOSSES = {loss_name(limit, of): (limit, of) for limit in LIMITS for of in CRITERIA}
"""The measures of what a run lost: which limit, and by what criterion."""

COMPARED = {optimum_name(end, of): (end, of) for end in OPTIMA for of in CRITERIA}
"""The measures of what it is compared with: which end, and by what criterion."""
