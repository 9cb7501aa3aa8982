"""Tabulate and plot the validation suite."""

from pathlib import Path

from anarchy.artefact.figures.validation import plot
from anarchy.artefact.tables.validation import validation_table
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log

with job_log(snakemake.log[0], snakemake.output):
    rows = read_rows(snakemake.input.rows)
    write_text(snakemake.output.table, validation_table(rows))
    plot(rows, Path(snakemake.output.pdf).with_suffix(""))
