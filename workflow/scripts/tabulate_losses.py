"""Tabulate where something is lost."""

from anarchy.artefact.tables.losses import losses_table
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log
from anarchy.config.experiment import Experiment

with job_log(snakemake.log[0], snakemake.output):
    experiments = {
        name: Experiment.model_validate(data) for name, data in snakemake.params.experiments.items()
    }
    write_text(snakemake.output[0], losses_table(experiments, read_rows(snakemake.input.rows)))
