"""Tabulate an experiment: points, knees, comparison, spread; what it has not stays empty."""

from anarchy.artefact.tables.experiments import (
    comparison_table,
    experiment_table,
    knee_table,
    spread_table,
)
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log
from anarchy.config.experiment import Experiment

with job_log(snakemake.log[0], snakemake.output):
    name = snakemake.wildcards.experiment
    experiment = Experiment.model_validate(snakemake.params.experiment)
    for table, wanted, source, target in (
        (experiment_table, True, snakemake.input.measures, snakemake.output.points),
        (knee_table, experiment.knee, snakemake.input.knees, snakemake.output.knees),
        (comparison_table, experiment.compare, snakemake.input.compare, snakemake.output.compare),
        (spread_table, experiment.spread, snakemake.input.spread, snakemake.output.spread),
    ):
        write_text(target, table(name, experiment, read_rows(source)) if wanted else "")
