"""How unequal what the decode workers hold is over time, out of the log."""

import numpy as np

from anarchy.serving.log.request_log import RequestLog, Run


def mean_gap(log: RequestLog, workers: int, start: float, end: float) -> float:
    """Requests that the fullest of `workers` decode workers holds more than the emptiest.

    The average over the seconds from `start` to `end`. A worker holds a request from the router's
    decision until it is done.
    """
    times = np.concatenate([log.routed, log.done])
    changes = np.zeros((2, len(log), workers), np.int64)
    changes[0, np.arange(len(log)), log.decode_worker] = 1
    changes[1] = -changes[0]
    order = np.argsort(times, kind="stable")
    held = changes.reshape(-1, workers)[order].cumsum(axis=0)
    bounds = np.clip(np.append(times[order], end), start, end)
    return float(np.ptp(held, axis=1) @ np.diff(bounds) / (end - start))


def decode_gap(run: Run) -> float | None:
    """The mean gap from the warm-up on, None if that is too short.

    Requests that are not done when a run ends are not in its log, so it is measured only as long
    before the end as the longest measured request stayed.
    """
    measured = run.log.select(run.measured)
    if len(measured) == 0:
        return None
    end = run.end - float((measured.done - measured.routed).max())
    return mean_gap(run.log, len(run.decode_busy), run.start, end) if end > run.start else None
