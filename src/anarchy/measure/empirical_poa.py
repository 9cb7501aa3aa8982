"""PoA-hat: the cost of the actual routing over that of a minimum-cost assignment.

The source defines the index in one sentence: the cost of the routing that happened over the cost
of a Hungarian assignment on a matrix whose latencies are frozen. It leaves open what the entries
are, when they are frozen, over which window requests are matched, how n requests fit on m < n
workers, and how windows are put together. Each of these is an option of
`anarchy.config.experiment.Estimator`; none of the defaults is known to be the source's choice.

*entry*, the matrix entry of request i on decode worker j:
  decode-latency  output_i * ITL(active_ij + 1, input_i + output_i / 2), seconds: all its steps at
                  the batch it would find there, at its mean context. active_ij is what the worker
                  held at the frozen moment, without this request.
  router-cost     the cost that the router computed for j, in its own unit (blocks).
*freezing*, the moment whose loads enter:
  arrival         each request at its own routing decision.
  window-start    the first decision of the window, for all its requests (with router-cost: that
                  request's whole cost vector).
  idle            no load at all. Refused with router-cost, which is not known without load.
*matching*, what the optimum may do:
  balanced        each worker has ceil(n / m) places and every request is assigned. If workers are
                  out of service, the places are the fewest, equally many for each worker that is
                  in service at all, with which every request has one.
  rectangular     the n x m matrix goes to the solver as it is, which assigns min(n, m) requests,
                  fewer if workers are out of service, while the numerator counts all n. For equal
                  requests the ratio is about n / m whatever the router does: the suspected
                  artefact of the source.
  unconstrained   each request takes its cheapest worker.
*numerator*, what the actual routing cost:
  frozen          the entry of the worker chosen, from the same matrix.
  realised        decode latency as it happened, done - routed. Refused with router-cost, whose
                  unit is not time.

A worker that was out of service at a request's own decision, where its cost in the log is
infinite, is not available to that request: its entry is infinite whatever the freezing, and no
matching uses it. A window of which a request took a worker with an infinite entry is left out; it
takes router-cost and window-start, when the worker was out of service at the window's first
decision and back at the request's.

With balanced and frozen the ratio is at least 1 if no worker got more than ceil(n / m) of the
window's requests, and can be below 1 otherwise. With realised it bounds the price of anarchy
neither from above nor from below, because numerator and denominator see different loads.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.config.experiment import Estimator
from anarchy.serving.log.request_log import Floats, Ints, RequestLog, Run

Itl = Callable[[int, float], float]
"""Inter-token latency in seconds of a batch size (this request included) and a mean context."""


@dataclass(frozen=True)
class WindowCosts:
    """Per window (in order of time): the cost of the actual routing and of the assignment."""

    actual: Floats
    optimal: Floats


def poa_hat(run: Run, options: Estimator, itl: Itl) -> float | None:
    """The index over all complete windows of the measured requests of a run.

    None where it is undefined: no complete window, or an optimum that is not positive (the sum
    for ratio-of-sums, any window's for the mean and the median of ratios). Raises InputError for
    options that contradict each other and for a log whose costs are no numbers.
    """
    costs = window_costs(run, options, itl)
    if len(costs.optimal) == 0:
        return None
    if options.aggregation == "ratio-of-sums":
        optimum = float(costs.optimal.sum())
        return float(costs.actual.sum()) / optimum if optimum > 0 else None
    if costs.optimal.min() <= 0:
        return None
    ratios = costs.actual / costs.optimal
    return float(ratios.mean() if options.aggregation == "mean-of-ratios" else np.median(ratios))


def window_costs(run: Run, options: Estimator, itl: Itl) -> WindowCosts:
    """Both costs of each tumbling window of `options.window` consecutive routing decisions.

    Windows run over the measured requests in order of `routed` (ties in order of arrival); a last
    window that is not full is dropped, and so is one whose routing has no finite frozen cost.
    Costs are in seconds, or in the router's unit.
    """
    check_estimator(options)
    log = run.log.select(run.measured)
    windows = len(log) // options.window
    order = np.argsort(log.routed, kind="stable")[: windows * options.window]
    rows = order.reshape(windows, options.window)
    matrices = _entries(log, rows, options, itl)
    if np.isnan(matrices).any() or np.isneginf(matrices).any():
        raise InputError(f"estimator entry '{options.entry}': the log's costs are no numbers")
    chosen = log.decode_worker[rows]
    actual = np.take_along_axis(matrices, chosen[..., None], axis=2)[..., 0]
    known = np.isfinite(actual).all(axis=1)
    if options.numerator == "realised":
        realised: Floats = log.done - log.routed
        actual = realised[rows]
    return WindowCosts(actual[known].sum(axis=1), _optima(matrices[known], options.matching))


def check_estimator(options: Estimator) -> None:
    """Raise InputError for options that cannot be combined."""
    if options.entry != "router-cost":
        return
    if options.freezing == "idle":
        raise InputError(
            "freezing 'idle' is undefined for entry 'router-cost'; allowed: arrival, window-start"
        )
    if options.numerator == "realised":
        raise InputError(
            "numerator 'realised' is in seconds and entry 'router-cost' is not; allowed: frozen"
        )


def _entries(log: RequestLog, rows: Ints, options: Estimator, itl: Itl) -> Floats:
    """The cost matrices, windows x requests x workers; infinite where a worker is not available."""
    seen = log.decode_cost if options.entry == "router-cost" else log.decode_active
    frozen: Floats = seen[rows]
    if options.freezing == "window-start":
        frozen = np.broadcast_to(frozen[:, :1, :], frozen.shape)
    elif options.freezing == "idle":
        frozen = np.zeros_like(frozen)
    if options.entry == "router-cost":
        entries = frozen
    else:
        output = log.output_tokens[rows][..., None]
        context = log.input_tokens[rows][..., None] + output / 2
        entries = output * _tabulate(itl, frozen.astype(np.int64) + 1, context)
    return np.where(np.isposinf(log.decode_cost[rows]), np.inf, entries)


def _tabulate(itl: Itl, batch: Ints, context: Floats) -> Floats:
    """`itl` at every pair of two broadcastable arrays, called once per distinct pair."""
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


def _optima(matrices: Floats, matching: str) -> Floats:
    """The cost of the minimum-cost assignment of each matrix (windows x requests x workers)."""
    if matching == "unconstrained":
        cheapest: Floats = matrices.min(axis=2).sum(axis=1)
        return cheapest
    solve = _balanced_cost if matching == "balanced" else _rectangular_cost
    return np.array([solve(matrix) for matrix in matrices], dtype=float)


def _balanced_cost(matrix: NDArray[np.float64]) -> float:
    """Every request on a worker, each of which has as few places as that takes."""
    requests = len(matrix)
    workers = np.isfinite(matrix).any(axis=0).sum()
    for places in range(-(-requests // workers), requests + 1):
        costs = _assigned(np.repeat(matrix, places, axis=1))
        if len(costs) == requests:
            break
    return float(costs.sum())


def _rectangular_cost(matrix: NDArray[np.float64]) -> float:
    """As many requests as possible, at most one on each worker."""
    return float(_assigned(matrix).sum())


def _assigned(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The entries of the cheapest of all assignments that use the most finite entries."""
    # Imported here: it takes as long to load as a small point takes to simulate.
    from scipy.optimize import linear_sum_assignment

    finite = np.isfinite(matrix)
    if not finite.all():
        # Dearer than any exchange of finite entries, so that the solver avoids it where it can.
        low, high = matrix[finite].min(), matrix[finite].max()
        dearest = 1.0 + abs(high) + min(matrix.shape) * (high - low)
        matrix = np.where(finite, matrix, dearest)
    rows, columns = linear_sum_assignment(matrix)
    used = finite[rows, columns]
    found: NDArray[np.float64] = matrix[rows, columns][used]
    return found
