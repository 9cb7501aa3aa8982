"""Aggregate an experiment's points: means with intervals, knees, paired comparisons, spreads.

What an experiment does not ask for is written empty, so that all look alike.
"""

from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from anarchy.common import paths
from anarchy.common.files import read_rows, write_rows
from anarchy.common.jobs import job_log
from anarchy.config.experiment import Experiment
from anarchy.config.scenario import Scenario
from anarchy.config.settings import Bootstrap
from anarchy.measure.aggregate import aggregate, compare, spread
from anarchy.measure.bracket.rivals import among_rivals
from anarchy.measure.experiment_point import compare_logs
from anarchy.measure.knee.sweeps import knee_rows
from anarchy.serving.log.request_log import read_log
from anarchy.serving.service_times.lookup import load_service_times


def measure_experiment() -> None:
    experiment = Experiment.model_validate(snakemake.params.experiment)
    keys = experiment.keys
    rows = [row for path in snakemake.input.points for row in read_rows(path)]
    if experiment.rivals:
        rows = among_rivals(rows, keys, experiment.rivals)
    measures = aggregate(rows, keys)
    write_rows(snakemake.output.measures, measures)
    write_rows(snakemake.output.knees, knees(experiment, measures))
    write_rows(snakemake.output.compare, comparisons(experiment, keys, rows))
    wanted = experiment.spread
    spreads = spread(measures, keys, wanted.over, wanted.measures) if wanted else []
    write_rows(snakemake.output.spread, spreads)
    options = [
        {"id": name, "option": option, "value": value}
        for name, estimator in experiment.estimators.items()
        for option, value in estimator.model_dump().items()
    ]
    write_rows(snakemake.output.estimators, options)


def knees(experiment, measures):
    if experiment.knee is None:
        return []
    scenarios = {
        name: Scenario.model_validate(data) for name, data in snakemake.params.scenarios.items()
    }
    return knee_rows(experiment, measures, scenarios, partial(load_service_times, paths.LATENCY))


def comparisons(experiment, keys, rows):
    wanted = experiment.compare
    if wanted is None:
        return []
    if snakemake.input.logs:  # a recorded trace: the same requests are resampled on both sides
        points = [list(point) for _, point in groupby(rows, itemgetter(*keys))]
        folders = zip(snakemake.input.logs, snakemake.params.log_names, strict=True)
        logs = [read_log(Path(folder) / name) for folder, names in folders for name in names]
        bootstrap = Bootstrap.model_validate(snakemake.params.bootstrap)
        pairs = list(zip(points, logs, strict=True))
        return compare_logs(pairs, keys, wanted, bootstrap, snakemake.params.seed)
    return compare(rows, keys, wanted.field, wanted.baseline, wanted.measures)


with job_log(snakemake.log[0], snakemake.output):
    measure_experiment()
