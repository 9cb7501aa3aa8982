"""The whole build, validated before any job starts: settings, scenarios, experiments, studies.

The Snakefile and `anarchy check` load the same plan, so what the one accepts the other runs.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anarchy import paths
from anarchy.config import (
    Estimator,
    Experiment,
    KneeMap,
    Scalar,
    Scenario,
    Settings,
    Study,
    Trace,
    TraceSources,
    load_scenario,
    load_settings,
    merge,
    read_yaml,
    validate,
    with_fields,
)
from anarchy.errors import InputError, suggest
from anarchy.inputs import TraceUnavailable, check_trace
from anarchy.measure.cell import CellJob
from anarchy.measure.kneemap import LOAD
from anarchy.measure.measures import get_measure
from anarchy.serving.latency import load_latency
from anarchy.serving.router import get_policy, load_plugin


@dataclass(frozen=True)
class Cell:
    """One point of an experiment: a scenario with its swept fields set."""

    experiment: str
    name: str  # unique within the experiment, fit for a file name
    scenario_name: str
    values: Mapping[str, Scalar]  # the swept fields only
    scenario: Scenario


@dataclass(frozen=True)
class Plan:
    """Everything a build is made of. Mappings are sorted by name."""

    settings: Settings
    scenarios: Mapping[str, Scenario]
    experiments: Mapping[str, Experiment]
    studies: Mapping[str, KneeMap]
    traces: TraceSources
    cells: Mapping[str, tuple[Cell, ...]]  # by experiment
    missing: Mapping[str, str] = field(default_factory=dict)  # experiment -> trace not to be had

    @property
    def outputs(self) -> paths.Outputs:
        """The output folders of this build."""
        return paths.Outputs(Path(self.settings.output))


def load_plan(overlay: Path | None = None, root: Path = Path()) -> Plan:
    """Read and validate all configuration below `root`; a fault is one `InputError`.

    An experiment on a registered trace that is neither at hand nor downloadable is listed in
    `missing` instead of being refused.
    """
    settings = load_settings(root / paths.SETTINGS, overlay)
    scenarios = {
        name: load_scenario(root / paths.SCENARIOS, name)
        for name in _names(root / paths.SCENARIOS, None, "scenario")
    }
    traces = validate(TraceSources, read_yaml(root / paths.TRACES), str(root / paths.TRACES))
    experiments = {
        name: _load(root / paths.EXPERIMENTS, name, Experiment, settings.adjust.experiments)
        for name in _names(root / paths.EXPERIMENTS, settings.experiments, "experiment")
    }
    studies = {
        name: _load(root / paths.STUDIES, name, Study, settings.adjust.studies)
        for name in _names(root / paths.STUDIES, settings.studies, "study")
    }
    for kind, adjusted, known in (
        ("experiment", settings.adjust.experiments, root / paths.EXPERIMENTS),
        ("study", settings.adjust.studies, root / paths.STUDIES),
    ):
        _names(known, list(adjusted), kind)
    cells = {}
    missing = {}
    for name, experiment in experiments.items():
        source = str(root / paths.EXPERIMENTS / f"{name}.yaml")
        for plugin in experiment.plugins:
            load_plugin(root / plugin)
        cells[name] = tuple(_cells(name, experiment, scenarios, source))
        _check_measures(experiment, source)
        absent = _check_cells(cells[name], traces, root, source)
        if absent is not None:
            missing[name] = absent
    for name, study in studies.items():
        source = str(root / paths.STUDIES / f"{name}.yaml")
        for fact in study.facts:
            _measure(fact.measure, study.estimators, source)
        for scenario_name in study.scenarios:
            scenario = _scenario(scenarios, scenario_name, source)
            for values in _combinations(study.axes):
                with_fields(scenario, values, source)
    return Plan(settings, scenarios, experiments, studies, traces, cells, missing)


def combinations(axes: Mapping[str, Iterable[Scalar]]) -> list[dict[str, Scalar]]:
    """All combinations of the axes' values, the last axis varying fastest."""
    return list(_combinations(axes))


def _combinations(axes: Mapping[str, Iterable[Any]]) -> Iterable[dict[str, Any]]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _names(folder: Path, wanted: list[str] | None, kind: str) -> list[str]:
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    for name in wanted or []:
        if name not in known:
            raise InputError(f"{folder}: unknown {kind} '{name}'; {suggest(name, known)}")
    return known if wanted is None else sorted(wanted)


