"""Draw the picture of a knee study."""

from pathlib import Path

from anarchy.artefact.figures.knee_map import plot_knee_map
from anarchy.common.files import read_rows
from anarchy.common.jobs import job_log
from anarchy.config.experiment import KneeMap

with job_log(snakemake.log[0], snakemake.output):
    plot_knee_map(
        KneeMap.model_validate(snakemake.params.study),
        read_rows(snakemake.input.knees),
        read_rows(snakemake.input.limits),
        Path(snakemake.output.pdf).with_suffix(""),
    )
