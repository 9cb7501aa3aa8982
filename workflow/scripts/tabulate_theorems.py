"""Tabulate the checks of the theorems."""

from anarchy.artefact.tables.studies import theorems_table
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log

with job_log(snakemake.log[0], snakemake.output):
    write_text(snakemake.output[0], theorems_table(read_rows(snakemake.input.rows)))
