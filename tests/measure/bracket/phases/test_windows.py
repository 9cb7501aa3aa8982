"""Who may be active when: told by the clock of the phases, and true of runs."""

import numpy as np
import pytest

from anarchy.common.errors import InputError
from anarchy.config.workload import ClosedLoop
from anarchy.measure.bracket.phases.windows import Window, spans, windows
from anarchy.serving.simulate import simulate
from tests.measure.bracket.phases.small_loops import SEED, latency, phased

UP_AND_DOWN = [(10.0, 2), (1.0, 8), (10.0, 8), (4.0, 3), (10.0, 3)]


def known(phases: list[tuple[float, int]], longest: float) -> list[Window]:
    workload = phased(phases).workload
    assert isinstance(workload, ClosedLoop)
    return list(windows(workload, longest))


def test_those_that_are_too_many_leave_within_the_longest_stay() -> None:
    below, _, saturated, drain, recovery, run = known(UP_AND_DOWN, 3.0)
    assert (below.before, below.within, below.after) == (0, 2, 2)
    assert (saturated.before, saturated.within, saturated.after) == (8, 8, 8)
    assert (drain.before, drain.within, drain.after) == (8, 8, 3)
    assert (recovery.before, recovery.within, recovery.after) == (3, 3, 3)
    assert recovery.crowd == 8, "what was begun before it was there with more"
    assert recovery.last_crowd == 3
    assert drain.asked == 4 * 3
    assert drain.active == 4 * 3 + 3 * (8 - 3)
    assert (run.phase, run.start, run.end) == (None, 0, 35)
    assert run.asked == sum(seconds * clients for seconds, clients in UP_AND_DOWN)


def test_the_other_order_begins_empty_too() -> None:
    """Saturation first: nothing is found there, and what was below finds the crowd's rest."""
    first, second, _ = known([(10.0, 8), (10.0, 2)], 3.0)
    assert (first.before, first.active) == (0, 80)
    assert (second.before, second.within) == (8, 8)
    again, _, _ = known([(10.0, 2), (10.0, 8)], 3.0)
    assert (again.before, again.active) == (0, 20)


def test_a_long_stay_outlasts_short_phases() -> None:
    *_, last, _ = known([(1.0, 5), (1.0, 1), (1.0, 1)], 2.5)
    assert (last.before, last.after) == (5, 5)
    assert last.active == 1 + 4 * 1, "no longer than the phase"


def test_no_phase_is_without_clients() -> None:
    with pytest.raises(InputError, match=r"clients.*greater than or equal to 1"):
        phased([(1.0, 2), (1.0, 0)])


def test_phases_without_a_name_have_a_number() -> None:
    workload = phased([(1.0, 2)]).workload
    assert isinstance(workload, ClosedLoop)
    unnamed = workload.model_copy(
        update={"phases": [phase.model_copy(update={"name": None}) for phase in workload.phases]}
    )
    assert [span.name for span in spans(unnamed)] == ["phase 1"]


def test_no_more_are_active_in_a_run() -> None:
    scenario = phased([(0.5, 2), (0.6, 9), (0.3, 3), (0.6, 3)], workload__think_time=0.01)
    log = simulate(scenario, latency(), seed=SEED).log
    workload = scenario.workload
    assert isinstance(workload, ClosedLoop)
    longest = float((log.done - log.arrival).max()) + 0.1  # and the longest pause
    for window in windows(workload, longest):
        there = [
            int(((log.arrival < at) & (log.done >= at)).sum())
            for at in np.linspace(window.start, window.end, 200)
        ]
        assert max(there) <= window.within
        assert there[0] <= window.before
        assert there[-1] <= window.after
