"""Draw the price of anarchy of parallel queues against load."""

from pathlib import Path

from anarchy.artefact.figures import plot_parallel_queues
from anarchy.files import read_rows
from anarchy.jobs import job_log

with job_log(snakemake.log[0]):
    plot_parallel_queues(
        read_rows(snakemake.input.rows), Path(snakemake.output.pdf).with_suffix("")
    )