def _load(folder: Path, name: str, model: Any, adjust: Mapping[str, Any]) -> Any:
    path = folder / f"{name}.yaml"
    return validate(model, merge(read_yaml(path), adjust.get(name, {})), str(path))


def _scenario(scenarios: Mapping[str, Scenario], name: str, source: str) -> Scenario:
    if name not in scenarios:
        raise InputError(f"{source}: unknown scenario '{name}'; {suggest(name, scenarios)}")
    return scenarios[name]


def _cells(
    name: str, experiment: Experiment, scenarios: Mapping[str, Scenario], source: str
) -> Iterable[Cell]:
    for scenario_name in experiment.scenarios:
        base = with_fields(_scenario(scenarios, scenario_name, source), experiment.set, source)
        for values in _combinations(experiment.sweep):
            yield Cell(
                name,
                _slug(scenario_name, values),
                scenario_name,
                values,
                with_fields(base, values, source),
            )


def _slug(scenario: str, values: Mapping[str, Scalar]) -> str:
    parts = [f"{path.rsplit('.', 1)[-1]}-{value}" for path, value in values.items()]
    return re.sub(r"[^A-Za-z0-9._-]", "-", "__".join([scenario, *parts]))


def _check_measures(experiment: Experiment, source: str) -> None:
    known = set(experiment.measures) | {f"poa-hat:{name}" for name in experiment.estimators}
    for name in experiment.measures:
        _measure(name, experiment.estimators, source)
    used = [*experiment.figure.y, *experiment.table.measures]
    used += experiment.compare.measures if experiment.compare else []
    used += experiment.spread.measures if experiment.spread else []
    for name in used:
        if name not in known:
            raise InputError(f"{source}: measure '{name}' is not measured; {suggest(name, known)}")
    if experiment.knee is not None and LOAD not in known:
        raise InputError(f"{source}: key 'knee' needs the measure '{LOAD}' in 'measures'")
    fields = {"scenario", *experiment.sweep}
    shown = [experiment.figure.x, experiment.figure.series, experiment.figure.rows]
    shown += [experiment.figure.panels]
    shown += [experiment.knee.field if experiment.knee else None]
    shown += [experiment.compare.field if experiment.compare else None]
    shown += experiment.spread.over if experiment.spread else []
    for path in shown:
        if path is not None and path not in fields:
            raise InputError(f"{source}: '{path}' is not swept; {suggest(path, fields)}")
    if experiment.compare is not None:
        values = experiment.sweep.get(experiment.compare.field, experiment.scenarios)
        if experiment.compare.baseline not in values:
            raise InputError(
                f"{source}: compare.baseline: {experiment.compare.baseline} is not swept; "
                f"allowed: {', '.join(map(str, values))}"
            )


def _measure(name: str, estimators: Mapping[str, Estimator], source: str) -> None:
    try:
        get_measure(name, estimators)
    except InputError as fault:
        raise InputError(f"{source}: {fault}") from None


def _check_cells(
    cells: Iterable[Cell], traces: TraceSources, root: Path, source: str
) -> str | None:
    """Refuse what a job would refuse; the name of a trace that cannot be had, if there is one."""
    checked = set()
    for cell in cells:
        get_policy(cell.scenario.router.policy, f"{source}: router.policy")
        load_latency(root / paths.LATENCY, cell.scenario.model.latency)
        workload = cell.scenario.workload
        if isinstance(workload, Trace) and workload.trace not in checked:
            checked.add(workload.trace)
            try:
                check_trace(workload.trace, traces, root)
            except TraceUnavailable:
                return workload.trace
    return None


def cell_job(plan: Plan, cell: Cell) -> CellJob:
    """What the job of a cell needs to know, and nothing else."""
    settings, experiment = plan.settings, plan.experiments[cell.experiment]
    return CellJob(
        experiment=cell.experiment,
        keys={"scenario": cell.scenario_name, **cell.values},
        scenario=cell.scenario,
        measures=experiment.measures,
        estimators=experiment.estimators,
        seed=settings.seed,
        replications=experiment.replications or settings.replications,
        requests=experiment.requests or settings.requests,
        warmup_cycles=settings.warmup_cycles,
        bootstrap=settings.bootstrap,
        plugins=experiment.plugins,
    )
