"""The matrix: what request i would cost on decode worker j, frozen at a moment.

The moments: *arrival* is each request's own, its arrival for prefill and its routing decision for
decode; *window-start* is the first decision of the window, for all its requests; *idle* has no
load at all, so that an entry frozen idle is the unloaded one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anarchy.common.registry import Registry
from anarchy.measure.estimators.observed import Observed
from anarchy.serving.log.request_log import Floats, Ints

SECONDS, BLOCKS = "seconds", "the router's unit"

Compute = Callable[[Observed, Ints, str], Floats]
"""The matrices of windows of n requests: rows (windows x n) and a moment to windows x n x m."""

AtPlace = Callable[[Observed, Ints, str, Ints], Floats]
"""What the k-th request on a worker adds: rows (windows x n), a moment and places k (K,) to
windows x n x m x K."""


@dataclass(frozen=True)
class Entry:
    """An entry: `moments` are those it can be frozen at, its own first; none if it has no say.

    `places` is there for entries that depend on load, `predicts` says that the entry needs the
    inter-token latency of the engine, and `needs` names columns that a log may lack.
    """

    compute: Compute
    moments: tuple[str, ...]
    unit: str = SECONDS
    predicts: bool = False
    places: AtPlace | None = None
    needs: tuple[str, ...] = ()


ENTRIES: Registry[Entry] = Registry("entry")


def residents(observed: Observed, rows: Ints, moment: str) -> Ints:
    """Requests on every decode worker at the moment, without the request itself."""
    log = observed.log
    if moment == "idle":
        return np.zeros((*rows.shape, observed.workers), dtype=np.int64)
    seen = log.decode_active[rows if moment == "arrival" else rows[:, :1]].astype(np.int64)
    return np.broadcast_to(seen, (*rows.shape, observed.workers))


def decode_latency(observed: Observed, rows: Ints, moment: str) -> Floats:
    """output_i * ITL(residents_j + 1, input_i + output_i / 2): all steps at the batch found."""
    batch = residents(observed, rows, moment) + 1
    return observed.decode_seconds(rows[..., None], batch)


def decode_latency_places(observed: Observed, rows: Ints, moment: str, places: Ints) -> Floats:
    """What the k-th request adds to the decode latency of all k: k l(k) - (k - 1) l(k - 1)."""
    held = residents(observed, rows, moment)[..., None]
    upto = np.concatenate([[0], places])
    batch = np.maximum(held + upto, 1)
    totals = upto * observed.decode_seconds(rows[..., None, None], batch)
    return np.diff(totals, axis=-1)


def ttft(observed: Observed, rows: Ints, moment: str) -> Floats:
    """The wait for prefill at the moment, and TTFT without waiting; the same on every worker."""
    entry = _prefill_wait(observed, rows, moment) + observed.unloaded_ttft[rows]
    return np.repeat(entry[..., None], observed.workers, axis=-1)


def e2e(observed: Observed, rows: Ints, moment: str) -> Floats:
    """The wait for prefill at the moment, prefill, hand-off and decode latency."""
    before = _prefill_wait(observed, rows, moment) + observed.before_decode[rows]
    return before[..., None] + decode_latency(observed, rows, moment)


def e2e_places(observed: Observed, rows: Ints, moment: str, places: Ints) -> Floats:
    """The same, with decode latency as the k-th request adds to it."""
    before = _prefill_wait(observed, rows, moment) + observed.before_decode[rows]
    return before[..., None, None] + decode_latency_places(observed, rows, moment, places)


def queue(observed: Observed, rows: Ints, moment: str) -> Floats:
    """The decode work left on worker j at the moment, and the request's own; in batches of one."""
    return _decode_backlog(observed, rows, moment) + observed.alone[rows][..., None]


def queue_places(observed: Observed, rows: Ints, moment: str, places: Ints) -> Floats:
    """The k-th last of a queue delays k requests by its service, its own included."""
    backlog = _decode_backlog(observed, rows, moment)[..., None]
    return backlog + observed.alone[rows][..., None, None] * places


def crowded(observed: Observed, rows: Ints, moment: str) -> Floats:
    """(1 + residents_j) x service: processor sharing without batching."""
    return (1 + residents(observed, rows, moment)) * observed.alone[rows][..., None]


def crowded_places(observed: Observed, rows: Ints, moment: str, places: Ints) -> Floats:
    """What the k-th request adds to k (residents_j + k) x service."""
    held = residents(observed, rows, moment)[..., None]
    return (held + 2 * places - 1) * observed.alone[rows][..., None, None]


def observed_e2e(observed: Observed, rows: Ints, _: str) -> Floats:
    """Mean end-to-end latency of the window's requests on worker j, of all its requests if none."""
    return _observed(observed, observed.log.e2e, rows)


def observed_ttft(observed: Observed, rows: Ints, _: str) -> Floats:
    """Mean TTFT of the window's requests on worker j, of all its requests if none."""
    return _observed(observed, observed.log.ttft, rows)


def router_cost(observed: Observed, rows: Ints, moment: str) -> Floats:
    """The logit of the router: the cost that it computed for worker j, in blocks."""
    seen = observed.log.decode_cost[rows if moment == "arrival" else rows[:, :1]]
    return np.broadcast_to(seen, (*rows.shape, observed.workers))


def _prefill_wait(observed: Observed, rows: Ints, moment: str) -> Floats:
    if moment == "idle":
        return np.zeros(rows.shape)
    if moment == "arrival":
        return observed.prefill_wait[rows]
    instant = np.broadcast_to(observed.log.routed[rows[:, :1]], rows.shape)
    return observed.prefill_backlog(instant, rows)


def _decode_backlog(observed: Observed, rows: Ints, moment: str) -> Floats:
    first = rows if moment == "arrival" else rows[:, :1]
    backlog = observed.decode_backlog(observed.log.routed[first])
    return np.broadcast_to(backlog, (*rows.shape, observed.workers))


def _observed(observed: Observed, seconds: Floats, rows: Ints) -> Floats:
    worker = observed.log.decode_worker
    columns = []
    for j in range(observed.workers):
        here = worker[rows] == j
        served = worker == j
        usual = seconds[served].mean() if served.any() else np.inf
        counts = here.sum(axis=1)
        sums = np.where(here, seconds[rows], 0.0).sum(axis=1)
        columns.append(np.where(counts, sums / np.maximum(counts, 1), usual))
    means = np.stack(columns, axis=-1)
    return np.broadcast_to(means[:, None, :], (*rows.shape, observed.workers))


_LOADED = ("arrival", "window-start")
_PREFILL = ("prefill_start", "prefill_end")

for _name, _entry in {
    "decode-latency": Entry(
        decode_latency, (*_LOADED, "idle"), predicts=True, places=decode_latency_places
    ),
    "ttft": Entry(ttft, ("idle", *_LOADED), needs=_PREFILL),
    "e2e": Entry(e2e, ("idle", *_LOADED), predicts=True, places=e2e_places, needs=_PREFILL),
    "queue": Entry(queue, ("window-start", "arrival"), predicts=True, places=queue_places),
    "crowded": Entry(crowded, ("window-start", "arrival"), predicts=True, places=crowded_places),
    "observed-e2e": Entry(observed_e2e, ()),
    "observed-ttft": Entry(observed_ttft, ()),
    "router-cost": Entry(router_cost, _LOADED, unit=BLOCKS, needs=("decode_cost",)),
}.items():
    ENTRIES.register(_name)(_entry)
