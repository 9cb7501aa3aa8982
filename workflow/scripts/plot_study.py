"""Draw the picture of a knee study."""

from pathlib import Path

from anarchy.artefact.knee_map import plot_knee_map
from anarchy.config import KneeMap
from anarchy.files import read_rows
from anarchy.jobs import job_log

with job_log(snakemake.log[0]):
    plot_knee_map(
        KneeMap.model_validate(snakemake.params.study),
        read_rows(snakemake.input.knees),
        read_rows(snakemake.input.feasible),
        Path(snakemake.output.pdf).with_suffix(""),
    )
