"""Draw the curves of the estimators that meet most of what was published."""

from pathlib import Path

from anarchy.artefact.figures.estimators import plot_estimators
from anarchy.common.files import read_rows
from anarchy.common.jobs import job_log
from anarchy.config.estimator import EstimatorStudy

with job_log(snakemake.log[0], snakemake.output):
    plot_estimators(
        EstimatorStudy.model_validate(snakemake.params.study),
        read_rows(snakemake.input.curves),
        Path(snakemake.output.pdf).with_suffix(""),
    )
