"""Aggregate the replications of an experiment's cells to means with intervals."""

from anarchy.config import Experiment
from anarchy.files import read_rows, write_rows
from anarchy.jobs import job_log
from anarchy.measure.aggregate import aggregate

with job_log(snakemake.log[0]):
    experiment = Experiment.model_validate(snakemake.params.experiment)
    rows = [row for path in snakemake.input.cells for row in read_rows(path)]
    write_rows(snakemake.output[0], aggregate(rows, ["scenario", *experiment.sweep]))
