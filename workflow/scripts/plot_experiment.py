"""Draw the figure of an experiment."""

from pathlib import Path

from anarchy.artefact.figures.experiments import plot_experiment
from anarchy.common.files import read_rows
from anarchy.common.jobs import job_log
from anarchy.config.experiment import Experiment

with job_log(snakemake.log[0], snakemake.output):
    plot_experiment(
        snakemake.wildcards.experiment,
        Experiment.model_validate(snakemake.params.experiment),
        read_rows(snakemake.input.rows),
        read_rows(snakemake.input.knees),
        Path(snakemake.output.pdf).with_suffix(""),
    )
