"""Draw one figure of the theory."""

from pathlib import Path

from anarchy.artefact.figures.theory import (
    coupled,
    parallel_queues,
    placement,
    plateau,
    replicas,
    saturation,
    windows,
)
from anarchy.common.files import read_rows
from anarchy.common.jobs import job_log

FIGURES = {
    "parallel-queues": parallel_queues.plot,
    "saturation": saturation.plot,
    "replicas": replicas.plot,
    "plateau": plateau.plot,
    "windows": windows.plot,
    "placement": placement.plot,
    "coupled": coupled.plot,
}

with job_log(snakemake.log[0], snakemake.output):
    plot = FIGURES[snakemake.wildcards.curve]
    plot(read_rows(snakemake.input.rows), Path(snakemake.output.pdf).with_suffix(""))
