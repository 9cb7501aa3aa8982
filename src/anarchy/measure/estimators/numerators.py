"""What the actual routing cost: one number a request, from the matrix or from what happened."""

from collections.abc import Callable

import numpy as np

from anarchy.common.registry import Registry
from anarchy.serving.log.request_log import Floats, RequestLog

Numerator = Callable[[RequestLog], Floats | None]
"""Seconds of every request of a log; None if the matrix has to say it."""

NUMERATORS: Registry[Numerator] = Registry("numerator")


@NUMERATORS.register("frozen")
def frozen(_: RequestLog) -> None:
    """The entry of the worker chosen, from the same matrix; with places, that of the place."""
    return


@NUMERATORS.register("realised")
def realised(log: RequestLog) -> Floats:
    """Decode latency as it happened, done - routed, the wait for a place in the batch included."""
    return log.done - log.routed


@NUMERATORS.register("ttft")
def ttft(log: RequestLog) -> Floats:
    """Time to first token as it happened."""
    return log.ttft


@NUMERATORS.register("e2e")
def e2e(log: RequestLog) -> Floats:
    """End-to-end latency as it happened, done - arrival."""
    return log.e2e


def chosen_entries(matrices: Floats, workers: np.ndarray) -> Floats:
    """The entries of the workers chosen: windows x n x m and windows x n to windows x n."""
    return np.take_along_axis(matrices, workers[..., None], axis=2)[..., 0]
