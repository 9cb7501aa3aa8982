"""The operational knee of one prefill worker that feeds a pool of decode workers."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from anarchy.common.errors import InputError

MAX_BATCH = 2.0**20
"""Largest decode batch that is considered; no deployment comes near it."""

RELATIVE_TOLERANCE = 1e-13
"""Width of the final bracket of the batch, relative to the batch."""


@dataclass(frozen=True)
class OperationalKnee:
    """Where a closed loop of clients starts to keep the prefill worker busy.

    clients       N*, a real number; `math.inf` when decode saturates before prefill does
    decode_batch  requests per decode worker at N*, at least 1; `math.inf` likewise
    """

    clients: float
    decode_batch: float


def operational_knee(
    prefill_time: float,
    handoff: float,
    output_tokens: float,
    itl: Callable[[float], float],
    decode_workers: int,
) -> OperationalKnee:
    """Crossing of the asymptotes of a closed network whose decode time depends on its batch.

    prefill_time    seconds of prefill work per request, T_p > 0
    handoff         seconds between prefill and decode, H >= 0
    output_tokens   tokens per request, OSL >= 0
    itl             seconds per token at a (real) batch size, for batches from 1 on
    decode_workers  m >= 1

    While prefill is the bottleneck, requests pass at rate 1/T_p. Little's law then puts
    OSL * ITL(B) / (m T_p) requests on each decode worker, which must be the batch B that the
    ITL was taken at; a worker with work has a batch of at least 1. With that batch
    N* = 1 + (H + OSL * ITL(B)) / T_p (Denning and Buzen 1978).

    The batch is found by doubling an upper end until the demanded batch no longer exceeds it and
    then bisecting. It is unique when ITL(B)/B falls with B, as for any affine ITL with a fixed
    part; otherwise the bracket holds one of the solutions. When the demanded batch exceeds every
    batch up to `MAX_BATCH`, decode cannot pass 1/T_p and there is no knee of prefill.
    """
    _check(prefill_time, handoff, output_tokens, decode_workers)

    def demanded(batch: float) -> float:
        return output_tokens * itl(batch) / (decode_workers * prefill_time)

    batch = _fixed_point(demanded)
    if math.isinf(batch):
        return OperationalKnee(math.inf, math.inf)
    return OperationalKnee(1 + (handoff + output_tokens * itl(batch)) / prefill_time, batch)


def _fixed_point(demanded: Callable[[float], float]) -> float:
    """A batch of at least 1 with demanded(batch) = batch, 1 if less is demanded, else infinity."""
    if demanded(1.0) <= 1.0:
        return 1.0
    low, high = 1.0, 2.0
    while demanded(high) > high:
        low, high = high, 2 * high
        if high > MAX_BATCH:
            return math.inf
    while high - low > RELATIVE_TOLERANCE * high:
        middle = (low + high) / 2
        if demanded(middle) > middle:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _check(prefill_time: float, handoff: float, output_tokens: float, decode_workers: int) -> None:
    if not 0 < prefill_time < math.inf:
        raise InputError(f"prefill_time: must be a time above 0 s, got {prefill_time}")
    for key, value in (("handoff", handoff), ("output_tokens", output_tokens)):
        if not 0 <= value < math.inf:
            raise InputError(f"{key}: must be at least 0, got {value}")
    if decode_workers < 1:
        raise InputError(f"decode_workers: must be at least 1, got {decode_workers}")
