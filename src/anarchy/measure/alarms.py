"""What a controller did in a run, or in a phase of it: its alarms and its switches.

All of it is None of a run without a controller, and where there is no such switch or poll.
"""

from collections.abc import Sequence

import numpy as np

from anarchy.serving.log.control_history import ControlHistory
from anarchy.serving.log.request_log import Floats, Ints, Run


def switches(run: Run) -> float | None:
    """How often the regime changed."""
    return None if run.control is None else float(len(_switched(run, run.control)))


def highest_regime(run: Run) -> float | None:
    """The highest regime at any poll, as its position: 0 is the lowest."""
    if run.control is None:
        return None
    regimes = run.control.regime[_polls(run, run.control)]
    return float(regimes.max()) if len(regimes) else None


def alarmed(run: Run) -> float | None:
    """1 if a regime above the lowest was believed at any poll, else 0: its mean is a share."""
    highest = highest_regime(run)
    return None if highest is None else float(highest > 0)


def switch_delay(run: Run) -> float | None:
    """Seconds to the first switch."""
    return _delay(run, (-1, 1))


def alarm_delay(run: Run) -> float | None:
    """Seconds to the first switch to a higher regime."""
    return _delay(run, (1,))


def clear_delay(run: Run) -> float | None:
    """Seconds to the first switch to a lower regime."""
    return _delay(run, (-1,))


def tail_seen(run: Run) -> float | None:
    """The P99 of TTFT (seconds) that the last poll saw."""
    if run.control is None:
        return None
    seen = run.control.p99[_polls(run, run.control)]
    return float(seen[-1]) if len(seen) and not np.isnan(seen[-1]) else None


def _polls(run: Run, control: ControlHistory) -> Ints:
    """The positions of the polls within the run's window."""
    return np.flatnonzero((control.time > run.start) & (control.time <= run.end))


def _switched(run: Run, control: ControlHistory) -> Ints:
    return np.intersect1d(control.switches, _polls(run, control))


def _delay(run: Run, directions: Sequence[int]) -> float | None:
    control = run.control
    if control is None:
        return None
    found = _switched(run, control)
    moved: Ints = control.regime[found] - control.regime[found - 1]
    times: Floats = control.time[found[np.isin(np.sign(moved), directions)]]
    return float(times[0] - run.start) if len(times) else None
