"""The whole build, validated before any job starts: settings, scenarios, experiments, studies.

The Snakefile and `anarchy check` load the same plan, so what the one accepts the other runs.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from anarchy.common import paths
from anarchy.common.errors import InputError, faults_in, shown, suggest
from anarchy.config.base import Scalar
from anarchy.config.claims.ledger import Ledger
from anarchy.config.estimator import Estimator, EstimatorStudy
from anarchy.config.experiment import (
    PHASE,
    STUDY_KINDS,
    VARIANT,
    Experiment,
    KneeMap,
    Study,
    combinations,
    pairs,
)
from anarchy.config.live import (
    ControlledRun,
    LivePoint,
    controlled_runs,
    live_points,
    load_campaign,
)
from anarchy.config.scenario import Scenario, get_field, with_fields
from anarchy.config.settings import Settings, TraceSources, load_scenario, load_settings
from anarchy.config.silicon import Silicon, deployments
from anarchy.config.validation import validate, validate_layers
from anarchy.config.workload import ClosedLoop
from anarchy.config.yaml_files import list_files, read_yaml
from anarchy.measure.bracket.rivals import compared_with
from anarchy.measure.claims.verdicts import check_claims
from anarchy.measure.estimators.members import cells, check_families
from anarchy.measure.estimators.signature import STATISTICS
from anarchy.measure.knee.sweeps import LOAD
from anarchy.measure.measures import check_measure
from anarchy.measure.phases import check_phases
from anarchy.serving.reference.router.policy import plugins
from anarchy.serving.scenario_checks import ScenarioChecks

MOST_CHARACTERS = 200
"""Longest name of a point, which files are called by."""

CURVES = ("parallel-queues", "saturation", "replicas", "plateau", "windows", "placement", "coupled")
"""Figures of the theory: no experiment or study may be called like one."""


@dataclass(frozen=True)
class SweepPoint:
    """One point of a sweep: a scenario with its swept fields set."""

    experiment: str
    name: str  # unique within the experiment, fit for a file name
    scenario_name: str
    values: Mapping[str, Scalar | None]  # the swept fields only, validated
    scenario: Scenario


@dataclass(frozen=True)
class Plan:
    """Everything a build is made of. Mappings are sorted by name."""

    settings: Settings
    scenarios: Mapping[str, Scenario]
    experiments: Mapping[str, Experiment]
    studies: Mapping[str, Study]
    traces: TraceSources
    points: Mapping[str, tuple[SweepPoint, ...]]  # by experiment
    missing: Mapping[str, str] = field(default_factory=dict)  # experiment -> trace not to be had
    live: tuple[LivePoint, ...] = ()  # measured of the real Dynamo
    controlled: tuple[ControlledRun, ...] = ()  # and these
    silicon: Silicon | None = None  # the models on measured hardware
    claims: Ledger | None = None  # what was published, and how it is judged
    left_out: Mapping[str, Experiment] = field(default_factory=dict)  # by the overlay

    @property
    def knee_maps(self) -> dict[str, KneeMap]:
        """The studies that are knee maps."""
        return {name: s for name, s in self.studies.items() if isinstance(s, KneeMap)}

    @property
    def estimator_studies(self) -> dict[str, EstimatorStudy]:
        """The studies of estimators."""
        return {name: s for name, s in self.studies.items() if isinstance(s, EstimatorStudy)}

    @property
    def outputs(self) -> paths.Outputs:
        """The output folders of this build."""
        return paths.Outputs(Path(self.settings.output))


def load_plan(overlay: Path | None = None, root: Path = Path(), output: str | None = None) -> Plan:
    """Read and validate all configuration below `root`; a fault is one `InputError`.

    An `output` sends the build into another folder than its settings do.

    An experiment on a registered trace that is neither at hand nor downloadable is listed in
    `missing` instead of being refused; without committed reference values it is left out.
    """
    settings = load_settings(root / paths.SETTINGS, overlay, output)
    _check_output(root, settings.output, overlay)
    traces = validate(TraceSources, read_yaml(root / paths.TRACES), str(root / paths.TRACES))
    checks = ScenarioChecks(root, traces)
    scenarios = {}
    for name, path in list_files(root / paths.SCENARIOS).items():
        scenarios[name] = load_scenario(root / paths.SCENARIOS, name)
        checks.scenario(scenarios[name], str(path), with_policy=False)
    adjust = settings.adjust
    experiments = _load_all(root / paths.EXPERIMENTS, Experiment, adjust.experiments, overlay)
    left_out = {name: experiments.pop(name) for name in sorted(adjust.left_out)}
    studies = _load_all(root / paths.STUDIES, None, adjust.studies, overlay)
    _check_names(root, experiments, studies)

    points: dict[str, tuple[SweepPoint, ...]] = {}
    missing = {}
    for name, experiment in list(experiments.items()):
        source = str(root / paths.EXPERIMENTS / f"{name}.yaml")
        with plugins(root / plugin for plugin in experiment.plugins):
            found = tuple(_points(name, experiment, scenarios, source))
            _check_experiment(experiment, found, source)
            absent = {checks.scenario(point.scenario, source) for point in found} - {None}
        if absent:
            missing[name] = sorted(filter(None, absent))[0]
            if not (root / paths.REFERENCE / "experiments" / f"{name}.json").is_file():
                del experiments[name]
                continue
        points[name] = found
        experiments[name] = experiment.model_copy(
            update={"sweep": _validated(experiment.sweep, [point.scenario for point in found])}
        )
    for name, study in list(studies.items()):
        source = str(root / paths.STUDIES / f"{name}.yaml")
        if isinstance(study, EstimatorStudy):
            _check_estimators(study, scenarios, checks, source)
            continue
        for fact in study.facts:
            _measure(fact.measure, study.estimators, source)
        changed = []
        for used, values in product(study.scenarios, pairs(study.every_axis)):
            scenario = _scenario(scenarios, used, source)
            scenario = with_fields(scenario, study.fields(values), source)
            if not isinstance(scenario.workload, ClosedLoop) or scenario.topology.prefill != 1:
                lacking = f"'{used}' is no closed loop with one prefill worker, so it has no knee"
                raise InputError(f"{source}: scenarios: {lacking}")
            checks.scenario(scenario, source)
            changed.append(scenario)
        studies[name] = study.model_copy(update={"axes": _validated(study.axes, changed)})
    live, controlled = _live(root, scenarios)
    for scenario in (*(p.scenario for p in live), *(r.scenario for r in controlled)):
        checks.scenario(scenario, str(root / paths.LIVE))
    silicon, path = None, root / paths.SILICON
    if path.exists():
        silicon = validate_layers(Silicon, _layers(path, adjust.silicon, overlay))
        for deployment in deployments(silicon, scenarios, str(path)):
            checks.scenario(deployment.scenario, str(path))
    claims = _claims(root, {*experiments, *missing, *left_out})
    return Plan(
        settings,
        scenarios,
        experiments,
        studies,
        traces,
        points,
        missing,
        live,
        controlled,
        silicon,
        claims,
        left_out,
    )


def _live(
    root: Path, scenarios: Mapping[str, Scenario]
) -> tuple[tuple[LivePoint, ...], tuple[ControlledRun, ...]]:
    """What is measured of the real Dynamo; nothing in a project without such a campaign."""
    path = root / paths.LIVE
    if not path.exists():
        return (), ()
    campaign = load_campaign(path)

    def load(name: str) -> Scenario:
        return _scenario(scenarios, name, str(path))

    return (
        tuple(live_points(campaign, load, str(path))),
        tuple(controlled_runs(campaign, load, str(path))),
    )


def _claims(root: Path, experiments: Collection[str]) -> Ledger | None:
    """The published claims; a project need not have them."""
    path = root / paths.CLAIMS
    if not path.exists():
        return None
    ledger = validate(Ledger, read_yaml(path), str(path))
    with faults_in(str(path)):
        check_claims(ledger)
        for claim in ledger.claims:
            for selection in claim.selections:
                name = experiment_of(selection.file)
                if name not in {None, *experiments} and claim.open is None:
                    raise InputError(
                        f"{claim.id}: no experiment makes {selection.file}; "
                        f"{suggest(str(name), experiments)}"
                    )
    return ledger


def experiment_of(file: str) -> str | None:
    """The experiment that a results file is of, if it is of one."""
    folder, _, name = file.rpartition("/")
    return name.partition(".")[0] if folder == "experiments" else None


def _check_estimators(
    study: EstimatorStudy, scenarios: Mapping[str, Scenario], checks: ScenarioChecks, source: str
) -> None:
    """What a job of the study would refuse."""
    with faults_in(source):
        check_families(study)
        for name, wanted in study.properties.items():
            STATISTICS.find(wanted.statistic, f"properties.{name}.statistic")
    for named in [*study.levels, *(p.scenario for p in study.properties.values())]:
        _scenario(scenarios, named or study.scenarios[0], source)
    for used, cell in product(study.scenarios, cells(study)):
        scenario = _scenario(scenarios, used, source)
        if not isinstance(scenario.workload, ClosedLoop):
            raise InputError(f"{source}: scenarios: '{used}' is no closed loop, so it has no load")
        checks.scenario(with_fields(scenario, cell.set_fields, source), source)


def _load_all(
    folder: Path, model: Any, adjust: Mapping[str, Any], overlay: Path | None
) -> dict[str, Any]:
    """The files of a folder with the overlay's adjustments laid over them.

    Without a model each file's `kind` tells it.
    """
    files = list_files(folder)
    for name in adjust:
        if name not in files:
            raise InputError(
                f"{overlay}: adjust: no file {folder / name}.yaml; {suggest(name, files)}"
            )
    loaded = {}
    for name, path in files.items():
        layers = _layers(path, adjust.get(name), overlay)
        loaded[name] = validate_layers(model or _kind(layers[0][1], path), layers)
    return loaded


def _layers(path: Path, change: Any, overlay: Path | None) -> list[tuple[Path, Any]]:
    """A file with what the overlay lays over it."""
    laid = [(overlay, change)] if change and overlay is not None else []
    return [(path, read_yaml(path)), *laid]


def _kind(data: Mapping[str, Any], path: Path) -> type[Study]:
    """The model of a study."""
    kind = str(data.get("kind"))
    if kind not in STUDY_KINDS:
        raise InputError(f"{path}: kind: unknown kind {shown(kind)}; {suggest(kind, STUDY_KINDS)}")
    return STUDY_KINDS[kind]


def _check_output(root: Path, output: str, overlay: Path | None) -> None:
    for place in (root / output, *(root / output).parents):
        if place.exists() and not place.is_dir():
            source = overlay or root / paths.SETTINGS
            raise InputError(f"{source}: output: {place} is a file; a folder is wanted")


def _check_names(root: Path, experiments: Iterable[str], studies: Iterable[str]) -> None:
    """Figures share one folder, so that no two things may have the same name."""
    taken = {*CURVES, "validation", "silicon", "live", "live-control", "rule-outs"}
    for folder, names in ((paths.EXPERIMENTS, experiments), (paths.STUDIES, studies)):
        for name in names:
            if name in taken:
                raise InputError(
                    f"{root / folder / name}.yaml: the name '{name}' is taken by another figure; "
                    "choose another"
                )
            taken.add(name)


def _validated(fields: Iterable[str], swept: Sequence[Scenario]) -> dict[str, list[Any]]:
    """The values of swept fields as the scenarios hold them: a file may write 1e3 for 1000."""
    return {
        field: list(dict.fromkeys(get_field(scenario, field) for scenario in swept))
        for field in fields
    }


def _scenario(scenarios: Mapping[str, Scenario], name: str, source: str) -> Scenario:
    if name not in scenarios:
        raise InputError(f"{source}: unknown scenario '{name}'; {suggest(name, scenarios)}")
    return scenarios[name]


def _points(
    name: str, experiment: Experiment, scenarios: Mapping[str, Scenario], source: str
) -> Iterable[SweepPoint]:
    """The points of an experiment; their values are the validated ones (1e-3 is a number)."""
    names = set()
    for scenario_name in experiment.scenarios:
        base = _scenario(scenarios, scenario_name, source)
        for given in combinations(experiment.axes):
            scenario = with_fields(base, experiment.fields(given), source)
            values = {
                path: value if path == VARIANT else get_field(scenario, path)
                for path, value in given.items()
            }
            point = SweepPoint(name, _slug(scenario_name, values), scenario_name, values, scenario)
            if len(point.name) > MOST_CHARACTERS:
                raise InputError(
                    f"{source}: sweep: the name of the point {point.name} has "
                    f"{len(point.name)} characters; allowed: {MOST_CHARACTERS}"
                )
            if point.name in names:
                raise InputError(f"{source}: sweep: the point {point.name} occurs twice")
            names.add(point.name)
            yield point


def _slug(scenario: str, values: Mapping[str, Any]) -> str:
    parts = [f"{path.rsplit('.', 1)[-1]}-{value}" for path, value in values.items()]
    return re.sub(r"[^A-Za-z0-9._-]", "-", "__".join([scenario, *parts]))


def _check_experiment(experiment: Experiment, points: Sequence[SweepPoint], source: str) -> None:
    """Everything that is shown must be measured and swept."""
    known = set(experiment.measures)
    for name in experiment.measures:
        for point in points:
            _measure(name, experiment.estimators, source, point.scenario)
    used = [*experiment.figure.y, *experiment.table.measures]
    used += compared_with(experiment.measures) if experiment.rivals else []
    used += experiment.compare.measures if experiment.compare else []
    used += experiment.spread.measures if experiment.spread else []
    for name in used:
        if name not in known:
            raise InputError(f"{source}: measure '{name}' is not measured; {suggest(name, known)}")
    _check_knee(experiment, points, source)
    with faults_in(source):
        check_phases(experiment, [point.scenario for point in points])
    fields = {*experiment.keys}
    shown = [experiment.figure.x, experiment.figure.series, experiment.figure.rows]
    shown += [experiment.figure.panels, experiment.rivals, *experiment.figure.published]
    shown += [experiment.knee.field if experiment.knee else None]
    shown += [experiment.compare.field if experiment.compare else None]
    shown += experiment.spread.over if experiment.spread else []
    for path in shown:
        if path is not None and path not in fields:
            raise InputError(f"{source}: '{path}' is not swept; {suggest(path, fields)}")
    if experiment.compare is not None:
        field = experiment.compare.field
        values = [point.values.get(field, point.scenario_name) for point in points]
        values = [*experiment.phases] if field == PHASE else values
        if experiment.compare.baseline not in values:
            allowed = ", ".join(map(str, dict.fromkeys(values)))
            raise InputError(
                f"{source}: compare.baseline: {experiment.compare.baseline} is not swept; "
                f"allowed: {allowed}"
            )


def _check_knee(experiment: Experiment, points: Sequence[SweepPoint], source: str) -> None:
    """A knee is a place on an axis of numbers, above which workers are busy."""
    if experiment.knee is None:
        return
    if LOAD not in experiment.measures:
        raise InputError(f"{source}: key 'knee' needs the measure '{LOAD}' in 'measures'")
    field = experiment.knee.field
    for point in points:
        value = point.values.get(field, 0)
        if field == "scenario" or isinstance(value, str | bool) or value is None:
            raise InputError(f"{source}: knee.field: '{field}' is no field of numbers")


def _measure(
    name: str,
    estimators: Mapping[str, Estimator],
    source: str,
    scenario: Scenario | None = None,
) -> None:
    with faults_in(source):
        check_measure(name, estimators, scenario)
