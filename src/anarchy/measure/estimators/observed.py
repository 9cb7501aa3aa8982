"""A run as the estimators read it: its log, and what follows from the log about any instant.

The log says when a request arrived, was routed and was done, and on which workers. Hence it says
what each worker held at any instant, though nobody wrote that down. All times are in seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.serving.log.request_log import Floats, Ints, RequestLog, Run

Itl = Callable[[int, float], float]
"""Inter-token latency in seconds of a batch size (this request included) and a mean context."""


@dataclass(frozen=True)
class Observed:
    """A run, and the inter-token latency that its engine would have; None if nobody knows it.

    Arrays over requests have the n rows of the whole log: requests before and after the measured
    ones are load as well. `rows` of a method are row numbers of any shape.
    """

    run: Run
    itl: Itl | None

    @property
    def log(self) -> RequestLog:
        """The requests that were done."""
        return self.run.log

    @property
    def workers(self) -> int:
        """Decode workers m."""
        return int(self.log.decode_active.shape[1])

    @cached_property
    def decisions(self) -> Ints:
        """The measured rows in order of their decode decisions; ties in order of arrival."""
        measured = np.flatnonzero(self.run.measured)
        order: Ints = measured[np.argsort(self.log.routed[measured], kind="stable")]
        return order

    @cached_property
    def available(self) -> NDArray[np.bool_]:
        """n x m: whether the worker was in service at the request's own decision."""
        return ~np.isposinf(self.log.decode_cost)

    @cached_property
    def prefill_wait(self) -> Floats:
        """Seconds from arrival until prefill began."""
        return self.log.prefill_start - self.log.arrival

    @cached_property
    def unloaded_ttft(self) -> Floats:
        """TTFT without what the request waited for prefill, and for decode if that came first."""
        log = self.log
        decode_wait = np.where(log.first_token > log.decode_start, log.decode_start - log.routed, 0)
        unloaded: Floats = log.first_token - log.arrival - self.prefill_wait - decode_wait
        return unloaded

    @cached_property
    def before_decode(self) -> Floats:
        """Seconds of prefill and hand-off, without the wait for them."""
        return self.log.routed - self.log.arrival - self.prefill_wait

    @cached_property
    def alone(self) -> Floats:
        """Seconds of decode in a batch of one."""
        return self.decode_seconds(np.arange(len(self.log)), np.ones(len(self.log), dtype=np.int64))

    def decode_seconds(self, rows: Ints, batch: Ints) -> Floats:
        """output_i * ITL(batch, input_i + output_i / 2): all steps, at the mean context.

        `rows` and `batch` are broadcast against each other. Raises InputError without an ITL.
        """
        if self.itl is None:
            raise InputError("service times are not known: the deployment's scenario is wanted")
        output = self.log.output_tokens[rows]
        context = self.log.input_tokens[rows] + output / 2
        seconds: Floats = output * _tabulate(self.itl, *np.broadcast_arrays(batch, context))
        return seconds

    def prefill_backlog(self, instant: Floats, rows: Ints) -> Floats:
        """Seconds until the prefill worker of a request has done what it holds at an instant.

        First come, first served: that is when the last of those that had arrived was prefilled.
        `instant` and `rows` have one shape, which the result has.
        """
        log, backlog = self.log, np.zeros(instant.shape)
        # A prompt that its decode worker computed waited there.
        server = np.where(log.prefill_worker < 0, ~log.decode_worker, log.prefill_worker)
        for worker in np.unique(server[rows]):
            own = np.flatnonzero(server == worker)
            own = own[np.argsort(log.arrival[own], kind="stable")]
            ends = np.concatenate([[-np.inf], np.maximum.accumulate(log.prefill_end[own])])
            last = ends[np.searchsorted(log.arrival[own], instant, side="right")]
            here = server[rows] == worker
            backlog = np.where(here, np.maximum(0.0, last - instant), backlog)
        return backlog

    def decode_backlog(self, instant: Floats) -> Floats:
        """Seconds of work, in batches of one, left on every worker just before an instant.

        What is left of a request shrinks evenly from its decision until it is done. Shape: that of
        `instant` and one more axis, the workers.
        """
        log = self.log
        rate = self.alone / np.maximum(log.done - log.routed, np.finfo(float).tiny)
        left = []
        for worker in range(self.workers):
            own = log.decode_worker == worker
            constant = rate[own] * log.done[own]
            total = held(instant, log.routed[own], log.done[own], constant)
            slope = held(instant, log.routed[own], log.done[own], rate[own])
            left.append(np.maximum(0.0, total - slope * instant))
        return np.stack(left, axis=-1)


def held(instant: Floats, begins: Floats, ends: Floats, amounts: Floats) -> Floats:
    """The sum of the amounts of the intervals (begins, ends] that hold each instant.

    `begins`, `ends` and `amounts` have one shape; the result has that of `instant`.
    """
    return _upto(instant, begins, amounts) - _upto(instant, ends, amounts)


def _upto(instant: Floats, times: Floats, amounts: Floats) -> Floats:
    """The sum of the amounts whose time lies before each instant."""
    order = np.argsort(times, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(amounts[order])])
    found: Floats = sums[np.searchsorted(times[order], instant, side="left")]
    return found


def _tabulate(itl: Itl, batch: Ints, context: Floats) -> Floats:
    """`itl` at every pair of two arrays of one shape, called once per distinct pair."""
    contexts, code = np.unique(context, return_inverse=True)
    pairs, where = np.unique(
        batch * len(contexts) + code.reshape(context.shape), return_inverse=True
    )
    values = np.array(
        [itl(int(p) // len(contexts), float(contexts[int(p) % len(contexts)])) for p in pairs],
        dtype=float,
    )
    table: Floats = values[where.reshape(batch.shape)]
    return table
