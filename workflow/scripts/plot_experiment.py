"""Draw the figure of an experiment."""

from pathlib import Path

from anarchy.artefact.figures import plot_experiment
from anarchy.config import Experiment
from anarchy.files import read_rows
from anarchy.jobs import job_log

with job_log(snakemake.log[0]):
    plot_experiment(
        snakemake.wildcards.experiment,
        Experiment.model_validate(snakemake.params.experiment),
        read_rows(snakemake.input.rows),
        read_rows(snakemake.input.knees),
        Path(snakemake.output.pdf).with_suffix(""),
    )
