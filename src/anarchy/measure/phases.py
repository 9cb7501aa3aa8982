"""A run, phase by phase: each is a run whose measured requests are those done in it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from anarchy.common.errors import InputError, suggest
from anarchy.config.experiment import Experiment
from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClientPhase, ClosedLoop
from anarchy.measure.measures import get_measure
from anarchy.serving.log.request_log import Run


def phases_of(scenario: Scenario) -> Sequence[ClientPhase]:
    """The phases of a closed loop; other workloads have none that could be measured."""
    return scenario.workload.phases if isinstance(scenario.workload, ClosedLoop) else []


def by_phase(run: Run, scenario: Scenario, names: Sequence[str]) -> Iterator[tuple[str, Run]]:
    """The phases among `names`, in order of time.

    What the workers did is not known by phase: it remains that of the whole run, so measures of
    it make no sense of these.
    """
    start = 0.0
    for phase in phases_of(scenario):
        end = start + phase.duration
        if phase.name is not None and phase.name in names:
            done = (run.log.done > start) & (run.log.done <= end)
            yield phase.name, replace(run, measured=done, start=start, end=end)
        start = end


def check_phases(experiment: Experiment, scenarios: Sequence[Scenario]) -> None:
    """Refuse phases that no scenario has, and measures that are of whole runs only."""
    if not experiment.phases:
        return
    known = {phase.name for scenario in scenarios for phase in phases_of(scenario) if phase.name}
    for name in experiment.phases:
        if name not in known:
            raise InputError(f"phases: no workload has a phase '{name}'; {suggest(name, known)}")
    for name in experiment.measures:
        if not get_measure(name, experiment.estimators, scenarios[0].tenants).of_phases:
            raise InputError(f"measures: '{name}' is of whole runs, and 'phases' are measured")
