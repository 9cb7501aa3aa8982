"""Tabulate and plot the controlled runs of the real Dynamo beside the simulated ones."""

from pathlib import Path

from anarchy.artefact.figures.live_control import plot
from anarchy.artefact.tables.live_control import controlled_table
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log

with job_log(snakemake.log[0], snakemake.output):
    rows = read_rows(snakemake.input.rows)
    write_text(snakemake.output.table, controlled_table(rows))
    plot(rows, Path(snakemake.output.pdf).with_suffix(""))
