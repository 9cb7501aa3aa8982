"""Tabulate the cells of an experiment."""

from anarchy.artefact.tabulation import experiment_table
from anarchy.config import Experiment
from anarchy.files import read_rows, write_text
from anarchy.jobs import job_log

with job_log(snakemake.log[0]):
    experiment = Experiment.model_validate(snakemake.params.experiment)
    rows = read_rows(snakemake.input.rows)
    write_text(snakemake.output[0], experiment_table(snakemake.wildcards.experiment, experiment, rows))
