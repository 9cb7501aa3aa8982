"""Draw what some estimators read over what the runs lost."""

from pathlib import Path

from anarchy.artefact.figures.thermometer import plot_thermometer
from anarchy.common.files import read_rows
from anarchy.common.jobs import job_log
from anarchy.config.estimator import EstimatorStudy

with job_log(snakemake.log[0], snakemake.output):
    plot_thermometer(
        EstimatorStudy.model_validate(snakemake.params.study),
        read_rows(snakemake.input.thermometer),
        Path(snakemake.output.pdf).with_suffix(""),
    )
