"""Tabulate and plot the live comparison."""

from pathlib import Path

from anarchy.artefact.figures.live import plot
from anarchy.artefact.tables.live import live_table
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log

with job_log(snakemake.log[0], snakemake.output):
    rows = read_rows(snakemake.input.rows)
    write_text(snakemake.output.table, live_table(rows))
    plot(rows, Path(snakemake.output.pdf).with_suffix(""))
